"""What the monitor found, in sentences: what changed, since when, how surely, whose doing, what to do."""

from collections.abc import Callable, Sequence

from undertow_dashboards import words
from undertow_dashboards.clock import UNIVERSAL, Clock
from undertow_dashboards.shapes import (
    Distribution,
    Effect,
    Feed,
    Incident,
    Moved,
    Side,
    SignalState,
    TargetState,
    Unheard,
)

ORDER = {state: rank for rank, state in enumerate(words.STATES)}
QUANTILES = ("p05", "p25", "p50", "p75", "p95")


def fleet(targets: Sequence[TargetState]) -> str:
    """The whole fleet in one line."""
    if not targets:
        return "No targets yet"
    changed = sum(state.state == "alert" for state in targets)
    if changed:
        return f"{changed} of {words.counted(len(targets), 'target')} changed"
    if all(state.state == "ok" for state in targets):
        return "Everything is as usual" if len(targets) > 1 else "The target is as usual"
    judged = sum(state.state == "ok" for state in targets)
    if not judged:
        learning = all(state.state != "stale" for state in targets)
        return f"Nothing can be judged {'yet' if learning else 'now'}"
    return f"No change found; {judged} of {words.counted(len(targets), 'target')} can be judged"


def judged_from(targets: Sequence[TargetState], now: float, clock: Clock = UNIVERSAL) -> str:
    """What comes next while nothing can be judged yet, and when; empty once something can, or cannot any more."""
    if any(state.state in ("ok", "alert", "stale") for state in targets):
        return ""
    told = "What is usual is learned first; until then no change is noticed, and nobody is told of one."
    ready = min((state.ready_at for state in targets if state.ready_at is not None), default=None)
    when = (
        f"from about {clock.time(ready, now)}" if ready is not None else "at a time that few requests do not tell yet"
    )
    return f"{told} The first target can be judged {when}."


def others(targets: Sequence[TargetState]) -> str:
    """How many targets are in each state, in the order of concern."""
    counts: dict[str, int] = {}
    for state in sorted(targets, key=lambda s: ORDER.get(s.state, 99)):
        word = words.STATES.get(state.state, words.UNKNOWN).word
        counts[word] = counts.get(word, 0) + 1
    return ", ".join(f"{count} {word}" for word, count in counts.items())


def what_changed(moved: Moved) -> str:
    """One moved signal: `answer length down 12 % (10 to 14 %)`."""
    subject = words.signal(moved.signal)
    if moved.effect is None or moved.effect.value is None:
        return f"{subject} {words.readable(moved.direction)}" if moved.direction else f"{subject} changed"
    return f"{subject} {size(moved.effect)}"


def strata(moved: Moved) -> list[dict[str, object]]:
    """Where a signal moved, as rows of plain cells."""
    return [
        {
            "route": words.clean(one.route),
            "change": size(Effect(one.name, one.value, one.ci95)),
            "prompt tokens": words.clean(one.input_size.replace(" input tokens", "").replace(" input size", "")),
            "answers before": one.n_before,
            "after": one.n_after,
        }
        for one in moved.strata
        if one.value is not None
    ]


def cost(incident: Incident) -> str:
    """What the change costs a day; empty where that is unknown, or too little to tell from nothing."""
    found = incident.cost
    if found is None:
        return ""
    sums = [
        _more(found.tokens_per_day, found.tokens_ci95, words.number, " output tokens"),
        _more(found.usd_per_day, found.usd_ci95, lambda usd: f"${usd:,.2f}"),
    ]
    told = " and ".join(filter(None, sums))
    return f"About {told} a day. {words.sentence(found.note)}".strip() if told else ""


def _more(value: float | None, ends: tuple[float, float] | None, told: Callable[[float], str], unit: str = "") -> str:
    if value is None or ends is None or ends[0] <= 0 <= ends[1]:
        return ""
    low, high = sorted(map(abs, ends))
    return f"{told(abs(value))}{unit} {'more' if value > 0 else 'less'} ({told(low)} to {told(high)})"


def size(effect: Effect) -> str:
    """An effect in words: `down 12 % (10 to 14 %)`."""
    value = effect.value or 0.0
    low, high = effect.ci95 or (None, None)
    if effect.name == "ratio":
        return _ratio(value, low, high)
    if effect.name in ("rate_difference", "difference"):
        interval = f" ({low * 100:+.1f} to {high * 100:+.1f})" if low is not None and high is not None else ""
        return f"{'up' if value >= 0 else 'down'} {abs(value) * 100:.1f} percentage points{interval}"
    interval = f" ({words.number(low)} to {words.number(high)})" if low is not None and high is not None else ""
    return f"{words.readable(effect.name)} {words.number(value)}{interval}"


def _ratio(value: float, low: float | None, high: float | None) -> str:
    if value >= 3:
        interval = f" ({low:.1f} to {high:.1f})" if low is not None and high is not None else ""
        return f"up {value:.1f}-fold{interval}"
    interval = ""
    if low is not None and high is not None:
        shares = sorted(((low - 1) * (1 if value >= 1 else -1), (high - 1) * (1 if value >= 1 else -1)))
        interval = f" ({shares[0] * 100:.0f} to {shares[1] * 100:.0f} %)"
    return f"{'up' if value >= 1 else 'down'} {abs(value - 1) * 100:.0f} %{interval}"


def how_surely(incident: Incident) -> str:
    """The strength of the evidence; the number is the decimal logarithm of the detector's statistic."""
    known = [moved.log10_evidence for moved in incident.signals if moved.log10_evidence is not None]
    if not known:
        return "strength of the evidence unknown"
    strongest = max(known)
    word = "overwhelming" if strongest >= 8 else "very strong" if strongest >= 5 else "strong"
    return f"{word} evidence (10^{strongest:.1f})"


def since_when(incident: Incident, now: float, clock: Clock = UNIVERSAL) -> str:
    """The time of the change with its interval, or of its detection where the change is not dated."""
    if incident.change_point is None:
        return f"(found {words.ago(incident.opened_at, now)})"
    text = f"since {clock.time(incident.change_point, now)}"
    if incident.change_point_interval:
        early, late = incident.change_point_interval
        half = max(incident.change_point - early, late - incident.change_point, 60.0)
        text += f" (give or take {words.duration(half)})"
    return f"{text}, {words.ago(incident.change_point, now)}"


def whose_doing(incident: Incident) -> str:
    """The cause in words."""
    return words.CAUSES.get(incident.cause, words.readable(incident.cause))


def recommended(incident: Incident) -> str:
    """What the monitor advises, as an instruction."""
    advice = incident.recommendation
    if advice is None or advice.action in ("none", "nothing"):
        return "no action needed"
    if advice.action == "down_weight" and advice.multiplier is not None:
        return f"give it {advice.multiplier * 100:.0f} % of its usual share of traffic"
    return words.readable(advice.action)


def headline(incident: Incident, now: float, clock: Clock = UNIVERSAL) -> str:
    """What changed and since when; the target stands beside it."""
    moved = ", ".join(what_changed(m) for m in incident.signals[:3]) or "behaviour changed"
    more = f" and {len(incident.signals) - 3} more" if len(incident.signals) > 3 else ""
    return _capital(f"{moved}{more} {since_when(incident, now, clock)}.")


def why(incident: Incident) -> str:
    """What speaks for the cause."""
    return reasons(incident.why)


def reasons(found: Sequence[str]) -> str:
    """Reasons in words."""
    return "; ".join(words.REASONS.get(reason, words.readable(reason)) for reason in found)


def signal_state(state: SignalState, incidents: Sequence[Incident] = ()) -> str:
    """How one signal stands, with the numbers behind it; the evidence at the alarm stands in an open incident."""
    values = f"{state.baseline_values:,} baseline values" if state.baseline_values is not None else "no baseline values"
    if state.state == "insufficient":
        return f"Not enough data: {values}. This is not the same as no change."
    if state.state == "collecting":
        return f"Learning what is usual: {values} so far."
    if state.log10_evidence is None or state.log10_threshold is None:
        return f"{_capital(values)}."
    alarms = (m.log10_evidence for i in incidents if i.is_open for m in i.signals if m.signal == state.signal)
    if state.state == "alert" and (alarm := next((a for a in alarms if a is not None), None)) is not None:
        return f"Evidence at the alarm 10^{alarm:.1f}; the alarm is at 10^{state.log10_threshold:.1f}; {values}."
    return (
        f"Evidence of change 10^{state.log10_evidence:.1f}; the alarm is at 10^{state.log10_threshold:.1f}; {values}."
    )


def weight(state: TargetState, feed: Feed | None, now: float, clock: Clock = UNIVERSAL) -> str:
    """What a target's own weight is multiplied with, who said so and until when, and whether gateways follow it."""
    told = f"weight × {state.multiplier:g}"
    entry = next((one for one in feed.weights if one.target == state.target), None) if feed else None
    if feed is None or entry is None:
        return told
    if entry.reason == "override":
        told += " set by a person"
        told += f" until {clock.time(entry.expires_at, now)}" if entry.expires_at is not None else ""
    return f"{told}, advice that no gateway follows" if feed.mode == "advisory" else told


def unheard(found: Unheard, now: float, clock: Clock = UNIVERSAL) -> str:
    """What is silent and since when, as Markdown; empty for one target, which says so itself."""
    since = f" since {clock.time(found.since, now)}" if found.since is not None else ""
    whose = {
        "source_unreachable": f"Kafka cannot be reached{since}",
        "topic_silent": f"Topic {words.name(found.subject)} has brought nothing{since}",
        "all_targets_silent": f"Nothing was heard of any target{since}",
    }
    told = whose.get(found.why)
    return f"{told}. What changed after that is not seen here." if told else ""


def before_after(distribution: Distribution) -> str:
    """The comparison in one sentence, for those who cannot or would rather not read the chart."""
    before, after = distribution.before, distribution.after
    noun = words.counts_of(distribution.signal).removesuffix("s")
    if not before.n:
        return "No baseline yet, so there is nothing to compare with."
    if not after.n:
        return f"Baseline: {_side(before, distribution.unit, noun)}. No values since."
    return f"Before: {_side(before, distribution.unit, noun)}. After: {_side(after, distribution.unit, noun)}."


def _side(side: Side, unit: str, noun: str) -> str:
    counted = words.counted(side.n, noun)
    if side.rate is not None:
        return f"{words.percent(side.rate)} of {counted}"
    if side.shares is not None:
        named = sorted(side.shares.items(), key=lambda one: -one[1])[:3]
        told = ", ".join(f"{words.clean(name, 40)} {words.percent(n / side.n)}" for name, n in named)
        return f"{told} of {counted}"
    quantiles = side.quantiles or {}
    middle, low, high = (words.number(quantiles.get(p)) for p in ("p50", "p25", "p75"))
    return f"median {middle} {words.clean(unit)}, half between {low} and {high} ({counted})"


def judgement(incident: Incident) -> str:
    """How surely, whose doing and what to do, in one sentence."""
    return _capital(f"{how_surely(incident)}; {whose_doing(incident)}; recommended: {recommended(incident)}.")


def together(incident: Incident) -> str:
    """Which quiet targets were watched as one, where the incident is theirs; else empty."""
    if not incident.pooled:
        return ""
    places = [words.clean("/".join(filter(None, (t.gateway, t.deployment))), 60) for t in incident.pooled[:5]]
    more = f" and {len(incident.pooled) - 5} more" if len(incident.pooled) > 5 else ""
    return f"Seen in {len(incident.pooled)} quiet targets taken together: {', '.join(places)}{more}."


def quiet(incident: Incident) -> str:
    """Why nobody is told of an incident now, as Markdown; empty where people are."""
    kind, _, name = (incident.quiet or "").partition(" ")
    return {
        "": "",
        "silence": f"Nobody is told of it while the silence {words.name(name)} lasts; the Weights page can end it.",
        "maintenance": f"Nobody is told of it while the maintenance window {words.name(name)} lasts.",
    }.get(kind, "Nobody is told of it now.")


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
