"""The wheel, the source distribution and the tree hold the same."""

import shutil
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import pytest
from bench.environments import ROOT

PACKAGES = {
    "undertow": "src/undertow",
    "undertow_collectors": "collectors/undertow_collectors",
    "undertow_detectors": "detectors/undertow_detectors",
    "undertow_dashboards": "dashboards/undertow_dashboards",
}


def held(wheel: Path) -> Mapping[str, bytes]:
    """The files of the packages in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name.partition("/")[0] in PACKAGES}


def packaged(folder: Path, files: list[str]) -> Mapping[str, bytes]:
    """What of such files below a folder belongs to the packages, as a wheel names them."""
    return {
        f"{package}{file.removeprefix(place)}": (folder / file).read_bytes()
        for package, place in PACKAGES.items()
        for file in files
        if file.startswith(f"{place}/")
    }


@pytest.fixture(name="tree", scope="module")
def _tree(without: Callable[[str], NoReturn]) -> list[str]:
    """The files that version control knows or would take."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        without(f"this is no git repository: {done.stderr}")
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_the_wheel_is_the_tree(shipped: Any, tree: list[str]) -> None:
    """All files of the four packages are in the wheel as they are, and nothing else is."""
    assert held(shipped.wheel) == packaged(ROOT, tree)


def test_the_sources_are_the_tree(shipped: Any, tree: list[str]) -> None:
    """What the source distribution holds of the tree is as it is there, and of the packages it holds all."""
    files = [str(file.relative_to(shipped.unpacked)) for file in shipped.unpacked.rglob("*") if file.is_file()]
    made = {"PKG-INFO"}
    assert {*files} - made <= {*tree}
    assert [
        name for name in {*files} - made if (shipped.unpacked / name).read_bytes() != (ROOT / name).read_bytes()
    ] == []
    assert packaged(shipped.unpacked, files) == packaged(ROOT, tree)


def test_a_wheel_of_the_sources_is_the_same(shipped: Any, build: Callable[..., Path], tmp_path: Path) -> None:
    """Who builds from the source distribution gets the same files; other sources are noticed (negative control)."""
    again = held(build("wheel", shipped.unpacked, tmp_path / "again"))
    assert again == held(shipped.wheel)
    changed = tmp_path / "changed"
    shutil.copytree(shipped.unpacked, changed)
    (changed / "src" / "undertow" / "clock.py").unlink()
    (changed / "src" / "undertow" / "stray.py").write_text("")
    other = held(build("wheel", changed, tmp_path / "other"))
    assert other.keys() ^ again.keys() == {"undertow/clock.py", "undertow/stray.py"}
