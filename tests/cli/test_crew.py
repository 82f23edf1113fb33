import logging
import threading
from collections.abc import Callable

import pytest

from undertow.crew import Crew, Health
from undertow.errors import TryAgain


def _until_stopped(stop: threading.Event) -> None:
    stop.wait()


def _failing(error: BaseException) -> Callable[[threading.Event], None]:
    def work(_: threading.Event) -> None:
        raise error

    return work


def test_a_crew_that_is_stopped_ends_without_failure() -> None:
    """Threads that end because they were asked to are no failure."""
    crew = Crew()
    crew.start("source", _until_stopped)
    assert crew.health("source") == Health(True, "running")
    assert crew.join(10.0) == []
    assert crew.failure is None


@pytest.mark.parametrize("error", [ValueError("no"), TryAgain("the disk is full"), SystemExit(0), MemoryError()])
def test_a_thread_that_dies_stops_the_whole_crew(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever kills one thread is said once, stops the others and is kept as the failure."""
    called = threading.Event()
    crew = Crew(on_failure=called.set)
    crew.start("outbox", _until_stopped)
    crew.start("source", _failing(error))
    assert called.wait(10.0)
    assert crew.stop.is_set()
    assert crew.join(10.0) == []
    assert crew.failure is error
    assert crew.health("source").state == "dead"
    assert len(caplog.records) == 1


def test_a_thread_that_ends_by_itself_is_a_failure() -> None:
    """A thread that just returns would leave the process running with nobody reading."""
    crew = Crew()
    crew.start("source", lambda stop: None)  # noqa: ARG005
    assert crew.stop.wait(10.0)
    assert crew.join(10.0) == []
    assert str(crew.failure) == "source ended by itself"


def test_repeated_work_outlives_its_failures(caplog: pytest.LogCaptureFixture) -> None:
    """A round that fails makes the part unhealthy until a round succeeds; the same failure is logged once."""
    caplog.set_level(logging.INFO)
    rounds = iter(["fail", "fail", "work", "wait"])
    seen: list[Health] = []
    done = threading.Event()
    crew = Crew()

    def work() -> None:
        seen.append(crew.health("detection"))
        step = next(rounds, "wait")
        if step == "fail":
            raise ValueError("a bad round")
        if step == "wait":
            done.set()

    crew.repeat("detection", 0.001, work)
    assert done.wait(10.0)
    assert crew.join(10.0) == []
    failing = Health(False, "failing", "ValueError: a bad round")
    assert seen[:4] == [Health(True, "running"), failing, failing, Health(True, "running")]
    assert [record.message for record in caplog.records] == ["detection failed and will be tried again"]
    assert crew.failure is None


def test_repeated_work_that_needs_a_new_process_ends_the_crew() -> None:
    """TryAgain, a database that died, is not retried here."""
    crew = Crew()

    def work() -> None:
        raise TryAgain("invalidated")

    crew.repeat("detection", 0.001, work)
    assert crew.stop.wait(10.0)
    assert crew.join(10.0) == []
    assert isinstance(crew.failure, TryAgain)


def test_threads_that_hang_are_named() -> None:
    """A thread that does not stop in time is told by its name."""
    crew, release = Crew(), threading.Event()
    crew.start("source", lambda stop: release.wait() and None)  # noqa: ARG005
    assert crew.join(0.05) == ["source"]
    release.set()
    assert crew.join(10.0) == []
