"""Portkey: rows of a log export, objects of its log store, rows of its analytics, and the log of its open gateway.

Written against Portkey's documentation of August 2026. Its traps: a cost is in US cents; numbers of the analytics are
floats; one record stands for all retries of a client request; an answer out of a cache looks like any other; the option
that answered is a fallback only if the request's own config is a chain of them. The open gateway (1.15.2) logs at
`/log/stream` all options that it tried, of which the first has the last one's answer put into it.
"""

import re
from collections.abc import Iterable
from typing import Any

from undertow_collectors.decode import endpoints
from undertow_collectors.decode.coerce import mapping
from undertow_collectors.decode.fieldmap import FieldMap, always, at
from undertow_collectors.decode.jsonlog import Call, JsonLog, each
from undertow_collectors.decode.paths import finder

_SENT, _CAME = "request.portkeyHeaders.x-portkey-", "response.headers.x-portkey-"
_OPTION_OF = "requestOptions."
_FAILED = _OPTION_OF + "originalResponse.body.error"
_FLAGS = {"1": True, "1.0": True, "0": False, "0.0": False}
_OPTION = re.compile(r"config\.targets\[(\d+)\]")
_cache = finder(_CAME + "cache-status")
_config = finder(_SENT + "config")
_option = finder("response.lastUsedOptionJsonPath")
_url = finder("request.url")
_tried_cache, _tried_url = finder(_OPTION_OF + "cacheStatus"), finder(_OPTION_OF + "providerOptions.requestURL")
_refused = finder(_FAILED)

FIELDS = FieldMap(
    {
        "gateway": always("portkey"),
        "span_id": at("id", "_id", _OPTION_OF + "hookSpanId"),
        "trace_id": at("trace_id", _SENT + "trace-id", _CAME + "trace-id"),
        "started_at": at("created_at", _OPTION_OF + "createdAt", unit="rfc3339"),
        "duration_s": at("response_time", "response.responseTime", _OPTION_OF + "executionTime", unit="ms"),
        "provider": at("ai_org", _SENT + "provider", _OPTION_OF + "providerOptions.provider"),
        "model": at("ai_model", "request.body.model", _OPTION_OF + "finalUntransformedRequest.body.model"),
        "sent_model": at(_OPTION_OF + "transformedRequest.body.model"),
        "deployment": at(
            "virtual_key", _SENT + "virtual-key", "response.lastUsedOptionJsonPath", _OPTION_OF + "lastUsedOptionIndex"
        ),
        "attempt": at("retry_success_count", _CAME + "retry-attempt-count"),
        "stream": at("stream_mode", values=_FLAGS),
        "status": at("is_success", values={"1": "ok", "1.0": "ok", "0": "error", "0.0": "error"}),
        "http_status": at("response_status_code", "response.status", "status"),
        "input_tokens": at("req_units"),
        "output_tokens": at("res_units"),
        "cost_usd": at("cost", unit="cents"),
        "prompt_name": at("prompt_slug"),
        "prompt_version": at("prompt_version_id"),
        "error_class": at("response.body.error.code", "response.error.code", _FAILED + ".code", _FAILED + ".type"),
        "request_body": at("request.body", "request", _OPTION_OF + "requestParams"),
        "response_body": at("response.body", "response", _OPTION_OF + "originalResponse.body", _OPTION_OF + "response"),
    },
    beside=("metadata", "request_url", "cache_status", _SENT + "config", _CAME + "cache-status"),
)


def _calls(record: dict[str, Any]) -> Iterable[Call]:
    options = record.get("requestOptions")
    if not isinstance(options, list):
        return (_call(record),)
    last = len(options) - 1
    status = {"status": record.get("status")}
    return each(
        (
            {"requestOptions": option, "place": place} | (status if place == last else {})
            for place, option in enumerate(options)
        ),
        _call,
    )


def _call(record: dict[str, Any]) -> Call:
    cached = record.get("cache_status") or _cache(record, {}) or _tried_cache(record, {})
    if isinstance(cached, str) and re.split("[ _-]", cached.lower())[-1] == "hit":
        return "cached_answer"
    return record | {"metadata": _pairs(mapping(record.get("metadata")))}


def _pairs(metadata: dict[str, Any]) -> dict[str, Any]:
    """The analytics keep metadata as a list of keys beside a list of values."""
    keys, values = metadata.get("key"), metadata.get("value")
    if isinstance(keys, list) and isinstance(values, list):
        return {str(key): value for key, value in zip(keys, values, strict=False)}
    return metadata


def _adjust(fields: dict[str, Any], record: dict[str, Any]) -> None:
    endpoints.fill(fields, record.get("request_url") or _url(record, {}) or _tried_url(record, {}))
    if "place" in record:
        fields["status"] = "error" if _refused(record, {}) else fields.get("status")
        fields["fallback"] = record["place"] > 0 or None
    config, option = mapping(_config(record, {})), _option(record, {})
    if fields.get("deployment") == "config":  # the only target of a config that names none
        del fields["deployment"]
    if mapping(config.get("strategy")).get("mode") == "fallback" and isinstance(option, str):
        found = _OPTION.match(option)
        fields["fallback"] = found is not None and int(found[1]) > 0


decode = JsonLog("portkey", FIELDS, _calls, _adjust, ("metadata",)).decode
