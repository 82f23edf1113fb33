"""Span v1: one attempt at one LLM call, and what could not become one.

This is the only definition of the span. The native decoder, the DuckDB table and
docs/span.md all follow from the annotations below.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

SCHEMA = "undertow.span/v1"

Id = Annotated[str, Meta(min_length=1, max_length=512)]
Name = Annotated[str, Meta(max_length=512)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
UnixSeconds = Annotated[float, Meta(ge=0, le=253402300799)]  # the year 9999
Amount = Annotated[float, Meta(ge=0, le=1e12)]
Share = Annotated[float, Meta(ge=0, le=1)]
Number = Annotated[float, Meta(ge=-1e300, le=1e300)]
Short = Annotated[str, Meta(max_length=256)]

Status = Literal["ok", "error", "cancelled"]
ErrorClass = Literal[
    "rate_limited", "timeout", "server_error", "connection", "invalid_request", "auth", "content_filter", "other"
]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "other"]


def _says(text: str) -> Meta:
    return Meta(description=text)


class Span(msgspec.Struct, kw_only=True, gc=False, forbid_unknown_fields=True):
    """One attempt at one LLM call. None is unknown, which is neither false nor zero.

    Constructing one checks nothing; decoders go through `build`, which does.
    """

    span_id: Annotated[Id, _says("unique to the attempt; the deduplication key")]
    started_at: Annotated[UnixSeconds, _says("when the attempt began; RFC 3339 is accepted too")]
    provider: Annotated[Id, _says("OTel GenAI provider name: `openai`, `anthropic`, `azure.ai.openai`, ...")]
    model: Annotated[Id, _says("the name the application asked for (the gateway's alias or group)")]
    trace_id: Annotated[Name | None, _says("groups the attempts of one client request")] = None
    response_id: Annotated[Name | None, _says("the provider's id of the answer; joins evaluations")] = None
    gateway: Annotated[Name | None, _says("which gateway logged the call")] = None
    deployment: Annotated[Name | None, _says("which deployment of the model answered")] = None
    region: Annotated[Name | None, _says("where it ran")] = None
    server_address: Annotated[Name | None, _says("the host that was called")] = None
    sent_model: Annotated[Name | None, _says("what the gateway sent upstream")] = None
    response_model: Annotated[
        Name | None, _says("what the provider declared; null where the gateway overwrites it")
    ] = None
    system_fingerprint: Annotated[Name | None, _says("as the provider declared it")] = None
    operation: Annotated[Name, _says("`chat`, `text_completion`, `embeddings`, `responses`, ...")] = "chat"
    route: Annotated[Name | None, _says("the use case")] = None
    prompt_name: Annotated[Name | None, _says("the prompt template")] = None
    prompt_version: Annotated[Name | None, _says("its version")] = None
    variant: Annotated[Name | None, _says("arm of a canary")] = None
    stream: Annotated[bool | None, _says("whether the answer was streamed")] = None
    attempt: Annotated[Count | None, _says("retry number, from 0")] = None
    fallback: Annotated[bool | None, _says("whether another target had failed first")] = None
    input_tokens: Annotated[Count | None, _says("tokens of the prompt, cached ones included")] = None
    output_tokens: Annotated[Count | None, _says("tokens of the answer")] = None
    cached_input_tokens: Annotated[Count | None, _says("prompt tokens served from the provider's cache")] = None
    reasoning_tokens: Annotated[Count | None, _says("output tokens spent on reasoning")] = None
    max_tokens: Annotated[Count | None, _says("request parameter: the limit on the output")] = None
    temperature: Annotated[Number | None, _says("request parameter: sampling temperature")] = None
    duration_s: Annotated[Seconds | None, _says("the whole call, in seconds")] = None
    ttft_s: Annotated[Seconds | None, _says("time to the first token or chunk, in seconds")] = None
    cost_usd: Annotated[Amount | None, _says("what the call cost, in US dollars")] = None
    cost_derived: Annotated[
        bool | None, _says("true where `cost_usd` was computed from list prices, because the log had none")
    ] = None
    status: Annotated[Status, _says("a client disconnect is `cancelled`, never `ok`")] = "ok"
    error_class: Annotated[ErrorClass | None, _says("what kind of failure")] = None
    http_status: Annotated[Annotated[int, Meta(ge=0, le=999)] | None, _says("the upstream's HTTP status")] = None
    finish_reason: Annotated[FinishReason | None, _says("why the answer ended")] = None
    response_chars: Annotated[Count | None, _says("length of the answer's text, in characters")] = None
    tool_call_count: Annotated[Count | None, _says("tool calls in the answer")] = None
    response_sha256: Annotated[
        Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None, _says("of the answer's text, which itself is not stored")
    ] = None
    parse_ok: Annotated[bool | None, _says("whether the structured output parsed")] = None
    refusal: Annotated[bool | None, _says("whether the model declined")] = None
    task_success: Annotated[bool | None, _says("whether the downstream task worked")] = None
    schema_fingerprint: Annotated[Name | None, _says("hash of the sorted key paths and types of a JSON answer")] = None
    score: Annotated[Share | None, _says("an evaluation of this answer, 0 to 1")] = None
    confidence: Annotated[Share | None, _says("what the model said of its own certainty, 0 to 1")] = None
    labels: Annotated[
        Annotated[dict[Short, Short], Meta(max_length=32)] | None,
        _says("up to 32 labels of up to 256 characters; `tenant` is the customer who asked"),
    ] = None
    signals: Annotated[
        Annotated[dict[Short, bool | Number | Short], Meta(max_length=64)] | None,
        _says("the user's own signals; each is watched like a built-in one"),
    ] = None

    @property
    def ended_at(self) -> float:
        """Event time in Unix seconds: logs are shipped when a call ends (CONTRACTS 2, Order)."""
        return self.started_at + (self.duration_s or 0.0)

    @property
    def target(self) -> "Target":
        """Whose behaviour this span is evidence of."""
        return Target(self.gateway, self.provider, self.model, self.deployment)


@dataclass(frozen=True, slots=True, order=False)
class Target:
    """What is watched: one model of one provider behind one gateway deployment."""

    gateway: str | None
    provider: str
    model: str
    deployment: str | None

    def as_dict(self) -> dict[str, str | None]:
        """The JSON form that every report and alert uses."""
        return {
            "gateway": self.gateway,
            "provider": self.provider,
            "model": self.model,
            "deployment": self.deployment,
        }


def in_one_word(target: Mapping[str, Any]) -> str:
    """Return the JSON form of a target, other keys beside it left out, in one word such as `edge/openai/gpt-4o`."""
    return "/".join(target[key] for key in ("gateway", "provider", "model", "deployment") if target.get(key))


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the span, read off its annotation.

    `kind` is one of str, int, float, bool, map (string to string) and json (string to scalar).
    """

    name: str
    kind: str
    required: bool
    description: str
    values: tuple[str, ...] = ()


def _bare(kind: Any) -> Any:
    """The annotation without constraints and without None."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    options = [a for a in get_args(kind) if a is not type(None)]
    if type(None) in get_args(kind) and len(options) == 1:
        return _bare(options[0])
    return kind


def _field(info: msgspec.structs.FieldInfo, hint: Any) -> Field:
    text = next(m.description for m in get_args(hint)[1:] if isinstance(m, Meta) and m.description)
    bare = _bare(hint)
    values = get_args(bare) if get_origin(bare) is Literal else ()
    kind = {"labels": "map", "signals": "json"}.get(info.name) or ("str" if values else bare.__name__)
    return Field(info.name, kind, info.required, text, values)


FIELDS: tuple[Field, ...] = tuple(
    _field(info, get_type_hints(Span, include_extras=True)[info.name]) for info in msgspec.structs.fields(Span)
)
"""Every field of the span in order; tables and documents are made from this."""


class Rejected(Exception):  # noqa: N818  an answer of a decoder, not a fault of the program
    """Raised inside a decoder where one call cannot become a span.

    `reason` is a short snake_case name that is counted; `detail` is for people and holds no prompt or answer text.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


def build(fields: Mapping[str, Any]) -> Span:
    """A checked span from field values, None meaning unknown.

    Raises Rejected with reason `missing_<field>` or `invalid_<field>`.
    """
    known = {k: v for k, v in fields.items() if v is not None}
    for name in ("span_id", "started_at", "provider", "model"):
        if known.get(name) in (None, ""):
            raise Rejected(f"missing_{name}")
    try:
        span = msgspec.convert(known, Span)
    except msgspec.ValidationError as error:
        raise explain(error) from None
    return check_text(span)


def explain(error: msgspec.ValidationError) -> Rejected:
    """The Rejected that a validation error of one span object stands for; it never quotes the value."""
    text = str(error)
    if "missing required field" in text:
        return Rejected(f"missing_{text.split('`')[-2]}")
    path = text.rpartition(" at `$")[2].strip("`.") if " at `$" in text else ""
    name = path.lstrip("[]").split(".")[0].split("[")[0]
    known = name in Span.__struct_fields__
    return Rejected(f"invalid_{name}", f"at {path}") if known else Rejected("invalid_span")


def check_text(span: Span) -> Span:
    """`span`, if the store can hold its strings; lone surrogates would fail a whole batch there."""
    try:
        msgspec.json.encode(span)
    except UnicodeEncodeError:
        raise Rejected("invalid_unicode", "a lone surrogate in a string") from None
    return span
