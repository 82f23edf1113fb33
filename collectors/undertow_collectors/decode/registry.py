"""Which format a message is in, and decoding it whatever it holds.

`decode` never raises: what cannot be read is a reject with a reason, so that one bad message stops nothing.
"""

import hashlib
import io
import re
from dataclasses import replace

from undertow.batch import Decoded, Message, Origin, Reject
from undertow.span import Rejected
from undertow_collectors.decode import (
    apisix,
    bifrost,
    cloudflare,
    cost,
    envoy,
    helicone,
    jaeger,
    jaeger_json,
    kong,
    langfuse,
    litellm,
    native,
    openrouter,
    otlp,
    otlp_json,
    portkey,
    zipkin,
    zipkin_json,
)
from undertow_collectors.decode.context import Context, Decoder
from undertow_collectors.decode.maps import Maps
from undertow_collectors.decode.provenance import Provenance
from undertow_collectors.decode.strictjson import BOM, looks_like_json
from undertow_collectors.unpack import DAMAGED, unpacked

MAX_BYTES = 64 * 2**20
"""The largest message, inflated."""

FORMATS: dict[str, Decoder] = {
    "native": native.decode,
    "otlp": otlp.decode,
    "otlp_json": otlp_json.decode,
    "litellm": litellm.decode,
    "portkey": portkey.decode,
    "helicone": helicone.decode,
    "bifrost": bifrost.decode,
    "cloudflare": cloudflare.decode,
    "openrouter": openrouter.decode,
    "langfuse": langfuse.decode,
    "kong": kong.decode,
    "apisix": apisix.decode,
    "envoy": envoy.decode,
    "jaeger_proto": jaeger.decode,
    "jaeger_json": jaeger_json.decode,
    "zipkin_proto": zipkin.decode,
    "zipkin_json": zipkin_json.decode,
}
"""Every format by the name it has in `kafka.format` and on the command line, where `auto` stands beside them."""

_SIGNS = (
    (b'"resourceSpans"', "otlp_json"),
    (b'"resourceLogs"', "otlp_json"),
    (b'"vStr"', "jaeger_json"),
    (b'"vType"', "jaeger_json"),
    (b'"localEndpoint"', "zipkin_json"),
    (b'"standard_logging_object"', "litellm"),
    (b'"ai_org"', "portkey"),
    (b'"portkeyHeaders"', "portkey"),
    (b'"requestOptions"', "portkey"),
    (b'"providerRequest"', "helicone"),
    (b'"heliconeMeta"', "helicone"),
    (rb"\"heliconeMeta\"", "helicone"),
    (b'"helicone_user"', "helicone"),
    (b'"request_response_url"', "helicone"),
    (b'"RootSpan"', "bifrost"),
    (b'"selected_key_id"', "bifrost"),
    (b'"llm_request_id"', "bifrost"),
    (b'"fallback_index"', "bifrost"),
    (b'"number_of_retries"', "bifrost"),
    (b'"request_content_type"', "cloudflare"),
    (b'"custom_cost"', "cloudflare"),
    (b'"RateLimited"', "cloudflare"),
    (b'"native_tokens_prompt"', "openrouter"),
    (b'"generation-create"', "langfuse"),
    (b'"generation-update"', "langfuse"),
    (b'"observation-create"', "langfuse"),
    (b'"observation-update"', "langfuse"),
    (b'"embedding-create"', "langfuse"),
    (b'"trace-create"', "langfuse"),
    (b'"span-create"', "langfuse"),
    (b'"sdk_integration"', "langfuse"),
    (b'"_event"', "litellm"),
    (b'"litellm_call_id"', "litellm"),
    (b'"custom_llm_provider"', "litellm"),
    (b'"model_group"', "litellm"),
    (b'"llm_summary"', "apisix"),
    (b'"apisix_latency"', "apisix"),
    (b'"tried_targets"', "kong"),
    (b'"llm_latency"', "kong"),
    (b'"plugin_id"', "kong"),
    (b'"latencies"', "kong"),
    (b'"genai_model_name"', "envoy"),
    (b'"gen_ai.request.model_override"', "envoy"),
    (b'"x-envoy-origin-path"', "envoy"),
    (b'"response_flags"', "envoy"),
)
"""Keys -> the format that alone has them. LiteLLM's come after those of the services that it sends its own log to; the
commonest words, which proxies have for everything that they pass on, come last.
"""

_BY_SIGN = dict(_SIGNS)
_FIRST_KEY = re.compile(rb'\s*(?:\[\s*)?\{\s*(?:"id"\s*:\s*"[^"\\]*"\s*,\s*)?("[A-Za-z_]+")\s*:')
"""A sign that a message begins with, after an id perhaps, says more than any that stands further behind."""

_NO_MAPS: Maps = {}
_FRAME = 5
_FOREIGN = (b'"resourceMetrics"',)
_PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")


def decode(
    message: Message,
    format: str = "auto",  # noqa: A002  the name of the option
    keep_text: bool = False,
    keep_labels: frozenset[str] = frozenset(),
    maps: Maps = _NO_MAPS,
    sources: Provenance | None = None,
) -> Decoded:
    """What one message became; it is read as `format`, a key of FORMATS or of `maps`, or `auto`.

    Never raises. `keep_text` puts the bytes of a message into its first reject; `keep_labels` names keys outside of
    the span that are kept as labels; `sources` takes down where each value came from. Bodies in gzip or zstd are
    inflated, up to MAX_BYTES.
    """
    if format in ("auto", "native") and sources is None:
        spans = native.exact(message.value)  # by far the commonest, and what it accepts is nothing else
        if spans is not None:
            decoded = Decoded("native", spans)
            if len(spans) > 1 or spans[0].cost_usd is None:
                cost.add(decoded)
            return decoded
    context = Context(message.origin, message.timestamp_s, keep_labels, sources)
    decoded = _decode(message.value, format, context, maps)
    cost.add(decoded)
    if sources is not None:
        sources.price()
    if not decoded.read:
        decoded.skipped["no_spans"] += 1
    if decoded.rejects:
        _identify(decoded, message.value, keep_text)
    return decoded


def recognise(value: bytes, origin: Origin, maps: Maps = _NO_MAPS) -> str:
    """The format of an inflated message, the operator's own `maps` first; raises Rejected (`unsupported_format`)."""
    if not looks_like_json(value):
        return _protobuf(value)
    for name, custom in maps.items():
        if custom.takes(value, origin):
            return name
    first = _FIRST_KEY.match(value)
    if first is not None and first[1] in _BY_SIGN:
        return _BY_SIGN[first[1]]
    for sign, name in _SIGNS:
        if sign in value:
            return name
    if len(value) < 9 and value.strip() == otlp_json.EMPTY:
        return "otlp_json"
    if any(sign in value for sign in _FOREIGN):
        raise Rejected("unsupported_format", "OTLP metrics")
    return "native"


def _protobuf(value: bytes) -> str:
    if jaeger.is_span(value):
        return "jaeger_proto"
    return "zipkin_proto" if zipkin.is_list(value) else "otlp"


def inflate(value: bytes) -> bytes:
    """`value`, unpacked if it is gzip or zstd.

    Raises Rejected with reason `too_large` past MAX_BYTES, having read no more than that, or `invalid_compression`.
    """
    try:
        if value.startswith(_PACKED):
            value = unpacked(io.BytesIO(value)).read(MAX_BYTES + 1)
    except DAMAGED as error:
        raise Rejected("invalid_compression", type(error).__name__) from None
    if len(value) > MAX_BYTES:
        raise Rejected("too_large", f"more than {MAX_BYTES} bytes")
    return value


def unframed(value: bytes) -> bytes:
    """Return `value` without the frame of a schema registry, which no format here begins with.

    Confluent's serializers put a zero byte and the schema's number (4 bytes) before JSON; before protobuf also the path
    of the message within its schema, which is a zero byte for the first one.
    """
    if not value.startswith(b"\0") or len(value) < _FRAME:
        return value
    rest = value[_FRAME:]
    return rest if looks_like_json(rest) else rest.removeprefix(b"\0")


def _decode(value: bytes, name: str, context: Context, maps: Maps) -> Decoded:
    try:
        value = unframed(inflate(value)).removeprefix(BOM)
        if name == "auto":
            name = recognise(value, context.origin, maps)
        return maps[name].log.decode(value, context) if name in maps else FORMATS[name](value, context)
    except Rejected as rejected:
        reject = Reject(rejected.reason, rejected.detail)
    except RecursionError:
        reject = Reject("too_deep")
    except Exception as error:  # noqa: BLE001  a decoder's mistake must cost one message, not the partition
        reject = Reject("decoder_error", type(error).__name__)
    return Decoded("unknown" if name == "auto" else name, rejects=[reject])


def _identify(decoded: Decoded, value: bytes, keep_text: bool) -> None:
    sha256 = hashlib.sha256(value).hexdigest()
    decoded.rejects = [replace(reject, sha256=sha256, length=len(value)) for reject in decoded.rejects]
    if keep_text:
        decoded.rejects[0] = replace(decoded.rejects[0], payload=value)
