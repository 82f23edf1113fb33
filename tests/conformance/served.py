"""What the fake provider says that it served, in the words of a span (`payloads.jsonl`, see tests/captures)."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

FORMATS = Path(__file__).parents[1] / "fixtures" / "formats"

FAULTS = {
    "400": "invalid_request",
    "401": "auth",
    "404": "invalid_request",
    "429": "rate_limited",
    "500": "server_error",
    "529": "server_error",
    "slow": "timeout",
    "cut": "connection",
    "broken": "server_error",
}
"""What goes wrong on purpose -> its error class."""

REASONS = {
    "completed": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "STOP": "stop",
    "MAX_TOKENS": "length",
}
"""Why an answer ended, in a provider's words -> in the span's; others are the same in both."""

OPERATIONS = {"messages": "chat", "gemini": "generate_content"}
"""An endpoint -> the operation of a span, where that is not called like it."""

SAME = (
    "provider",
    "model",
    "response_model",
    "stream",
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "max_tokens",
    "temperature",
    "refusal",
)
"""Fields that have one name in the log and in the span."""


class Call(NamedTuple):
    """One call of an application: its number, and what the last request that it made got."""

    number: int
    log: dict[str, Any]
    attempts: int

    @property
    def fault(self) -> str | None:
        """What went wrong, by the name that the log has for it."""
        found = self.log.get("fault")
        return str(found) if found else None

    @property
    def failed(self) -> bool:
        """Whether the application got an error."""
        return self.fault in FAULTS

    @property
    def stream(self) -> bool:
        """Whether a stream was asked for."""
        return bool(self.log["stream"])

    @property
    def api(self) -> str:
        """Which endpoint was called."""
        return str(self.log["api"])

    def span(self) -> dict[str, Any]:
        """The fields that a span of this call should have, None where nothing was said."""
        log = self.log
        reason = log.get("finish_reason")
        return {name: log.get(name) for name in SAME} | {
            "response_id": log.get("id"),
            "system_fingerprint": log.get("fingerprint"),
            "cached_input_tokens": log.get("cached_tokens"),
            "tool_call_count": log.get("tool_calls"),
            "response_chars": log.get("chars"),
            "operation": OPERATIONS.get(self.api, self.api),
            "status": "error" if self.failed else "cancelled" if self.fault == "left" else "ok",
            "error_class": FAULTS.get(self.fault or ""),
            "http_status": None if self.failed and log.get("status") == 200 else log.get("status"),
            "finish_reason": REASONS.get(reason, reason) if reason else None,
        }


def calls(name: str) -> list[Call]:
    """The calls of one capture, in the order in which they were made; tries of the client are one call.

    What was asked again without the client's counting it as another try, as CrewAI does, is another call.
    """
    found: dict[tuple[int, int], Call] = {}
    times: Counter[tuple[int, int]] = Counter()
    for line in (FORMATS / name / "payloads.jsonl").read_text().splitlines():
        row = json.loads(line)
        key = (row["call"], times[row["call"], row["attempt"]])
        times[row["call"], row["attempt"]] += 1
        before = found[key].attempts if key in found else 0
        last = row if not before or row["attempt"] >= before else found[key].log
        found[key] = Call(row["call"], last, before + 1)
    return [found[key] for key in sorted(found)]


Where = Callable[[Call], bool]
"""Some of the calls."""
