"""Quiet siblings watched together: when a pool is formed, and what it is fed.

A target is quiet when its answers come at under half the rate that completes a baseline in `min_hours`. Quiet targets
of one (provider, model) that lack a baseline form a pool at the first span at which their answers together are enough
for one; its members stay who they are. It depends on the order of the spans alone, and louder targets are left out of
it, so that a fleet without quiet ones is judged as if there were no pools.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from undertow.span import Target
from undertow.watch import baseline as baselines
from undertow.watch.baseline import Baseline
from undertow.watch.frame import RELEASES, BoolArray, FloatArray, Frame, IntArray, Names
from undertow.watch.pool import Pool, order, place
from undertow.watch.target import TargetWatch

LOUD_SHARE = 0.5
"""A target with more than this share of the answers that it needs by `min_hours` will soon do without siblings."""
LEAST_HOURS = 24.0
"""A rate that was observed for less than a day may be that of a quiet night."""
CELLS = 1_000_000
"""So many answers of siblings at times are counted at once."""

Watches = Mapping[Target, TargetWatch]


def due(watches: Watches, frames: Mapping[Target, Frame]) -> float | None:
    """When the first of the coming spans makes siblings among `watches`, which are in no pool, one; None: not yet."""
    alike: dict[tuple[str, str], dict[Target, Frame]] = {}
    for target, frame in frames.items():
        alike.setdefault(_kind(target), {})[target] = frame
    groups = ((group, alike.get(_kind(next(iter(group))), {})) for group in _groups(watches, frames))
    found = (_due(group, coming) for group, coming in groups if coming)
    return min((at for at in found if at is not None), default=None)


def formed(watches: Watches, at: float) -> Iterator[Pool]:
    """The pools that can be formed of `watches`, which are in no pool, once everything until `at` was fed."""
    for group in _groups(watches, {}):
        quiet, enough = _quiet(group, {}, np.array([at]))
        if enough[0]:
            yield Pool.of(target for target, is_quiet in zip(group, quiet[:, 0], strict=True) if is_quiet)


def baseline(pool: Pool, watches: Watches, at: float) -> Baseline:
    """One baseline of all that the members collected until `at`; its rate is the sum of theirs."""
    parts = {member: watches[member].collector.freeze() for member in pool.members}
    spans, rate = sum(p.spans for p in parts.values()), sum(p.spans / (at - p.start) for p in parts.values())
    frame = baselines.thin(merged({member: part.frame for member, part in parts.items()}))
    return Baseline(frame, spans, sum(p.ok_spans for p in parts.values()), at - spans / rate, at)


def frames(pools: Iterable[Pool], of: Mapping[Target, Frame]) -> Iterator[tuple[Pool, Frame]]:
    """What each pool is fed of the spans of its members."""
    for pool in pools:
        some = {member: of[member] for member in pool.members if member in of}
        if some:
            yield pool, merged(some)


def gathered(target: Target, lookup: Callable[[Target], Frame | None]) -> Frame | None:
    """The spans of a target, or those of the members of a pool."""
    if not isinstance(target, Pool):
        return lookup(target)
    some = {member: frame for member in target.members if (frame := lookup(member)) is not None}
    return merged(some) if some else None


def merged(of: Mapping[Target, Frame]) -> Frame:
    """Spans of siblings in order of (ended_at, span_id); routes and declared names belong to a member."""
    return Frame.merged([_owned(of[member], place(member)) for member in sorted(of, key=order)])


def _owned(frame: Frame, owner: str) -> Frame:
    def own(column: Names) -> Names:
        return Names(column.codes, tuple(f"{value}\x1f{owner}" for value in column.values))

    return replace(
        frame,
        group=own(frame.group),
        snapshot=own(frame.snapshot),
        fingerprint=own(frame.fingerprint),
        prompt_version=own(frame.prompt_version),
        more={**frame.more, **{name: own(frame.names(name)) for name in RELEASES if name in frame.more}},
    )


def _groups(watches: Watches, coming: Mapping[Target, Frame]) -> Iterator[Watches]:
    """Siblings that collect their baselines and have spans, two at least."""
    groups: dict[tuple[str, str], dict[Target, TargetWatch]] = {}
    for target, watch in watches.items():
        if watch.baseline is None and (watch.collector.spans or target in coming):
            groups.setdefault(_kind(target), {})[target] = watch
    return (group for group in groups.values() if len(group) > 1)


def _kind(target: Target) -> tuple[str, str]:
    return target.provider, target.model


def _due(group: Watches, frames: Mapping[Target, Frame]) -> float | None:
    """The first time of `frames`, which are of siblings, at which `group` can form a pool."""
    least = next(iter(group.values())).config.baseline.min_spans
    coming = (int(np.sum(frame.ok)) for target, frame in frames.items() if target in group)
    if sum(watch.collector.ok_spans for watch in group.values()) + sum(coming) < least:
        return None
    times = np.unique(np.concatenate([frame.at for frame in frames.values()]))
    width = max(1, CELLS // len(group))
    for at in (times[begin : begin + width] for begin in range(0, len(times), width)):
        _, enough = _quiet(group, frames, at)
        if enough.any():
            return float(at[np.argmax(enough)])
    return None


def _quiet(group: Watches, coming: Mapping[Target, Frame], at: FloatArray) -> tuple[BoolArray, BoolArray]:
    """(k, n) whether each of k siblings is quiet at each time, and (n,) whether those that are can form a pool."""
    config = next(iter(group.values())).config.baseline
    starts = np.array([_start(watch, coming.get(target)) for target, watch in group.items()])
    answers = np.array([_answers(watch, coming.get(target), at) for target, watch in group.items()])
    hours, least = (at - starts[:, None]) / 3600, max(config.min_hours, LEAST_HOURS)
    quiet = (hours >= least) & (answers * least <= LOUD_SHARE * config.min_spans * hours)
    quiet &= answers < config.min_spans
    return quiet, (quiet.sum(axis=0) > 1) & ((answers * quiet).sum(axis=0) >= config.min_spans)


def _start(watch: TargetWatch, coming: Frame | None) -> float:
    return float(coming.at[0]) if coming is not None and np.isnan(watch.collector.start) else watch.collector.start


def _answers(watch: TargetWatch, coming: Frame | None, at: FloatArray) -> IntArray:
    """(n,) successful spans that are collected by each time."""
    more = np.append(0, np.cumsum(coming.ok))[np.searchsorted(coming.at, at, side="right")] if coming else 0
    return np.full(len(at), watch.collector.ok_spans) + more
