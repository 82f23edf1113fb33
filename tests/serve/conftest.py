"""Lives of a monitor on one folder: started, killed, started again; and who is told."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.served import Inbox, Served, inbox

SCRIPT = str(Path(__file__).parents[1] / "faults" / "killed_monitor.py")
KILLED = -9


class Life(Served):
    """One life of a monitor, to be killed where its plan says, and what is asked of it."""

    def __init__(self, folder: Path, **plan: Any) -> None:
        super().__init__(
            folder,
            "--config",
            "undertow.toml",
            program=(SCRIPT, json.dumps(plan)),
            UNDERTOW_API__PORT="0",
        )
        try:
            self.client = httpx.Client(base_url=self.ready(), timeout=10.0, trust_env=False)
        except BaseException:
            self.kill()
            raise

    def get(self, path: str) -> Any:
        """One GET."""
        return self.client.get(path).raise_for_status().json()

    def post(self, path: str, content: Any = b"") -> Any:
        """One POST; None where the process ended instead of answering."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        try:
            return self.client.post(path, content=body).raise_for_status().json()
        except httpx.TransportError:
            return None

    def killed(self) -> None:
        """Until the plan has come to its end."""
        assert self.ended() == KILLED, self.log.read_text()
        self.client.close()

    def end(self) -> None:
        """Kill it, if it lives."""
        self.kill()
        self.client.close()


class Lives:
    """Lives one after the other on one folder and one clock, which runs `speed` times as fast as the wall's."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._since, self._speed = folder, time.time(), 1.0
        self.last: Life | None = None

    def __call__(self, speed: float = 1.0, **plan: Any) -> Life:
        """The next life; one that is left from before ends."""
        self.end()
        self._speed = speed
        self.last = Life(self._folder, since=self._since, speed=speed, **plan)
        return self.last

    def clock(self, wall: float) -> float:
        """What the last monitor's clock shows at a time, both in Unix seconds."""
        return self._since + (wall - self._since) * self._speed

    def end(self) -> None:
        """The end of the last one."""
        if self.last:
            self.last.end()


@pytest.fixture(name="live")
def _live(tmp_path: Path) -> Iterator[Lives]:
    lives = Lives(tmp_path)
    yield lives
    lives.end()


@pytest.fixture(name="inbox")
def _inbox() -> Iterator[Inbox]:
    with inbox() as receiver:
        yield receiver


@pytest.fixture(name="configure")
def _configure(tmp_path: Path) -> Callable[..., None]:
    """Writes undertow.toml: a baseline after 1000 spans, nothing is grouped, unless told; and `more`."""

    def configure(more: str, group_window_h: float = 0.0, lateness_s: float = 10.0) -> None:
        (tmp_path / "undertow.toml").write_text(
            f"{QUICK.format(group_window_h=group_window_h, lateness_s=lateness_s)}\n{more}"
        )

    return configure


QUICK = """\
[detect]
lateness_s = {lateness_s:g}
group_window_h = {group_window_h}
[detect.baseline]
min_spans = 1000
min_hours = 0
"""
