"""Kong's log of a request, as kafka-log and the other log plugins write it, with the blocks of its AI plugins.

Written against the documentation of Kong Gateway 3.6 to 3.14 and Kong AI Gateway 2.0. Its traps: the block is named
`proxy`, or as the plugin with `prompt_token` in the singular; targets that failed stand in `tried_targets` alone,
without times and reasons; the cost is 0 unless prices are configured; -1 is a latency that was not measured.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from undertow_collectors.decode import endpoints, names
from undertow_collectors.decode.coerce import mapping, number, text
from undertow_collectors.decode.fieldmap import FieldMap, always, at
from undertow_collectors.decode.jsonlog import JsonLog

FIELDS = FieldMap(
    {
        "gateway": always("kong"),
        "labels.gateway_version": at("response.headers.via", "response.headers.server"),
        "labels.tenant": at("consumer.username", "consumer.custom_id"),
        "route": at("route.name"),
        "span_id": at("ai.*.attempt.id"),
        "trace_id": at("request.id", "response.headers.x-kong-request-id"),
        "attempt": at("ai.*.attempt.number"),
        "fallback": at("ai.*.attempt.fallback"),
        "started_at": at("started_at", unit="unix_ms"),
        "duration_s": at("ai.*.meta.llm_latency", "latencies.request", unit="ms"),
        "ttft_s": at("ai.*.usage.time_to_first_token", unit="ms"),
        "provider": at("ai.*.meta.provider_name", "ai.*.target.provider"),
        "model": at("ai.*.meta.request_model", "ai.*.target.model"),
        "response_model": at("ai.*.meta.response_model"),
        "server_address": at("ai.*.target.host"),
        "stream": at("ai.*.meta.request_mode", values={"stream": True, "oneshot": False}),
        "input_tokens": at("ai.*.usage.prompt_tokens", "ai.*.usage.prompt_token", "ai.*.usage.input_tokens"),
        "output_tokens": at("ai.*.usage.completion_tokens", "ai.*.usage.completion_token", "ai.*.usage.output_tokens"),
        "cached_input_tokens": at("ai.*.usage.prompt_tokens_details.cached_tokens"),
        "reasoning_tokens": at("ai.*.usage.completion_tokens_details.reasoning_tokens"),
        "cost_usd": at("ai.*.usage.cost"),
        "status": at("ai.*.attempt.status"),
        "http_status": at("response.status"),
        "request_body": at("ai.*.payload.request", "ai.payload.request"),
        "response_body": at("ai.*.payload.response"),
    },
    beside=("ai.*.tried_targets", "ai.*.cache", "ai.*.ai-llm-as-judge", "ai.*.meta.operation_name", "ai.*.target"),
)
_KEPT = ("request", "route", "consumer", "started_at")
_VERSION = re.compile(r"\bkong/([^\s,]+)")
_ROUTE_TYPES = {
    "llm/v1/chat": "chat",
    "llm/v1/completions": "text_completion",
    "llm/v1/responses": "responses",
    "llm/v1/embeddings": "embeddings",
}


def _calls(record: dict[str, Any]) -> Iterable[dict[str, Any] | str]:
    blocks = record.get("ai")
    found = [
        call
        for name, block in (blocks.items() if isinstance(blocks, dict) else ())
        if isinstance(block, dict)
        for call in _of_block(name, block, record)
    ]
    return found or ["not_llm_call"]


def _of_block(name: str, block: dict[str, Any], record: dict[str, Any]) -> Iterator[dict[str, Any] | str]:
    """The attempts of one plugin at its call: those that failed first, then the last, of which the block tells."""
    listed = block.get("tried_targets")
    targets = [t for t in (listed if isinstance(listed, list) else ()) if isinstance(t, dict)]
    if not targets and not isinstance(block.get("meta"), dict):
        return
    if str(mapping(block.get("cache")).get("cache_status")).lower() == "hit":
        yield "cached_answer"
        return
    for index, target in enumerate(targets[:-1]):
        attempt = _attempt(record, f"{name}:{index}", targets[: index + 1]) | {"status": "error"}
        yield _without_answer(record) | {"ai": {"*": {"target": target, "attempt": attempt}}}
    last = {"target": targets[-1] if targets else {}, "attempt": _attempt(record, name, targets)}
    yield record | {"ai": {"*": block | last, "payload": mapping(record.get("ai")).get("payload")}}


def _attempt(record: dict[str, Any], name: str, targets: list[dict[str, Any]]) -> dict[str, Any]:
    """The last of `targets` as an attempt of the request; its id needs the request's."""
    request = text(mapping(record.get("request")).get("id"))
    found: dict[str, Any] = {"id": f"{request}:{name}"} if request else {}
    if targets:
        others = (_identity(target) != _identity(targets[-1]) for target in targets[:-1])
        found |= {"number": len(targets) - 1, "fallback": any(others)}
    return found


def _without_answer(record: dict[str, Any]) -> dict[str, Any]:
    """What a record says of the attempts before the last: who asked, and when the request began."""
    headers = mapping(record.get("response")).get("headers")
    return {name: record[name] for name in _KEPT if name in record} | {"response": {"headers": headers}}


def _identity(target: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(target.get(name) for name in ("provider", "model", "host", "upstream_uri"))


def _adjust(fields: dict[str, Any], call: dict[str, Any]) -> Iterable[str]:
    block = call["ai"]["*"]
    target, meta = mapping(block.get("target")), mapping(block.get("meta"))
    asked = names.operation(str(meta.get("operation_name"))) or _ROUTE_TYPES.get(str(target.get("route_type")))
    if asked:
        fields["operation"] = asked
    endpoints.fill(fields, target.get("upstream_uri") or call.get("upstream_uri"))
    if fields.get("response_model") == fields.get("model"):
        fields.pop("response_model", None)  # Kong repeats what was asked where the provider says nothing
    if not fields.get("cost_usd"):
        fields.pop("cost_usd", None)
    if not fields.get("stream"):
        fields.pop("ttft_s", None)  # the whole duration, of answers in one piece
    _version(fields)
    return (*_judged(fields, block), *(("status",) if "status" in block["attempt"] else ()))


def _version(fields: dict[str, Any]) -> None:
    labels = fields.get("labels") or {}
    found = _VERSION.search(labels.pop("gateway_version", ""))
    if found:
        labels["gateway_version"] = found[1]


def _judged(fields: dict[str, Any], block: dict[str, Any]) -> Iterable[str]:
    """The verdict of Kong's LLM-as-judge, 1 to 100, as a score."""
    verdict = number(mapping(mapping(block.get("ai-llm-as-judge")).get("usage")).get("llm_accuracy"))
    if verdict is not None and 0 <= verdict <= 100:
        fields["score"] = verdict / 100
        return ("score",)
    return ()


decode = JsonLog("kong", FIELDS, _calls, _adjust).decode
