"""States, times and numbers as words, and text from outside made harmless.

Nothing a gateway logged is trusted: a model may be called `<img onerror=...>` or `[click](...)`. Such text reaches the
screen through `name` (a code span, in which Markdown means nothing) or `clean` (where Streamlit shows plain text).
"""

import re
import unicodedata
from typing import NamedTuple

from undertow_dashboards.clock import UNIVERSAL
from undertow_dashboards.shapes import Target

STALE_AFTER_S = 120.0
MAX_NAME = 80


class Word(NamedTuple):
    """A state in words: never the colour alone, always icon and word."""

    icon: str
    word: str
    colour: str
    meaning: str

    @property
    def badge(self) -> str:
        """Markdown of a badge."""
        return f":{self.colour}-badge[{self.icon} {self.word}]"


STATES = {
    "alert": Word(":material/error:", "changed", "red", "An incident is open."),
    "stale": Word(
        ":material/hourglass_disabled:", "stale", "orange", "No new requests; nothing can be said about now."
    ),
    "insufficient_data": Word(":material/help:", "not enough data", "gray", "Too few requests to judge."),
    "insufficient": Word(":material/help:", "not enough data", "gray", "Too few values of its own to judge."),
    "collecting": Word(":material/pending:", "learning", "blue", "The baseline is still being collected."),
    "ok": Word(":material/check_circle:", "as usual", "green", "No change from the baseline."),
}
UNKNOWN = Word(":material/help:", "unknown", "gray", "This dashboard does not know the state; it may be too old.")

SEVERITIES = {
    "critical": Word(":material/error:", "critical", "red", ""),
    "warning": Word(":material/warning:", "warning", "orange", ""),
    "info": Word(":material/info:", "info", "blue", ""),
}

SILENCED = Word(":material/notifications_off:", "silenced", "gray", "A silence or a maintenance window is on.")

SOURCES = {
    "connecting": Word(":material/pending:", "connecting", "blue", "Not connected to the broker yet."),
    "running": Word(":material/check_circle:", "reading", "green", "Messages are read as they come."),
    "broker_unavailable": Word(
        ":material/cloud_off:", "broker away", "red", "Check that the broker runs and its address."
    ),
    "access_denied": Word(
        ":material/lock:", "access denied", "red", "The broker refuses the login, the certificate or a permission."
    ),
    "broker_error": Word(":material/error:", "broker error", "red", "The broker answers with an error."),
    "unreadable_batch": Word(
        ":material/error:", "unreadable", "red", "Part of a topic cannot be read: a codec or a damaged message."
    ),
    "topic_missing": Word(":material/error:", "topic missing", "red", "Create the topic or correct kafka.topics."),
    "offset_out_of_range": Word(
        ":material/error:", "messages lost", "red", "The topic's retention deleted messages before they were read."
    ),
    "topic_replaced": Word(
        ":material/swap_horiz:",
        "topic replaced",
        "orange",
        "A topic was deleted and created again, or the cluster is another one; it is read as a new one.",
    ),
    "rebalancing": Word(":material/pending:", "rebalancing", "blue", "Partitions are being handed out."),
    "group_conflict": Word(
        ":material/error:",
        "group shared",
        "red",
        "Somebody else is in the consumer group; give each its own group_id.",
    ),
    "store_refused": Word(
        ":material/error:", "store refuses", "red", "Give it more memory; what was not stored is read again."
    ),
    "paused": Word(":material/pause_circle:", "paused", "orange", "Reading waits for the store to catch up."),
    "none": Word(":material/http:", "by HTTP", "blue", "There is no [kafka] section; spans come by HTTP alone."),
    "stopped": Word(":material/stop_circle:", "stopped", "gray", "Nothing is being read."),
}

CONTENT = ("output_tokens", "parse_fail", "refusal", "finish_length")
SIGNALS = {
    "output_tokens": "answer length",
    "adjusted_output_tokens": "answer length beside its other measures",
    "response_chars": "answer length in characters",
    "chars_per_token": "characters to a token",
    "parse_fail": "parse failures",
    "refusal": "refusals",
    "finish_length": "answers cut at the limit",
    "response_model": "served model",
    "system_fingerprint": "system fingerprint",
    "prompt_version": "prompt version",
    "finish_reason": "how answers end",
    "schema_fingerprint": "shape of JSON answers",
    "task_fail": "failed tasks",
    "ttft_s": "time to the first token",
    "time_per_output_token_s": "time per output token",
    "duration_s": "duration",
    "error": "failed requests",
    "error_class": "failures by class",
    "price_per_token": "price per token",
    "cost_usd": "cost of a request",
}

CAUSES = {
    "provider_update": "a silent update by the provider",
    "declared_update": "an update the provider declared",
    "infrastructure": "the provider's infrastructure",
    "availability": "the provider's availability",
    "own_release": "your own release",
    "unresolved": "cause unresolved, because the traffic moved too",
}

REASONS = {
    "traffic_quiet": "the requests did not change",
    "traffic_moved": "the requests changed too",
    "one_tenant_moved": "one tenant accounts for it",
    "no_other_targets": "there is no other target to compare with",
    "other_targets_quiet": "other targets did not change",
    "same_provider_moved": "other targets of the provider changed at the same time",
    "other_providers_moved": "targets of other providers changed at the same time",
    "prompt_version_changed": "a new prompt version came with it",
    "gateway_version_changed": "a new version of the gateway came with it",
    "app_version_changed": "a new version of the application came with it",
    "sdk_version_changed": "a new version of the SDK came with it",
    "one_route_moved": "only one route changed",
    "routes_agree": "more than one route changed",
    "run_golden_set": "the golden set would tell",
    "response_model_changed": "the served model changed",
    "system_fingerprint_changed": "the system fingerprint changed",
}


_IDENTIFIER = re.compile(
    r"(?<![\w-])(?:"
    + "|".join(map(re.escape, (name for name in SIGNALS if "_" in name)))
    + r"|(?:error|refusal)(?= (?:went|spread)\b)"
    + r")(?![\w-])"
)
"""Signals by their names in a sentence; what is a word of English as well only where it moves."""


def clean(text: object, limit: int = MAX_NAME) -> str:
    """`text` on one line without invisible or direction-changing characters, at most `limit` characters."""
    shown = "".join(ch if _visible(ch) else "\ufffd" for ch in re.sub(r"\s+", " ", str(text)).strip())
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _visible(ch: str) -> bool:
    return unicodedata.category(ch) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def name(text: object, limit: int = MAX_NAME) -> str:
    """`text` as a Markdown code span, which no content can leave."""
    shown = clean(text, limit)
    fence = "`" * (max((len(run) for run in re.findall(r"`+", shown)), default=0) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") or not shown else ""
    return f"{fence}{pad}{shown or '∅'}{pad}{fence}"


def cell(text: object, limit: int = 200) -> str:
    """Text from outside for a table, which people export: no spreadsheet takes it for a formula."""
    shown = clean(text, limit)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown


def sentence(text: object, limit: int = 300) -> str:
    """Text from outside as a sentence of plain text: a capital at the start, a full stop at the end."""
    shown = clean(text, limit)
    return shown if not shown else shown[0].upper() + shown[1:] + ("" if shown[-1] in ".!?…" else ".")


def readable(word: str) -> str:
    """A snake_case name as plain words: only letters, digits and single spaces, harmless anywhere."""
    return " ".join(re.findall(r"[^\W_]+", clean(word)))


def signal(signal_name: str) -> str:
    """A signal as people call it."""
    return SIGNALS.get(signal_name, readable(signal_name))


def spoken(text: object, limit: int = MAX_NAME) -> str:
    """A text of the monitor as `clean` has it, with signals and reasons called as people call them."""
    shown = clean(text, limit)
    return SIGNALS.get(shown) or REASONS.get(shown) or _IDENTIFIER.sub(lambda found: signal(found[0]), shown)


def counts_of(signal_name: str) -> str:
    """What the counts of a signal or a field are of."""
    return {"error": "requests", "error_class": "failures"}.get(signal_name, "answers")


def silenced(quiet: str | None) -> str:
    """The badge of what nobody is told of, after a blank; empty for the others."""
    return f" {SILENCED.badge}" if quiet else ""


def target(where: Target) -> str:
    """A target as plain text."""
    parts = [clean(where.model), "at", clean(where.provider)]
    parts += ["via", clean(where.gateway)] if where.gateway else []
    parts += ["deployment", clean(where.deployment)] if where.deployment else []
    return " ".join(parts)


def target_name(where: Target) -> str:
    """A target as Markdown."""
    return f"{name(where.model)} at {target_place(where)}"


def target_place(where: Target, between: str = "") -> str:
    """Where a target is, without its model, as Markdown; in words, or with `between` between the names."""
    named = {"": where.provider, " via ": where.gateway, " deployment ": where.deployment}
    known = [(word, name(text)) for word, text in named.items() if text]
    return between.join(text for _, text in known) if between else "".join(word + text for word, text in known)


def duration(seconds: float) -> str:
    """A length of time in the one unit that fits."""
    for unit, size in (("day", 86400.0), ("hour", 3600.0), ("minute", 60.0)):
        if seconds >= size * (2 if unit == "day" else 1):
            return _plural(int(seconds // size), unit)
    return _plural(max(0, int(seconds)), "second")


def _plural(count: int, unit: str) -> str:
    return f"{count:,} {unit}" if count == 1 else f"{count:,} {unit}s"


def counted(count: int, noun: str) -> str:
    """`1 target`, `2,000 targets`."""
    return _plural(count, noun)


def ago(at: float | None, now: float) -> str:
    """How long ago `at` was."""
    if at is None:
        return "never"
    return "just now" if now - at < 1 else f"{duration(now - at)} ago"


def clock_time(at: float, now: float | None = None) -> str:
    """`at` in UTC; without the date when it is today's."""
    return UNIVERSAL.time(at, now)


def freshness(newest: float | None, now: float) -> tuple[bool, str]:
    """Whether the data are stale, and a sentence on how new the newest request is."""
    if newest is None:
        return False, "No requests yet."
    stale = now - newest > STALE_AFTER_S
    return stale, f"{'Stale: the' if stale else 'The'} newest request ended {ago(newest, now)}."


def percent(share: float | None, digits: int = 1) -> str:
    """A share of one as a percentage; a nonzero share never reads as zero."""
    if share is None:
        return "unknown"
    if 0 < share < 0.5 * 10 ** -(digits + 2):
        return f"under {10**-digits:g} %"
    return f"{share * 100:.{digits}f} %"


def number(value: float | None) -> str:
    """A quantity with about three digits."""
    if value is None:
        return "unknown"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
