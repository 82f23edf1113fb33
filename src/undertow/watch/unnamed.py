"""Failures that name no provider or no model: with which target of their gateway they are judged.

Some gateways and instrumentations leave the provider or the model out where a call failed, and nowhere else. Such a
failure is judged with the one target of its gateway that it can belong to. Where it can belong to several, it counts
for the gateway as a whole: its target `unknown`, deployment `*`, has these failures and the answers of all its targets.

All of it depends on times alone: a target can be meant from its KNOWN_ANSWERS-th answer on. So the same failures are
judged with the same targets live, in a replay, after a restart, and when they are looked up later.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from undertow.config import DetectConfig
from undertow.outcome import UNKNOWN
from undertow.span import Target
from undertow.watch import pooling
from undertow.watch.baseline import DAY_S, MAX_ROWS, Baseline
from undertow.watch.frame import SEPARATOR, UNNAMED, BoolArray, Column, FloatArray, Frame, IntArray, Names
from undertow.watch.pool import Pool, is_gateway, members, of_gateway, order
from undertow.watch.target import TargetWatch

KNOWN_ANSWERS = 10
"""A name under which fewer calls were answered may be a mistake, and no failure is taken for its."""

KEY = '["unnamed"]'
"""The key of what is kept of it, among the states of the detectors."""

_ONE, _SEVERAL = 1, 2
_NO_FAILURES = ("ok", "cancelled")
_CALLS = f"calls{SEPARATOR}"

Read = Callable[[Target], Frame | None]
"""A target to its spans as they are stored, of some time."""


def is_unnamed(target: Target) -> bool:
    """Return whether a name of a target is not known."""
    return UNKNOWN in (target.provider, target.model)


class Unnamed:
    """Since when targets answer, which ones had failures without a name, and since when gateways are watched.

    What a lookup reads is replaced and never changed in place, for it may come from another thread.
    """

    def __init__(self) -> None:
        self._answers: dict[Target, int] = {}
        self._since: dict[Target, float] = {}
        self.failing: list[Target] = []
        self._gateways: dict[Target, float] = {}
        self._changed = False

    def assign(self, frames: Mapping[Target, Frame]) -> dict[Target, Frame]:
        """Return the spans of a batch by what they are judged with: targets, and gateways that are watched."""
        self._learn(frames)
        parts = {target: [frame] for target, frame in frames.items()}
        for target in [target for target in frames if is_unnamed(target) and _failed(frames[target]).any()]:
            if target not in self.failing:
                self.failing = [*self.failing, target]
                self._changed = True
            for into, moved in self._moved(target, frames[target]).items():
                parts.setdefault(into, []).append(moved)
            parts[target][0] = self._left(target, frames[target])
        for gateway in set(filter(is_gateway, parts)) - self._gateways.keys():
            self._gateways[gateway] = min(float(moved.at[0]) for moved in parts[gateway])
            self._changed = True
        for gateway, since in self._gateways.items():
            answers = (_calls(frames[t], frames[t].ok & (frames[t].at >= since)) for t in _of(gateway, frames))
            parts.setdefault(gateway, []).extend(answers)
        merged = {target: _merged(some) for target, some in parts.items()}
        return {target: frame for target, frame in merged.items() if frame is not None}

    def lookup(self, target: Target, read: Read) -> Frame | None:
        """Return the spans that were judged with a target, of those that are stored."""
        if isinstance(target, Pool):
            return pooling.gathered(target, lambda member: self.lookup(member, read))
        parts = [] if is_gateway(target) else [read(target)]
        if parts and target in self.failing and parts[0] is not None:
            parts = [self._left(target, parts[0])]
        if is_gateway(target):
            stored = (read(member) for member in _of(target, self._answers))
            parts += [_calls(frame, frame.ok) for frame in stored if frame is not None]
        for failing in _of(target, self.failing):
            if (is_gateway(target) or _fits(failing, target)) and (frame := read(failing)) is not None:
                parts.append(self._moved(failing, frame).get(target))
        return _merged([part for part in parts if part is not None])

    def is_joint(self, target: Target) -> bool:
        """Return whether what is judged with a target is not just what is stored of it."""
        parts = members(target)
        return any(is_gateway(t) or t in self.failing or _of(t, self.failing) for t in parts)

    def forget(self, target: Target) -> None:
        """Take failures for this target's no more, which has not been heard for long."""
        self._answers = {one: n for one, n in self._answers.items() if one != target}
        self._since = {one: since for one, since in self._since.items() if one != target}
        self.failing = [one for one in self.failing if one != target]
        self._changed = True

    def told(self, target: Target) -> dict[str, str]:
        """Return what is told of a target without a name whose failures are judged with others."""
        counts, one = self._whose(target, np.array([np.inf])) if target in self.failing else (np.zeros(1), target)
        if not counts[0] or one == target:
            return {}
        others = "the one target that they can be of" if counts[0] == _ONE else "all of their gateway"
        return {"text": f"its failures do not say whose they are, and are judged with {others}"}

    def unsaved(self) -> Iterator[tuple[str, bytes | None]]:
        """What changed since the last call, by key."""
        if self._changed:
            self._changed = False
            yield KEY, self._dump()

    def restore(self, saved: bytes | None) -> None:
        """Go on from what was saved."""
        if saved is None:
            return
        answers, failing, gateways = json.loads(saved)
        self._answers = {Target(*fields): n for fields, n, _ in answers}
        self._since = {Target(*fields): since for fields, _, since in answers if since is not None}
        self.failing = [Target(*fields) for fields in failing]
        self._gateways = {Target(*fields): since for fields, since in gateways}

    def _dump(self) -> bytes:
        answers = [[_fields(target), n, self._since.get(target)] for target, n in self._answers.items()]
        gateways = [[_fields(target), since] for target, since in self._gateways.items()]
        return json.dumps([answers, [_fields(target) for target in self.failing], gateways]).encode()

    def _learn(self, frames: Mapping[Target, Frame]) -> None:
        """Count the answers of each target until it is known."""
        answers, since = dict[Target, int](), dict[Target, float]()
        for target, frame in frames.items():
            answered = np.flatnonzero(frame.ok) if target not in self._since else ()
            if len(answered) == 0:
                continue
            before = self._answers.get(target, 0)
            if before + len(answered) >= KNOWN_ANSWERS:
                since[target] = float(frame.at[answered[KNOWN_ANSWERS - before - 1]])
            answers[target] = min(KNOWN_ANSWERS, before + len(answered))
        if answers:
            self._answers, self._since = self._answers | answers, self._since | since
            self._changed = True

    def _whose(self, failing: Target, at: FloatArray) -> tuple[IntArray, Target]:
        """(n,) how many targets failures without a name can belong to at these times, and which is the first."""
        fitting = sorted((since, order(t), t) for t, since in self._since.items() if _fits(failing, t))
        counts = np.searchsorted([since for since, *_ in fitting[:_SEVERAL]], at, side="right").astype(np.int64)
        return counts, fitting[0][-1] if fitting else failing

    def _moved(self, failing: Target, frame: Frame) -> dict[Target, Frame]:
        """The failures among the spans of a target without a name that are judged with others, by these."""
        counts, one = self._whose(failing, frame.at)
        failed = _failed(frame)
        rows = {one: failed & (counts == _ONE), of_gateway(failing): failed & (counts == _SEVERAL)}
        return {t: _marked(frame[of]) for t, of in rows.items() if of.any() and t != failing}

    def _left(self, failing: Target, frame: Frame) -> Frame:
        """What of the spans of a target without a name is judged with itself."""
        counts, one = self._whose(failing, frame.at)
        return frame[~_failed(frame) | (counts == 0) | ((counts == _ONE) & (one == failing))]


def begin(gateway: Target, watches: Mapping[Target, TargetWatch], at: float, config: DetectConfig) -> TargetWatch:
    """Watch a gateway from `at` on, when a failure of it could belong to several of its targets for the first time.

    It is compared with what its targets were compared with until then, or had collected.
    """
    watch = TargetWatch(gateway, config)
    parts = [part for target in _of(gateway, watches) if (part := _part(watches[target], at)) is not None]
    frame = _merged([part.frame for part in parts])
    if frame is None:
        return watch
    spans, rate = sum(part.spans for part in parts), sum(part.spans / part.days for part in parts)
    made = Baseline(
        frame[:: -(-len(frame) // MAX_ROWS)],
        spans,
        sum(part.ok_spans for part in parts),
        at - spans / rate * DAY_S,
        at,
    )
    if made.ok_spans >= config.baseline.min_spans and made.days * 24 >= config.baseline.min_hours:
        watch.spans = spans
        watch.begin(made)
    else:
        watch.spans = watch.collector.feed(frame)
    return watch


def _part(watch: TargetWatch, at: float) -> Baseline | None:
    """The answers of a target that it is compared with, and the failures without a name that were taken for its."""
    known = watch.baseline or (watch.collector.freeze() if watch.collector.spans else None)
    if known is None:
        return None
    frame = _calls(known.frame, known.frame.ok | (known.frame.numbers(UNNAMED) == 1))
    end = known.end if watch.baseline else at
    return replace(known, frame=frame, spans=max(1, round(len(frame) * known.thinning)), end=end)


def _of(gateway: Target, targets: Iterator[Target] | Mapping[Target, object] | Sequence[Target]) -> list[Target]:
    """The targets of one gateway, in a fixed order."""
    return sorted((t for t in targets if t.gateway == gateway.gateway and not is_gateway(t)), key=order)


def _fits(failing: Target, target: Target) -> bool:
    """Whether a failure that names no more than `failing` can be one of `target`."""
    return (
        failing.gateway == target.gateway
        and failing.provider in (UNKNOWN, target.provider)
        and failing.model in (UNKNOWN, target.model)
        and failing.deployment in (None, target.deployment)
    )


def _failed(frame: Frame) -> BoolArray:
    outcome = frame.names("outcome")
    failed: BoolArray = outcome.recode(dict.fromkeys(_NO_FAILURES, 0)) < 0
    return failed & ~frame.ok


def _marked(frame: Frame) -> Frame:
    return replace(frame, more={**frame.more, UNNAMED: np.ones(len(frame))})


def _calls(frame: Frame, rows: BoolArray) -> Frame:
    """How some calls ended, and nothing else of them; their routes are one."""
    some = frame[rows]
    n, unknown = len(some), np.full(len(some), np.nan)
    more: dict[str, Column] = {"outcome": some.names("outcome"), UNNAMED: some.numbers(UNNAMED)}
    return Frame(
        some.span_id, some.at, some.ok, np.zeros(n, np.bool_), unknown, unknown, unknown, unknown, unknown,
        Names(np.zeros(n, np.int64), (_CALLS,)), Names.unknown(n), Names.unknown(n), Names.unknown(n), more,
    )  # fmt: skip


def _merged(parts: Sequence[Frame]) -> Frame | None:
    """Spans in order of (ended_at, span_id); None where there are none."""
    some = [part for part in parts if len(part)]
    if len(some) < 2:
        return some[0] if some else None
    return Frame.merged(some)


def _fields(target: Target) -> list[str | None]:
    return [target.gateway, target.provider, target.model, target.deployment]
