"""Whether spans say of each attempt what the fake provider wrote down when it served it."""

from collections import Counter
from collections.abc import Container, Iterable
from typing import Any, NamedTuple

from undertow.span import Span

ERRORS = {429: "rate_limited", 500: "server_error", 400: "invalid_request", 401: "auth"}


class Attempt(NamedTuple):
    """What both sides know of one attempt; None where nobody can."""

    request: str
    sent_model: str
    operation: str
    status: str
    error_class: str | None = None
    http_status: int | None = None
    response_id: str | None = None
    response_model: str | None = None
    system_fingerprint: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    finish_reason: str | None = None


def served(row: dict[str, Any], gone: Container[int]) -> Attempt:
    """An attempt as the provider's log has it; `gone` are the requests whose clients hung up."""
    known = {"request": str(row["request"]), "sent_model": row["model"], "operation": row["operation"]}
    if row["outcome"] == "timeout":
        return Attempt(**known, status="error", error_class="timeout", http_status=408)
    if row["outcome"] == "cut":
        return Attempt(**known, status="error", error_class="connection")
    if row["outcome"] == "error":
        if row["model"] == "filtered":
            return Attempt(**known, status="error", error_class="content_filter")
        http_status = None if row["status"] == 400 else row["status"]  # LiteLLM has the provider's own code there
        return Attempt(**known, status="error", error_class=ERRORS[row["status"]], http_status=http_status)
    told = {"response_id": row.get("id"), "response_model": row.get("served", row["model"])}
    told["system_fingerprint"] = row.get("system_fingerprint")
    if row["request"] in gone:
        return Attempt(**known, **told, status="cancelled", http_status=499, input_tokens=row["prompt_tokens"])
    tokens = {"input_tokens": row["prompt_tokens"], "output_tokens": row.get("completion_tokens")}
    return Attempt(**known, **told, **tokens, status="ok", finish_reason=row.get("finish_reason"))


def shipped(span: Span) -> Attempt:
    """The same as a span of Undertow's callback has it; what LiteLLM counted itself of a broken stream is left out."""
    broken = span.status != "ok"
    return Attempt(
        request=(span.labels or {}).get("request", ""),
        sent_model=span.sent_model or "",
        operation=span.operation,
        status=span.status,
        error_class=span.error_class,
        http_status=span.http_status,
        response_id=span.response_id,
        response_model=span.response_model,
        system_fingerprint=span.system_fingerprint,
        input_tokens=None if span.status == "error" else span.input_tokens,
        output_tokens=None if broken else span.output_tokens,
        finish_reason=None if broken else span.finish_reason,
    )


def differences(
    log: Iterable[dict[str, Any]], spans: Iterable[Span], gone: Container[int]
) -> tuple[list[Attempt], list[Attempt]]:
    """Attempts that were served and not shipped, and those shipped and not served, or more often than served."""
    expected = Counter(served(row, gone) for row in log)
    found = Counter(shipped(span) for span in spans)
    return sorted((expected - found).elements(), key=str), sorted((found - expected).elements(), key=str)
