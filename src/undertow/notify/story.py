"""What a message says, in words that every channel uses: one sentence, a title, and the facts one by one.

The words stand in texts.toml. Names come from logs and are not trusted: they are made one short line of visible
characters here, and each channel escapes what has a meaning in its own markup.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any

import msgspec

NAME_LIMIT = 80
TEXT_LIMIT = 400
_SIGNALS = 3
_DATA = {"llm.data.stale": "stale", "llm.data.late": "late"}
"""Messages on the data themselves, and the word for their advice."""
_UNITS = {"ratio": (1, 100, " %"), "rate_difference": (0, 100, " points")}
"""By the name of an effect: its value without a change, and what it is told in."""

Texts = Mapping[str, Mapping[str, str]]
TEXTS: Texts = tomllib.loads(resources.files("undertow.notify").joinpath("texts.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Story:
    """One transition, told. Times are Unix seconds; `link` is empty where no dashboard is configured."""

    kind: str
    alert_id: str
    severity: str
    status: str
    title: str
    sentence: str
    facts: tuple[tuple[str, str], ...]
    target: Mapping[str, str]
    link: str
    told_at: float
    began_at: float
    ended_at: float | None
    cause: str
    lane: str

    @property
    def over(self) -> bool:
        """Whether what it tells of has ended."""
        return self.ended_at is not None


def tells(kind: str) -> bool:
    """Whether there are words for messages of this type."""
    return kind in TEXTS["title"]


def tell(body: str) -> Story:
    """The story of the body of a message (CONTRACTS 5), whatever is missing from it."""
    event = msgspec.json.decode(body)
    data: Mapping[str, Any] = event.get("data") or {}
    told_at = datetime.fromisoformat(event["timestamp"]).timestamp()
    ended_at = data.get("resolved_at") or (told_at if data.get("status") in TEXTS["ended"] else None)
    words = _words(event["type"], data, told_at)
    key = f"{event['type']}.over" if event["type"] in _DATA and ended_at is not None else event["type"]
    return Story(
        kind=event["type"],
        alert_id=clean(data.get("alert_id") or data.get("id") or event["type"]),
        severity=str(data.get("severity", "warning")),
        status=clean(data.get("status", "open")),
        title=_capital(TEXTS["title"][key].format_map(words)),
        sentence=_capital(TEXTS["sentence"][key].format_map(words)),
        facts=tuple(_facts(event["type"], words)),
        target={name: clean(value) for name, value in (data.get("target") or {}).items() if value is not None},
        link=str((data.get("links") or {}).get("dashboard", "")),
        told_at=told_at,
        began_at=float(data.get("opened_at") or told_at),
        ended_at=ended_at,
        cause=clean(data.get("cause", "")),
        lane=clean(data.get("lane", "")),
    )


def clean(text: object, limit: int = NAME_LIMIT) -> str:
    """`text` on one line without invisible or direction-changing characters, at most `limit` characters."""
    shown = "".join(ch if _visible(ch) else "\ufffd" for ch in re.sub(r"\s+", " ", str(text)).strip())
    return cut(shown, limit)


def cut(text: str, limit: int) -> str:
    """`text`, or as much of it as leaves room for an ellipsis.

    `limit` is in units of UTF-16, where an emoji has two: receivers do not say what they count, and none counts more.
    """
    units = text.encode("utf-16-le", "surrogatepass")
    return text if len(units) <= 2 * limit else units[: 2 * (limit - 1)].decode("utf-16-le", "ignore") + "…"


def _visible(ch: str) -> bool:
    return unicodedata.category(ch) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _words(kind: str, data: Mapping[str, Any], told_at: float) -> dict[str, str]:
    cause = str(data.get("cause", ""))
    return {
        "cause": TEXTS["cause"].get(cause) or clean(cause) or TEXTS["cause"]["unresolved"],
        "target": _target(data),
        "what": _what(data),
        "silent": _data(data, "silent"),
        "late": _data(data, "late"),
        "since": _since(data, told_at),
        "sure": _sure(data),
        "cost": _cost(data.get("cost")),
        "ruled_out": _ruled_out(cause, data.get("why") or ()),
        "advice": _advice(data, _DATA.get(kind)),
        "ended": TEXTS["ended"].get(str(data.get("status")), TEXTS["ended"]["resolved"]),
        "by": _by(data),
        "noted": _noted(data),
    }


def _data(data: Mapping[str, Any], word: str) -> str:
    return clean(data.get("text") or "", TEXT_LIMIT) or TEXTS[word]["unknown"].format(target=_target(data))


def _facts(kind: str, words: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    keys = ["since", "advice"] if kind in _DATA else ["what", "since", "sure", "cost", "cause", "ruled_out"]
    keys += ["by"] if kind == "llm.drift.resolved" else ["advice"] if "advice" not in keys else []
    return ((TEXTS["labels"][key], _capital(words[key])) for key in keys)


def _target(data: Mapping[str, Any]) -> str:
    target: Mapping[str, Any] = data.get("target") or {}
    model = "/".join(clean(target[key]) for key in ("provider", "model") if target.get(key))
    place = "/".join(clean(target[key]) for key in ("gateway", "deployment") if target.get(key))
    several = f"{len(data['pooled'])} quiet targets" if data.get("pooled") else ""
    total = data.get("targets_total")
    more = f"and {total - 1} more {'target' if total == 2 else 'targets'}" if isinstance(total, int) else ""
    told = ", ".join(filter(None, (place, several, more)))
    return f"{model or 'all targets'} ({told})" if told else model or "all targets"


def _what(data: Mapping[str, Any]) -> str:
    signals = data.get("signals") or []
    told = [_signal(one) for one in signals[:_SIGNALS]]
    more = [f"{len(signals) - _SIGNALS} more signals moved"] if len(signals) > _SIGNALS else []
    return ", ".join(told + more) or "something changed"


def _signal(signal: Mapping[str, Any]) -> str:
    name, _, value = str(signal.get("signal", "")).partition("=")
    subject = TEXTS["signal"].get(name, clean(name).replace("_", " ")) + (f" ({clean(value)})" if value else "")
    direction = TEXTS["direction"].get(str(signal.get("direction")), TEXTS["direction"]["changed"])
    return f"{subject} {direction}{_size(signal.get('effect') or {})}"


def _size(effect: Mapping[str, Any]) -> str:
    """The size of an effect: percent of a ratio, points of a rate, else a number; empty where it is unknown."""
    value, ends = effect.get("value"), effect.get("ci95") or ()
    if value is None or None in ends:
        return ""
    nothing, scale, unit = _UNITS.get(str(effect.get("name")), (0, 1, ""))
    moved, *around = [(end - nothing) * scale for end in (value, *ends)]
    told = f" {_number(abs(moved))}{unit}"
    if not around or min(around) < 0 < max(around):
        return told  # an interval on both sides of no change would mislead without signs
    low, high = sorted(map(abs, around))
    return f"{told} ({_number(low)} to {_number(high)}{unit})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _since(data: Mapping[str, Any], told_at: float) -> str:
    began = data.get("change_point")
    if began is None:
        began = data.get("opened_at", told_at)
    early, late = data.get("change_point_interval") or (None, None)
    if early is None or late is None:
        return f"{_clock(began)} UTC"
    first, last = _clock(early), _clock(late)
    return f"{_clock(began)} UTC ({first} to {last[11:] if first[:11] == last[:11] else last})"


def _clock(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return "an unknown time"


def _sure(data: Mapping[str, Any]) -> str:
    confirmation = data.get("confirmation")
    known = [one["log10_evidence"] for one in data.get("signals") or () if one.get("log10_evidence") is not None]
    if not known:
        return TEXTS["sure"]["unknown"]
    log10 = max(known)
    word = "overwhelming" if log10 >= 8 else "very_strong" if log10 >= 5 else "strong"
    return TEXTS["sure"][word].format(log10=f"{log10:.1f}") + TEXTS["confirmation"].get(str(confirmation), "")


def _cost(cost: Mapping[str, Any] | None) -> str:
    if not cost:
        return TEXTS["cost"]["unknown"]
    sums = (_sum("tokens", cost, ",.0f"), _sum("usd", cost, ",.2f"))
    told = " and ".join(filter(None, sums))
    return TEXTS["cost"]["known"].format(sums=told) if told else TEXTS["cost"]["none"]


def _sum(unit: str, cost: Mapping[str, Any], form: str) -> str:
    value, ends = cost.get(f"{unit}_per_day"), cost.get(f"{unit}_ci95")
    if value is None or not ends or None in ends or ends[0] <= 0 <= ends[1]:
        return ""
    low, high = sorted(map(abs, ends))
    more = TEXTS["cost"]["more" if value > 0 else "less"]
    numbers = {"value": abs(value), "low": low, "high": high}
    return TEXTS["cost"][unit].format(more=more, **{name: format(x, form) for name, x in numbers.items()})


def _ruled_out(cause: str, why: Any) -> str:
    """What the reasons rule out; a provider is blamed only after a release was looked for, see attribution.RULES."""
    told = dict.fromkeys(TEXTS["ruled_out"][key] for key in (*why, cause) if key in TEXTS["ruled_out"])
    return ", ".join(told) or TEXTS["ruled_out"]["nothing"]


def _advice(data: Mapping[str, Any], word: str | None) -> str:
    if word:
        return TEXTS["advice"]["none" if data.get("resolved_at") else word]
    advice: Mapping[str, Any] = data.get("recommendation") or {}
    if data.get("resolved_at"):
        return TEXTS["advice"]["restore_weight" if data.get("cause") == "provider_update" else "none"]
    if advice.get("action") == "down_weight" and isinstance(advice.get("multiplier"), int | float):
        return TEXTS["advice"]["down_weight"].format(percent=f"{advice['multiplier'] * 100:.0f}")
    if "run_golden_set" in (data.get("why") or ()):
        return TEXTS["advice"]["run_golden_set"]
    return TEXTS["advice"]["none" if data.get("severity") == "info" else "look"]


def _last(data: Mapping[str, Any]) -> Mapping[str, Any]:
    last: Mapping[str, Any] = (data.get("history") or [{}])[-1]
    return last


def _by(data: Mapping[str, Any]) -> str:
    last = _last(data)
    reason = str(last.get("reason") or "")
    told = f", {clean(reason).replace('_', ' ')}" if reason not in ("", last.get("status")) else ""
    return f"{clean(last.get('by') or '') or 'undertow'}{told}"


def _noted(data: Mapping[str, Any]) -> str:
    """Why it is told once more."""
    last = _last(data)
    if (last.get("reason") or last.get("status")) == "acknowledged":
        return TEXTS["again"]["acknowledged"].format(by=_by(data))
    return TEXTS["again"].get(str(data.get("reason") or last.get("reason")), "")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
