"""Portkey's open-source gateway as a process of a test, on a free port of loopback."""

import hashlib
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import httpx
from bench.environments import alone
from tests.programs import CACHE, MissingError, Program, free_ports

SOURCE = Path(__file__).parent / "portkey"
FILES = ("package.json", "package-lock.json")
INSTALL_S = 300.0


def program() -> Path:
    """The gateway's script, installed where the cache lacks this version of it. Raises MissingError without npm."""
    digest = hashlib.sha256(b"".join((SOURCE / file).read_bytes() for file in FILES)).hexdigest()
    place = CACHE / f"portkey-{digest[:16]}"
    with alone(place):
        if not place.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
                unfinished = Path(scratch) / "portkey"
                unfinished.mkdir()
                for file in FILES:
                    shutil.copy(SOURCE / file, unfinished)
                _install(unfinished)
                unfinished.replace(place)
    return place / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"


def _install(directory: Path) -> None:
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        subprocess.run(command, cwd=directory, capture_output=True, check=True, timeout=INSTALL_S)
    except FileNotFoundError:
        raise MissingError("Portkey's gateway needs Node.js; not found: npm") from None
    except subprocess.SubprocessError as error:
        raise MissingError(f"npm could not install Portkey's gateway: {error}") from None


class Gateway:
    """Started at once; `url` is its API. Raises MissingError with its log where it does not start."""

    def __init__(self, script: Path, directory: Path) -> None:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}/v1"
        log = directory / "portkey.log"
        command = ["node", "--require", str(SOURCE / "loopback.cjs"), str(script), f"--port={port}", "--headless"]
        settings = {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1"}
        ready = partial(self._ready, f"http://127.0.0.1:{port}/")
        self._program = Program("Portkey's gateway", command, log, ready, **settings)
        self._program.start()

    def stop(self) -> None:
        """End it."""
        self._program.stop()

    @staticmethod
    def _ready(url: str) -> bool:
        try:
            return httpx.get(url, timeout=5.0, trust_env=False).is_success
        except httpx.TransportError:
            return False
