"""What happened beside a signal, as rules with a letter and a shape each, which a list in words explains."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Any, NamedTuple

import altair as alt

from undertow_dashboards import words
from undertow_dashboards.charts.axes import data
from undertow_dashboards.clock import Clock
from undertow_dashboards.shapes import Mark

NEAR = 0.01
ROWS, ROW_PX = 3, 15
MOST_TEXTS = 4


class Sign(NamedTuple):
    """How a kind of mark is drawn, written, and called."""

    shape: str
    glyph: str
    word: str


SIGNS = {
    "prompt_version": Sign("circle", "●", "own release"),
    "gateway_release": Sign("square", "■", "deploy"),
    "fingerprint": Sign("diamond", "◆", "fingerprint"),
    "snapshot": Sign("triangle-up", "▲", "snapshot"),
    "weight": Sign("triangle-down", "▼", "weight"),
    "incident": Sign("cross", "✚", "incident opened"),
    "accepted": Sign("triangle-right", "▶", "accepted"),
    "baseline": Sign("triangle-left", "◀", "baseline"),
    "silence": Sign("stroke", "▬", "silence"),
}


@dataclass(frozen=True, slots=True)
class Lettered:
    """Marks of one kind at about one time, under one letter; `row` keeps letters from covering each other."""

    letter: str
    kind: str
    at: float
    row: int = 0
    texts: Sequence[str] = field(default=())

    @property
    def sign(self) -> Sign:
        """How it is drawn."""
        return SIGNS.get(self.kind, Sign("circle", "●", words.readable(self.kind) or "mark"))

    def told(self, clock: Clock) -> str:
        """The mark in words, beginning with its letter and shape."""
        shown = "; ".join(words.spoken(text, 160) for text in self.texts[:MOST_TEXTS])
        more = f"; and {len(self.texts) - MOST_TEXTS} more" if len(self.texts) > MOST_TEXTS else ""
        return f"{self.letter} {self.sign.glyph} {clock.time(self.at)}, {self.sign.word}: {shown}{more}"


def lettered(marks: Sequence[Mark], span: tuple[float, float]) -> list[Lettered]:
    """The marks inside `span` in order of time with a letter each; of too many the newest."""
    groups = list(_grouped(marks, span))[-len(ascii_uppercase) :]
    found: list[Lettered] = []
    for letter, group in zip(ascii_uppercase, groups, strict=False):
        last = found[-1] if found else None
        close = last is not None and group[0].at - last.at < 3 * NEAR * (span[1] - span[0])
        row = (last.row + 1) % ROWS if last is not None and close else 0
        found.append(Lettered(letter, group[0].kind, group[0].at, row, [mark.text for mark in group]))
    return found


def _grouped(marks: Sequence[Mark], span: tuple[float, float]) -> Iterator[list[Mark]]:
    """Neighbours of one kind together."""
    group: list[Mark] = []
    for mark in sorted((m for m in marks if span[0] <= m.at <= span[1]), key=lambda m: m.at):
        if group and (mark.kind != group[0].kind or mark.at - group[0].at > NEAR * (span[1] - span[0])):
            yield group
            group = []
        group.append(mark)
    if group:
        yield group


def rules(marks: Sequence[Lettered], x: alt.X, ink: str, clock: Clock) -> list[alt.Chart]:
    """A thin rule at each mark; its letter and shape stand above the plot."""
    layers: list[alt.Chart] = []
    for row in sorted({mark.row for mark in marks}):
        rows = [_row(mark, clock) for mark in marks if mark.row == row]
        base = alt.Chart(data(rows)).encode(x, tooltip=[alt.Tooltip("told:N", title="mark")])
        y = alt.value(-9 - ROW_PX * row)
        layers += [
            base.mark_rule(color=ink, strokeDash=[2, 3], strokeWidth=1, opacity=0.8),
            base.mark_point(filled=True, color=ink, size=55, opacity=1, dx=0).encode(
                y=y, shape=alt.Shape("shape:N", scale=None, legend=None)
            ),
            base.mark_text(align="left", dx=7, color=ink, fontWeight="bold", fontSize=12).encode(y=y, text="letter:N"),
        ]
    return layers


def _row(mark: Lettered, clock: Clock) -> dict[str, Any]:
    return {"at": mark.at * 1000, "letter": mark.letter, "shape": mark.sign.shape, "told": mark.told(clock)}
