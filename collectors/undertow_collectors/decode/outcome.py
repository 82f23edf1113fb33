"""How a call ended, by everything that its span says: status, events, codes, sentences and the reason of the end."""

from typing import Any, NamedTuple

from undertow.outcome import UNKNOWN
from undertow.span import ErrorClass, FinishReason
from undertow_collectors.decode import failures, names, rig
from undertow_collectors.decode.coerce import literal, text
from undertow_collectors.decode.records import Record


def settle(fields: dict[str, Any], record: Record, values: dict[str, Any]) -> None:
    """Set status, error class, HTTP status and the reason for the end of an answer."""
    failure = _failure(record, values)
    status = fields.get("http_status") or names.http_status(failure.code) or names.http_status(failure.kind)
    if _is_left(failure, status) or is_left(values.get(".finish_reasons")):
        fields["status"] = "cancelled"
    elif record.failed or failure.kind or _tells_of_failure(values) or _is_refused(status, values):
        fields.setdefault("status", "error")
        status = status if status and status >= 400 else names.http_status(failure.code)
        fields.setdefault("error_class", _class_of(failure, status, values))
        _unanswered(fields)
    fields["http_status"] = status
    if record.failed or fields.get("status") == "error":
        _name(fields, failure.message)
    answered = fields.get("response_id") or not (record.failed or names.generates(fields["operation"]))
    if ".logfire" in values and not answered:
        fields["response_model"] = None  # nothing was answered: Logfire repeats what was asked for
    reason = finish_reason(values.get(".finish_reasons"))
    if reason is not None and not _ends_in_error(values):
        fields.setdefault("finish_reason", reason)


def _is_left(failure: "_Failure", status: int | None) -> bool:
    """Whether the application left. Clients cancel a request whose time was up, too, which is a failure."""
    if failures.is_abandoned(failure.message) or names.is_disconnect(failure.code, str(status)):
        return True
    return names.is_disconnect(failure.kind) and not failures.is_timeout(failure.message)


def _tells_of_failure(values: dict[str, Any]) -> bool:
    return values.get(".level") == "ERROR" or _ends_in_error(values) or rig.failed(values)


def _is_refused(status: int | None, values: dict[str, Any]) -> bool:
    """Whether an answer was an HTTP error: spans of servers leave their own status unset for those below 500."""
    return status is not None and status >= 400 and _is_without_end(values)


def _ends_in_error(values: dict[str, Any]) -> bool:
    """Whether the reason for the end is that the call failed, as the AI SDK and Mastra write.

    OpenTelemetry's instrumentations write the same of a stream whose end they did not see.
    """
    if "output_tokens" in values or not is_failure(values.get(".finish_reasons")):
        return False
    return "response_id" not in values or not values.keys().isdisjoint((".vercel", ".mastra"))


def _unanswered(fields: dict[str, Any]) -> None:
    """A failed call declares nothing by the name that was asked for."""
    if fields.get("response_model") == fields.get("model"):
        fields["response_model"] = None


def _name(fields: dict[str, Any], message: str) -> None:
    """A failure counts whatever it is of: by the provider that its sentence names, and of a model that is unknown."""
    if not fields.get("model"):
        fields["model"] = UNKNOWN
    if fields["provider"] == UNKNOWN:
        fields["provider"] = failures.provider_in(message) or UNKNOWN


def cause(record: Record) -> tuple[int | None, ErrorClass] | None:
    """Return the HTTP status and the class of a failure that the span of something else tells of; None without one."""
    failure = _failure(record, {})
    if not record.failed or not (failure.kind or failure.message):
        return None
    status = names.http_status(failure.code)
    return status, _by_words(failure, status)


class _Failure(NamedTuple):
    """What a span says of its failure: the error's type, a code, a sentence and stack traces; none of them is kept."""

    kind: str | None
    code: str | None
    message: str
    stacks: tuple[str, ...] = ()


def _failure(record: Record, values: dict[str, Any]) -> _Failure:
    kind, code, message = text(values.get(".error_type")), text(values.get(".error_code")), record.message
    raised = [event for event in record.events() if event.kind]
    stacks: tuple[str, ...] = ()
    if raised and (record.failed or kind or _is_without_end(values)):
        kind = kind or next((event.kind for event in raised), None)
        message = message or next((str(event.attributes().get("exception.message") or "") for event in raised), "")
        stacks = tuple(str(event.attributes().get("exception.stacktrace") or "") for event in raised)
    if record.failed and not kind:
        kind = failures.type_in(message)
    return _Failure(failures.bare(kind), code or failures.status_in(message), message, stacks)


def _is_without_end(values: dict[str, Any]) -> bool:
    """Whether nothing shows that an answer came to its end: an exception beside one that did was dealt with."""
    return values.keys().isdisjoint(("output_tokens", ".finish_reasons", ".usage"))


def _class_of(failure: _Failure, status: int | None, values: dict[str, Any]) -> ErrorClass:
    """The class of a call's failure; an error as the reason of the end and no word beside it is the provider's."""
    found = _by_words(failure, status)
    return "server_error" if found == "other" and not failure.message and _ends_in_error(values) else found


def _by_words(failure: _Failure, status: int | None) -> ErrorClass:
    return failures.class_of(failure.kind, failure.code or text(status), failure.message, failure.stacks)


def finish_reason(value: Any) -> FinishReason | None:
    """Why the answer ended, out of a reason or a list of them, the first of which counts."""
    reason = _reason(value)
    return names.finish_reason(reason) if reason else None


def is_failure(value: Any) -> bool:
    """Return whether the reason for the end of an answer is an error."""
    return _reason(value).lower() in ("error", "failed")


def is_left(value: Any) -> bool:
    """Return whether the reason for the end of an answer is that the application left."""
    return names.is_disconnect(_reason(value))


def _reason(value: Any) -> str:
    reasons = literal(value)
    reason = reasons[0] if isinstance(reasons, list) and reasons else reasons
    return reason.strip('"') if isinstance(reason, str) else ""  # Langfuse keeps it as JSON
