"""What of a LiteLLM call is shipped: who, when, how many tokens, how it ended, and what the answer shows of itself.

Made from the StandardLoggingPayload and the call details beside it (litellm 1.108), which know what the payload does
not: the model that the provider named before LiteLLM put its own alias there (BerriAI/litellm#22709), which attempt
it was, and when that attempt began. Prompts, texts, addresses, headers, keys and stack traces are left behind.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from undertow_collectors.decode import answer

MAX_BYTES = 900_000
"""Brokers take a million bytes a record by default; an answer that makes it longer is left out."""

MAX_METADATA = 256
"""Characters of a value that an application sent in its `metadata`, as of a label; longer ones are texts."""

_KEPT = (
    "id",
    "litellm_call_id",
    "trace_id",
    "call_type",
    "cache_hit",
    "stream",
    "status",
    "custom_llm_provider",
    "prompt_tokens",
    "completion_tokens",
    "response_cost",
    "startTime",
    "endTime",
    "completionStartTime",
    "response_time",
    "model",
    "model_group",
    "model_id",
)
_PARAMETERS = ("max_tokens", "max_completion_tokens", "temperature", "stream")
_ERROR = ("error_code", "error_class", "llm_provider", "normalized_error")
_METADATA = ("user_api_key_alias", "user_api_key_team_alias", "usage_object")


class _Original(msgspec.Struct, gc=False):
    """What is read of the provider's own answer."""

    model: Any = None
    system_fingerprint: Any = None


_original = msgspec.json.Decoder(_Original)


def record(payload: Mapping[str, Any], call: Mapping[str, Any], send_text: bool = False) -> bytes:
    """A StandardLoggingPayload as it is shipped, in JSON; `call` is what LiteLLM calls the model call details.

    With `send_text` the answer goes along, with the parameters that asked for it, unless the record gets too long.
    """
    shaped = _shaped(payload, call)
    if send_text:
        texts = {"response": payload.get("response"), "model_parameters": payload.get("model_parameters")}
        value = _enveloped(shaped | texts)
        if len(value) <= MAX_BYTES:
            return value
    return _enveloped(shaped)


def reached_a_provider(call: Mapping[str, Any]) -> bool:
    """Whether anything was sent upstream; LiteLLM also logs what it refused itself, some of it twice."""
    return not call.get("litellm_no_upstream_llm_call")


def _enveloped(shaped: dict[str, Any]) -> bytes:
    """In the envelope that LiteLLM's callbacks have, by which a reader recognises it at the first byte."""
    return msgspec.json.encode({"standard_logging_object": shaped}, enc_hook=str)


def _shaped(payload: Mapping[str, Any], call: Mapping[str, Any]) -> dict[str, Any]:
    response, parameters = _dict(payload.get("response")), _dict(payload.get("model_parameters"))
    metadata = _dict(payload.get("metadata"))
    error = _dict(payload.get("error_information"))
    whole = payload.get("status") == "success" and error.get("error_code") != "499"  # the client went away
    found = answer.features(response, parameters) if whole else {}
    return {
        **_some(payload, _KEPT),
        "startTime": _started(payload.get("startTime"), call),
        "api_base": _host(payload.get("api_base")),
        "metadata": _some(metadata, _METADATA)
        | {"requester_metadata": _short(_dict(metadata.get("requester_metadata")))}
        | {"prompt_management_metadata": _some(_dict(metadata.get("prompt_management_metadata")), ("prompt_id",))},
        "model_parameters": _some(parameters, _PARAMETERS),
        "response": _some(response, ("id", "model", "system_fingerprint")),
        "error_information": _some(error, _ERROR),
        "undertow": _routing(payload, call) | _served(call) | found,
    }


def _routing(payload: Mapping[str, Any], call: Mapping[str, Any]) -> dict[str, Any]:
    """Which attempt it was: by the router's metadata, else by the headers that only answers in one piece have."""
    router = _router(call)
    headers = _dict(_dict(payload.get("hidden_params")).get("additional_headers"))
    fallbacks = router.get("attempted_fallbacks", headers.get("x-litellm-attempted-fallbacks"))
    found = {"attempt": router.get("attempted_retries", headers.get("x-litellm-attempted-retries"))}
    return found | ({"fallback": fallbacks > 0} if isinstance(fallbacks, int) else {})


def _served(call: Mapping[str, Any]) -> dict[str, Any]:
    """The model and fingerprint that the provider named itself: whole answers are kept as they came, of streams only
    the model is."""
    hidden = _dict(_router(call).get("hidden_params"))
    found = {"response_model": hidden.get("provider_response_model")}
    original = call.get("original_response")
    if isinstance(original, str) and original.startswith("{"):
        try:
            body = _original.decode(original)
        except (ValueError, RecursionError):
            return _known(found)
        found |= _known({"response_model": body.model, "system_fingerprint": body.system_fingerprint})
    return _known(found)


def _started(start: Any, call: Mapping[str, Any]) -> Any:
    """When the attempt began: for a stream after failed attempts LiteLLM gives the start of the whole request."""
    first, last = call.get("first_api_call_start_time"), call.get("api_call_start_time")
    if isinstance(first, datetime) and isinstance(last, datetime) and isinstance(start, int | float):
        later = first < last and start < first.timestamp()
        return last.timestamp() if later else start
    return start


def _router(call: Mapping[str, Any]) -> dict[str, Any]:
    parameters = _dict(call.get("litellm_params"))
    return _dict(parameters.get("metadata")) or _dict(parameters.get("litellm_metadata"))


def _host(api_base: Any) -> str | None:
    """Scheme and host alone; some providers take keys in the address."""
    try:
        parts = urlsplit(str(api_base))
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.hostname}" if parts.hostname else None


def _short(metadata: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in metadata.items()
        if isinstance(value, int | float) or (isinstance(value, str) and len(value) <= MAX_METADATA)
    }


def _some(values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: values[name] for name in names if values.get(name) is not None}


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if isinstance(value, str) and value}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
