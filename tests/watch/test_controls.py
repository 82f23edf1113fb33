"""Other providers as controls: what they share is the users', what they do not is one's own."""

import numpy as np
import pytest

from undertow.span import Target
from undertow.watch.controls import compare
from undertow.watch.events import Event
from undertow.watch.stream import Shift

HERE = Target("g", "openai", "gpt-4o", None)
SIBLING = Target("g", "openai", "gpt-4o-mini", None)
CLAUDE = Target("g", "anthropic", "claude", None)
LLAMA = Target("g", "groq", "llama", None)
DRIFT = Event("drift", 100.0, 50.0, 1, "output_tokens", "down", 6.0)


class Answers:
    """Stands for a target whose only stream moved by a given shift."""

    def __init__(self, size: float | None, error: float = 0.01) -> None:
        self._shift = None if size is None else Shift(size, error)

    def stream(self, _: str) -> "Answers":
        """The only stream."""
        return self

    def shift(self, *_: object) -> Shift | None:
        """What `Stream.shift` measured."""
        return self._shift


@pytest.mark.parametrize(
    ("others", "verdict"),
    [
        ({}, "no_controls"),
        ({SIBLING: Answers(0.1)}, "no_controls"),
        ({CLAUDE: Answers(None)}, "no_controls"),
        ({CLAUDE: Answers(0.1)}, "shared"),
        ({CLAUDE: Answers(0.04)}, "shared"),
        ({CLAUDE: Answers(0.02)}, "undecided"),
        ({CLAUDE: Answers(0.0)}, "own"),
        ({CLAUDE: Answers(-0.1)}, "own"),
        ({CLAUDE: Answers(0.0, error=0.05)}, "undecided"),
        ({CLAUDE: Answers(0.1, error=0.06)}, "undecided"),
        ({CLAUDE: Answers(0.1), LLAMA: Answers(0.0)}, "shared"),
        ({CLAUDE: Answers(0.0), LLAMA: Answers(0.0)}, "own"),
        ({CLAUDE: Answers(0.0), LLAMA: Answers(0.02)}, "undecided"),
    ],
)
def test_half_of_the_controls_decide(others: dict, verdict: str) -> None:
    """A control counts when it moved the same way by a third of the change or more, and surely; siblings do not."""
    fleet = {HERE: Answers(0.1), **others}
    assert compare(HERE, DRIFT, fleet, lambda *_: np.zeros(1)).verdict == verdict
