"""Programs in Go that tests run, the OpenTelemetry Collector first, built from Go modules into the user's cache."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.environments import alone
from tests.programs import CACHE, MissingError

SOURCE = Path(__file__).parents[1] / "docker" / "collector"
FILES = ("go.mod", "go.sum", "main.go")
GO_HOME = Path("/usr/local/go/bin")
BUILD_S = 1_500.0
NEEDED = (1, 25)
"""The oldest Go that builds them, which the go.mod say too."""

TOOLCHAIN = "v0.0.1-go1.26.8"
SUMS = {
    "linux-amd64": "h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=",
    "linux-arm64": "h1:sYL/O6MqS68ML0kjsQ36WoYIpJqkw60TxizWUYUKQMc=",
}
"""The module golang.org/toolchain, which an older Go downloads, and its hash by platform."""

Say = Callable[[str], object]


def program(say: Say) -> Path:
    """The collector, built where the cache lacks this version of it, which takes minutes and is told to `say`.

    Raises MissingError where there is no Go, or where it cannot build.
    """
    return built("otelcol", "the OpenTelemetry Collector", SOURCE, FILES, ".", say)


def built(name: str, title: str, source: Path, files: Sequence[str], package: str, say: Say) -> Path:
    """The program of a Go package as `source` pins it: a build for each content of its `files`, in the cache.

    Raises MissingError as `program` does.
    """
    digest = hashlib.sha256(b"".join((source / file).read_bytes() for file in files)).hexdigest()
    place = CACHE / f"{name}-{digest[:16]}"
    with alone(place):
        if not place.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
                unfinished = Path(scratch) / name
                _build(find_go(say), source, package, unfinished, title, say)
                unfinished.replace(place)
    return place


def _build(go: Path, source: Path, package: str, target: Path, title: str, say: Say) -> None:
    say(f"building {title} from its Go modules; this is done once and takes two minutes or more")
    command = [str(go), "build", "-v", "-p", "2", "-trimpath", "-ldflags", "-s -w", "-o", str(target), package]
    with subprocess.Popen(command, cwd=source, env=_environment(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        limit = threading.Timer(BUILD_S, process.kill)
        limit.start()
        last: deque[str] = deque(maxlen=10)
        for count, line in enumerate(process.stderr, 1):
            last.append(line)
            if count % 200 == 0:
                say(f"building {title}: {count} steps done")
        limit.cancel()
    if process.returncode:
        raise MissingError(f"Go could not build {title}: {''.join(last).strip()[-500:]}")


def find_go(say: Say) -> Path:
    """A Go that is new enough, fetched by an older one if need be; MissingError where that cannot be."""
    found = shutil.which("go", path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{GO_HOME}")
    if found is None:
        raise MissingError(f"this needs Go {NEEDED[0]}.{NEEDED[1]} to be built; not found: go")
    told = subprocess.run([found, "version"], env=_environment(), capture_output=True, text=True, check=True).stdout
    match = re.search(r"go(\d+)\.(\d+)\S* (\w+)/(\w+)", told)
    if match is None:
        raise MissingError(f"`go version` said {told!r}")
    new_enough = (int(match[1]), int(match[2])) >= NEEDED
    return Path(found) if new_enough else _toolchain(found, f"{match[3]}-{match[4]}", say)


def _toolchain(go: str, platform: str, say: Say) -> Path:
    """The Go that an older Go fetches as a module, if it has the hash that is expected."""
    say(f"fetching Go {TOOLCHAIN.partition('go')[2]}, because {go} is older than {NEEDED[0]}.{NEEDED[1]}")
    command = [go, "mod", "download", "-json", f"golang.org/toolchain@{TOOLCHAIN}.{platform}"]
    with tempfile.TemporaryDirectory() as outside:
        done = subprocess.run(command, cwd=outside, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingError(f"Go could not fetch a newer Go: {(done.stdout + done.stderr).strip()[-300:]}")
    fetched = json.loads(done.stdout)
    if fetched["Sum"] != SUMS.get(platform):
        raise MissingError(f"golang.org/toolchain for {platform} has the hash {fetched['Sum']}, which is not expected")
    root = Path(fetched["Dir"])
    for tool in [*(root / "bin").iterdir(), *(root / "pkg" / "tool").glob("*/*")]:
        tool.chmod(0o555)  # modules are unpacked without the right to run
    return root / "bin" / "go"


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "GOROOT"}  # of another Go, perhaps
    return inherited | {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOWORK": "off"}
