"""How a call ended, by everything that its span says: status, events, codes, sentences and the reason of the end."""

from typing import Any, NamedTuple

from undertow.span import ErrorClass, FinishReason
from undertow_collectors.decode import failures, names
from undertow_collectors.decode.coerce import literal, text
from undertow_collectors.decode.records import Record

_WRAPS = ("MidStreamFallbackError",)
"""Errors' types that say when something happened, and not what: LiteLLM's of a stream that broke off, say."""


def settle(fields: dict[str, Any], record: Record, values: dict[str, Any]) -> None:
    """Set status, error class, HTTP status and the reason for the end of an answer."""
    failure = _failure(record, values)
    status = fields.get("http_status") or names.http_status(failure.code) or names.http_status(failure.kind)
    if names.is_disconnect(failure.kind, failure.code, str(status)) or failures.is_abandoned(failure.message):
        fields["status"] = "cancelled"
    elif record.failed or failure.kind or values.get(".level") == "ERROR" or _ends_in_error(values):
        fields.setdefault("status", "error")
        status = status if status and status >= 400 else names.http_status(failure.code)
        fields.setdefault("error_class", _class_of(failure, status, values))
        _unanswered(fields)
    fields["http_status"] = status
    answered = fields.get("response_id") or not (record.failed or names.generates(fields["operation"]))
    if ".logfire" in values and not answered:
        fields["response_model"] = None  # nothing was answered: Logfire repeats what was asked for
    reason = finish_reason(values.get(".finish_reasons"))
    if reason is not None and not _ends_in_error(values):
        fields.setdefault("finish_reason", reason)


def _ends_in_error(values: dict[str, Any]) -> bool:
    """Whether the reason for the end is that the call failed, as the AI SDK and Mastra write.

    OpenTelemetry's instrumentations write the same of a stream whose end they did not see.
    """
    unseen = "response_id" in values and values.keys().isdisjoint((".vercel", ".mastra"))
    return is_failure(values.get(".finish_reasons")) and "output_tokens" not in values and not unseen


def _unanswered(fields: dict[str, Any]) -> None:
    """A failed call declares nothing by the name that was asked for."""
    if fields.get("response_model") == fields.get("model"):
        fields["response_model"] = None


def cause(record: Record) -> tuple[int | None, ErrorClass] | None:
    """Return the HTTP status and the class of a failure that the span of something else tells of; None without one."""
    failure = _failure(record, {})
    if not record.failed or not (failure.kind or failure.message):
        return None
    status = names.http_status(failure.code)
    return status, _error_class(failure, status)


class _Failure(NamedTuple):
    """What a span says of its failure: the error's type, a code, and a sentence of which nothing but words is kept."""

    kind: str | None
    code: str | None
    message: str


def _failure(record: Record, values: dict[str, Any]) -> _Failure:
    kind, code, message = text(values.get(".error_type")), text(values.get(".error_code")), record.message
    raised = [event for event in record.events() if event.kind]
    if raised and (record.failed or kind or _is_without_end(values)):
        kind = kind or next((event.kind for event in raised), None)
        message = message or next((str(event.attributes().get("exception.message") or "") for event in raised), "")
    return _Failure(failures.bare(kind), code or failures.status_in(message), message)


def _is_without_end(values: dict[str, Any]) -> bool:
    """Whether nothing shows that an answer came to its end: an exception beside one that did was dealt with."""
    return values.keys().isdisjoint(("output_tokens", ".finish_reasons", ".usage"))


def _class_of(failure: _Failure, status: int | None, values: dict[str, Any]) -> ErrorClass:
    """The class of a call's failure; an error as the reason of the end and no word beside it is the provider's."""
    found = _error_class(failure, status)
    return "server_error" if found == "other" and not failure.message and _ends_in_error(values) else found


def _error_class(failure: _Failure, status: int | None) -> ErrorClass:
    """The class by type and code, or by the words of the sentence where the type is only what wraps others."""
    found = names.error_class(failure.kind or failure.message[:100], failure.code or text(status))
    wraps = found == "other" or (failure.kind or "").endswith(_WRAPS)
    return (failures.class_in(failure.message) or found) if wraps else found


def finish_reason(value: Any) -> FinishReason | None:
    """Why the answer ended, out of a reason or a list of them, the first of which counts."""
    reason = _reason(value)
    return names.finish_reason(reason) if reason else None


def is_failure(value: Any) -> bool:
    """Return whether the reason for the end of an answer is an error."""
    return _reason(value).lower() == "error"


def _reason(value: Any) -> str:
    reasons = literal(value)
    reason = reasons[0] if isinstance(reasons, list) and reasons else reasons
    return reason.strip('"') if isinstance(reason, str) else ""  # Langfuse keeps it as JSON
