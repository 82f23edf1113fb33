"""OTLP requests for tests, in both encodings."""

from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

TRACE, ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
START = 1_790_000_000_000_000_000
CALL = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}


def any_value(value: Any) -> dict[str, Any]:
    """A Python value as an OTLP/JSON AnyValue."""
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": pairs(value)}}
    kind = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}[type(value)]
    return {kind: str(value) if kind == "intValue" else value}


def span_json(attributes: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """One OTLP/JSON span of a call, with `attributes` beside the usual three."""
    found = CALL if attributes is None else attributes
    return {
        "traceId": TRACE,
        "spanId": ID,
        "name": "chat gpt-4o",
        "kind": 3,
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 2_500_000_000),
        "attributes": pairs(found),
    } | changes


def pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    """Python values as OTLP/JSON attributes."""
    return [{"key": key, "value": any_value(value)} for key, value in attributes.items()]


def logs(*records: dict[str, Any], service: str = "edge") -> dict[str, Any]:
    """An OTLP/JSON request of log records."""
    resource = {"attributes": pairs({"service.name": service})}
    return {
        "resourceLogs": [
            {"resource": resource, "scopeLogs": [{"scope": {"name": "test"}, "logRecords": list(records)}]}
        ]
    }


def event_json(name: str, attributes: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """One OTLP/JSON log record of an event inside of the span of `span_json`."""
    return {
        "timeUnixNano": str(START + 2_500_000_000),
        "eventName": name,
        "traceId": TRACE,
        "spanId": ID,
        "attributes": pairs(attributes),
    } | changes


def protobuf_logs(body: dict[str, Any]) -> bytes:
    """A request of log records in protobuf, made by another road than ours."""
    found = LogsData()
    for group in body["resourceLogs"]:
        into = found.resource_logs.add()
        for attribute in group["resource"]["attributes"]:
            into.resource.attributes.add(key=attribute["key"], value=to_proto(attribute["value"]))
        for record in (record for scoped in group["scopeLogs"] for record in scoped["logRecords"]):
            one = into.scope_logs.add().log_records.add(
                time_unix_nano=int(record["timeUnixNano"]),
                trace_id=bytes.fromhex(record["traceId"]),
                span_id=bytes.fromhex(record["spanId"]),
                event_name=record["eventName"],
            )
            for attribute in record["attributes"]:
                one.attributes.add(key=attribute["key"], value=to_proto(attribute["value"]))
    return found.SerializeToString()


def request(*spans: dict[str, Any], service: str = "edge", scope: str = "test") -> dict[str, Any]:
    """An OTLP/JSON request."""
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": scope}, "spans": list(spans)}]}]}


def protobuf(body: dict[str, Any]) -> bytes:
    """The same request in protobuf, made by another road than ours."""
    traces = TracesData()
    for group in body["resourceSpans"]:
        into = traces.resource_spans.add()
        for attribute in group["resource"]["attributes"]:
            into.resource.attributes.add(key=attribute["key"], value=to_proto(attribute["value"]))
        for scoped in group["scopeSpans"]:
            scope = into.scope_spans.add()
            scope.scope.name = scoped["scope"]["name"]
            for span in scoped["spans"]:
                one = scope.spans.add(
                    trace_id=bytes.fromhex(span["traceId"]),
                    span_id=bytes.fromhex(span["spanId"]),
                    parent_span_id=bytes.fromhex(span.get("parentSpanId", "")),
                    name=span["name"],
                    start_time_unix_nano=int(span["startTimeUnixNano"]),
                    end_time_unix_nano=int(span["endTimeUnixNano"]),
                    kind=span["kind"],
                )
                one.status.code = span.get("status", {}).get("code", 0)
                one.status.message = span.get("status", {}).get("message", "")
                for attribute in span["attributes"]:
                    one.attributes.add(key=attribute["key"], value=to_proto(attribute["value"]))
                for event in span.get("events", []):
                    into_event = one.events.add(name=event["name"], time_unix_nano=int(event["timeUnixNano"]))
                    for attribute in event.get("attributes", []):
                        into_event.attributes.add(key=attribute["key"], value=to_proto(attribute["value"]))
    return traces.SerializeToString()


def to_proto(value: dict[str, Any]) -> AnyValue:
    """An OTLP/JSON AnyValue as a protobuf one."""
    found = AnyValue()
    kind, content = next(iter(value.items()))
    if kind == "arrayValue":
        found.array_value.values.extend(to_proto(item) for item in content["values"])
    elif kind == "kvlistValue":
        for item in content["values"]:
            found.kvlist_value.values.add(key=item["key"], value=to_proto(item["value"]))
    else:
        name = {"stringValue": "string_value", "boolValue": "bool_value", "intValue": "int_value"}
        setattr(found, name.get(kind, "double_value"), int(content) if kind == "intValue" else content)
    return found
