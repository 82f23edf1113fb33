"""What would be shipped: the wheel and the source distribution, built once, without the network."""

import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from bench.environments import ROOT


class Shipped(NamedTuple):
    """The files that a release has, and the sources that the second of them holds."""

    wheel: Path
    sdist: Path
    unpacked: Path


FILTERED: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # not before Python 3.11.4


@pytest.fixture(name="build", scope="session")
def _build() -> Callable[..., Path]:
    """Builds `wheel` or `sdist` of a folder into another; gives the file."""

    def build(kind: str, folder: Path, into: Path) -> Path:
        command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(into)]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        [file] = into.glob("*.whl" if kind == "wheel" else "*.tar.gz")
        return file

    return build


@pytest.fixture(name="shipped", scope="session")
def _shipped(build: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Shipped:
    folder = tmp_path_factory.mktemp("shipped")
    wheel, sdist = build("wheel", ROOT, folder), build("sdist", ROOT, folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, **FILTERED)  # noqa: S202  ours
    return Shipped(wheel, sdist, folder / sdist.name.removesuffix(".tar.gz"))
