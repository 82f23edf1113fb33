"""Which calls a rule is about, by what the log says of them."""

from tests.conformance.served import Call, Where


def every(_: Call) -> bool:
    """All calls."""
    return True


def failed(call: Call) -> bool:
    """The application got an error."""
    return call.failed


def refused(call: Call) -> bool:
    """The provider answered with an error, or not at all, so that nothing is known of an answer."""
    return call.failed and not broke(call)


def broke(call: Call) -> bool:
    """The stream broke off or ended in an error."""
    return call.fault in ("cut", "broken")


def left(call: Call) -> bool:
    """The application closed the stream."""
    return call.fault == "left"


def ended_early(call: Call) -> bool:
    """The stream did not reach its end."""
    return broke(call) or left(call)


def stream(call: Call) -> bool:
    """A stream was asked for."""
    return call.stream


def whole(call: Call) -> bool:
    """No stream was asked for."""
    return not call.stream


def uncounted(call: Call) -> bool:
    """A stream that came to its end and was sent no usage."""
    return call.stream and not call.failed and not left(call) and "input_tokens" not in call.log


def refusing(call: Call) -> bool:
    """The answer is a refusal."""
    return bool(call.log.get("refusal"))


def nobody(call: Call) -> bool:
    """The answer said nothing of this."""
    return "cached_tokens" not in call.log


def kind(*names: str) -> Where:
    """The answer is of one of these kinds, by the names in tests/captures/answers.py."""
    return lambda call: call.log["kind"] in names


def helper(call: Call) -> bool:
    """The stream was asked for through the client's own helper, messages.stream()."""
    return "helper" in call.log


def asynchronous(call: Call) -> bool:
    """The asynchronous client made the call."""
    return bool(call.log["asynchronous"])


def raw(call: Call) -> bool:
    """The answer was asked for in raw form, with_raw_response."""
    return "raw" in call.log


def azure(call: Call) -> bool:
    """Azure's client was asked."""
    return bool(call.log["provider"] == "azure.ai.openai")


def several(call: Call) -> bool:
    """The answer has several choices."""
    return "choices" in call.log


def unheated(call: Call) -> bool:
    """The request does not set a temperature."""
    return "temperature" not in call.log


def api(*names: str) -> Where:
    """The endpoint is one of `names`."""
    return lambda call: call.api in names


def both(*parts: Where) -> Where:
    """Calls that are in all parts."""
    return lambda call: all(part(call) for part in parts)


def either(*parts: Where) -> Where:
    """Calls that are in one of the parts."""
    return lambda call: any(part(call) for part in parts)


def but(part: Where) -> Where:
    """Calls that are not in it."""
    return lambda call: not part(call)
