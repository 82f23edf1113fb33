"""The part of a StandardLoggingPayload that an ordinary answered call has, with its types.

What is not of these types is left to `litellm.py`, which knows what else LiteLLM writes. Subtrees whose content repeats
from call to call stay encoded: they are looked up by their bytes.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw

from undertow.span import Count, FinishReason, Id, Name, Short

NULL = Raw(b"null")


class Headers(msgspec.Struct, gc=False):
    """What LiteLLM counts of its own doing."""

    retries: Any = msgspec.field(default=None, name="x-litellm-attempted-retries")
    fallbacks: Any = msgspec.field(default=None, name="x-litellm-attempted-fallbacks")


class Hidden(msgspec.Struct, gc=False):
    """`hidden_params`."""

    model_id: str | None = None
    additional_headers: Headers | None = None
    cache_hit: Literal[False] | None = None


class PromptDetails(msgspec.Struct, gc=False):
    """Tokens of the prompt."""

    cached_tokens: Count | None = None


class CompletionDetails(msgspec.Struct, gc=False):
    """Tokens of the answer."""

    reasoning_tokens: Count | None = None


class Usage(msgspec.Struct, gc=False):
    """`metadata.usage_object`, and `usage` of the response."""

    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    cache_read_input_tokens: Count | None = None
    prompt_cache_hit_tokens: None = None
    input_tokens_details: None = None
    output_tokens_details: None = None
    cachedContentTokenCount: None = None  # noqa: N815  Gemini's spelling
    thoughtsTokenCount: None = None  # noqa: N815
    cacheReadInputTokens: None = None  # noqa: N815  Bedrock's


class Metadata(msgspec.Struct, gc=False):
    """`metadata`."""

    user_api_key_alias: str | None = None
    user_api_key_team_alias: str | None = None
    prompt_management_metadata: Raw = NULL
    requester_metadata: Raw = NULL
    usage_object: Usage | None = None


class Specific(msgspec.Struct, gc=False):
    """`provider_specific_fields` of a message that refuses nothing."""

    refusal: None = None


class Message(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A message that is nothing but a text."""

    content: str
    role: Literal["assistant"]
    tool_calls: None = None
    function_call: None = None
    refusal: None = None
    provider_specific_fields: Specific | None = None
    annotations: Raw = NULL
    audio: None = None
    reasoning_content: Raw = NULL
    thinking_blocks: Raw = NULL


class Choice(msgspec.Struct, gc=False):
    """One of the answers."""

    message: Message
    finish_reason: str | None = None


class Response(msgspec.Struct, gc=False):
    """`response`, a chat completion."""

    choices: Annotated[list[Choice], Meta(min_length=1)]
    id: Name | None = None
    model: Name | None = None
    system_fingerprint: Name | None = None
    usage: Usage | None = None


class Told(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """What Undertow's own callback adds under `undertow`."""

    attempt: Count | None = None
    fallback: bool | None = None
    response_model: Name | None = None
    system_fingerprint: Name | None = None
    finish_reason: FinishReason | None = None
    response_chars: Count | None = None
    refusal: bool | None = None
    response_sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None = None
    signals: Annotated[dict[Short, bool], Meta(max_length=64)] | None = None
    tool_call_count: Count | None = None
    parse_ok: bool | None = None
    schema_fingerprint: Annotated[str, Meta(min_length=1, max_length=512)] | None = None


class Stub(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """What the callback leaves of a `response` whose text is not sent."""

    id: Name | None = None
    model: Name | None = None
    system_fingerprint: Name | None = None


class Call(msgspec.Struct, gc=False, kw_only=True):
    """What a payload says of a call, apart from the answer."""

    id: Id
    litellm_call_id: str | None = None
    trace_id: Name | None = None
    call_type: str
    cache_hit: Literal["None", ""] | bool | None = None
    stream: bool | None = None
    status: Literal["success"]
    custom_llm_provider: str
    prompt_tokens: Annotated[int, Meta(ge=1, le=2**53)]
    completion_tokens: Annotated[int, Meta(ge=1, le=2**53)] | None
    response_cost: int | float | None = None
    startTime: int | float  # noqa: N815  LiteLLM's spelling; an int is repaired, and that is counted
    endTime: float  # noqa: N815
    completionStartTime: float | None = None  # noqa: N815
    model: str
    model_group: str | None = None
    model_id: str | None = None
    api_base: str | None = None
    metadata: Metadata
    hidden_params: Hidden | None = None
    model_parameters: Raw = NULL
    error_information: Raw = NULL
    _event: None = None


class Payload(Call, gc=False, kw_only=True):
    """`standard_logging_object`."""

    response: Response
    undertow: None = None


class Shipped(Call, gc=False, kw_only=True):
    """The same from Undertow's own callback, bare and without texts."""

    standard_logging_object: None = None
    response: Stub | None = None
    undertow: Told


class Envelope(msgspec.Struct, gc=False):
    """What LiteLLM's callbacks put around it."""

    standard_logging_object: Payload


_decode = msgspec.json.Decoder(Envelope).decode
shipped = msgspec.json.Decoder(Shipped).decode


def enveloped(body: bytes) -> Payload:
    """The payload in an envelope."""
    return _decode(body).standard_logging_object
