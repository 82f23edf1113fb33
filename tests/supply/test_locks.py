"""What is installed is pinned by version and hash, and the lock files hold all that is asked for."""

import itertools
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

import pytest
from bench.environments import ROOT
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EXTRAS = ("demo", "dev", "oidc")
"""Those of `make lock`."""
PIN = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)(?: ; (?P<marker>.+?))?(?P<hashes>(?: --hash=sha256:[0-9a-f]{64})+)"
)

Pins = Mapping[str, set[str]]


def pins(lock: str) -> Pins:
    """The versions of each name, of which markers may choose. ValueError for a line that is not pinned and hashed."""
    found: dict[str, set[str]] = {}
    text = re.sub(r"\\\n\s*", "", re.sub(r"^\s*#.*\n", "", lock, flags=re.MULTILINE))
    for line in text.splitlines():
        matched = PIN.fullmatch(" ".join(line.split()))
        if matched is None:
            raise ValueError(f"{line!r} is not pinned by a version and SHA-256")
        found.setdefault(canonicalize_name(matched["name"]), set()).add(matched["version"])
    return found


def asked(pyproject: Path) -> list[Requirement]:
    """What the project asks for, with the extras that are locked, and to be built."""
    told = tomllib.loads(pyproject.read_text())
    project = told["project"]
    extras = itertools.chain.from_iterable(project["optional-dependencies"][name] for name in EXTRAS)
    return [Requirement(one) for one in (*project["dependencies"], *extras, *told["build-system"]["requires"])]


def unmet(requirements: Iterable[Requirement], pinned: Pins) -> Iterator[str]:
    """The requirements that no pin fulfils."""
    for one in requirements:
        versions = pinned.get(canonicalize_name(one.name), set())
        if not any(one.specifier.contains(version, prereleases=True) for version in versions):
            yield f"{one}: pinned is {', '.join(sorted(versions)) or 'nothing'}"


def needed(roots: Iterable[Requirement]) -> Iterator[Requirement]:
    """What the roots ask for in this environment, and what that asks for, and so on."""
    waiting, seen = list(roots), set[tuple[str, str]]()
    while waiting:
        one = waiting.pop()
        for extra in ("", *one.extras):
            if (key := (canonicalize_name(one.name), extra)) not in seen:
                seen.add(key)
                further = map(Requirement, metadata.requires(one.name) or ())
                waiting += [each for each in further if _applies(each.marker, extra)]
        yield one


def _applies(marker: Marker | None, extra: str) -> bool:
    return marker is None or marker.evaluate({"extra": extra})


@pytest.fixture(name="locked", scope="module")
def _locked() -> Pins:
    return pins((ROOT / "requirements.lock").read_text())


def test_the_lock_holds_all_that_is_asked_for(locked: Pins) -> None:
    """Each requirement, and whatever it requires here, has a pin that fulfils it; a missing or older one is noticed."""
    roots = [one for one in asked(ROOT / "pyproject.toml") if _applies(one.marker, "")]
    every = list(needed(roots))
    assert len(every) > len(roots)
    assert list(unmet(every, locked)) == []
    assert list(unmet(every, {name: versions for name, versions in locked.items() if name != "starlette"})) != []
    assert list(unmet(roots, {**locked, "duckdb": {"1.5.4"}})) == ["duckdb==1.5.5: pinned is 1.5.4"]


def test_what_is_installed_is_what_is_locked(locked: Pins) -> None:
    """The environment that the tests run in has the versions of the lock; another one would be noticed."""
    installed = {canonicalize_name(one.name): one.version for one in metadata.distributions()}
    assert astray(installed, locked) == []
    assert astray({**installed, "duckdb": "1.5.4"}, locked) == ["duckdb 1.5.4"]


def astray(installed: Mapping[str, str], locked: Pins) -> list[str]:
    """What is installed in a version that is not locked."""
    return [f"{name} {version}" for name, version in installed.items() if version not in locked.get(name, {version})]


LOCKS = sorted(ROOT.glob("bench/*.lock")) + sorted(ROOT.glob("tests/*/requirements.lock"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda file: file.parent.name)
def test_further_environments_are_pinned_too(lock: Path) -> None:
    """Every line of their locks has its version and hash, and each requirement they are made of has a pin."""
    lines = [line.partition("  #")[0] for line in lock.with_suffix(".in").read_text().splitlines()]
    roots = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert roots
    assert list(unmet(roots, pins(lock.read_text()))) == []


@pytest.mark.parametrize("line", ["numpy==2.2", "numpy>=2 --hash=sha256:" + 64 * "0", "git+https://example.org/x"])
def test_a_line_without_version_or_hash_is_noticed(line: str) -> None:
    """Negative control: such a line is no pin."""
    with pytest.raises(ValueError, match="is not pinned"):
        pins(f"# comment\n{line}\n")


@pytest.mark.parametrize("module", ["docker/collector", "tests/alertmanager"])
def test_go_modules_have_their_hashes(module: str) -> None:
    """Each module that go.mod requires stands in go.sum with the hash of its files or of its own go.mod."""
    required = re.findall(
        r"^(?:require )?\s*([\w.-]+\.[\w./~-]+) (v\S+)", (ROOT / module / "go.mod").read_text(), re.MULTILINE
    )
    hashed = {tuple(line.split()[:2]) for line in (ROOT / module / "go.sum").read_text().splitlines()}
    assert required
    assert [one for one in required if one not in hashed and (one[0], f"{one[1]}/go.mod") not in hashed] == []


def test_node_packages_have_their_hashes() -> None:
    """Each package of the lock has its integrity."""
    packages = json.loads((ROOT / "tests" / "portkey" / "package-lock.json").read_text())["packages"]
    assert [name for name, one in packages.items() if name and not one.get("integrity")] == []
    assert len(packages) > 1
