"""A span or an event record of any kind, as OTLP carries it, whichever encoding it came in."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from undertow.instrumentation import Instrumentation, named
from undertow.span import Rejected

SERVER = 2
"""SPAN_KIND_SERVER."""

EVENT = -1
"""Instead of a kind of span: the record is an event that was logged, whose time is its start."""


class Event(NamedTuple):
    """An event of a span; `kind` is its exception type, `attributes` its attributes as Python values."""

    name: str
    time_ns: int
    kind: str | None
    attributes: Callable[[], Mapping[str, Any]] = dict


class Record(NamedTuple):
    """A span of any kind, as OTLP carries it; ids in hex. Values come out of `read`, only where they are wanted.

    `message` is what the status says; it may quote anything, so nothing but codes and classes is taken out of it.
    `dropped` is how many attributes a limit of the exporter took away.
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start_ns: int
    end_ns: int
    failed: bool
    attributes: Mapping[str, Any]
    read: Callable[[Any], Any]
    events: Callable[[], list[Event]]
    kind: int = 0
    message: str = ""
    dropped: int = 0


class Source(NamedTuple):
    """Who sent a span: `service.name` and `service.version`, None where not set, and the instrumentation scope."""

    service: str | None
    version: str | None
    scope: str
    scope_version: str = ""

    def instrumentation(self, name: str) -> Instrumentation:
        """Return who wrote the span; an instrumentation without a name has that of the format."""
        return named(self.scope or name, self.scope_version)


def checked_id(found: str, digits: int, name: str) -> str:
    """A trace or span id in lower-case hex; raises Rejected with reason `missing_<name>` or `invalid_<name>`."""
    if not found.strip("0"):
        raise Rejected(f"missing_{name}")
    if len(found) != digits:
        raise Rejected(f"invalid_{name}", f"not {digits} hexadecimal digits")
    return found


def logged(
    ids: tuple[str, str], name: str, time_ns: int, attributes: Mapping[str, Any], read: Callable[[Any], Any]
) -> Record:
    """The Record of a log record; `ids` of its trace and span are empty where it stands alone."""
    trace_id, span_id = ids if all(found.strip("0") for found in ids) else ("", "")
    return Record(trace_id, span_id, "", name, time_ns, 0, False, attributes, read, list, EVENT)


def text_of(value: Any) -> str | None:
    """A string that says something."""
    return value if isinstance(value, str) and value else None


def service_of(name: Any) -> str | None:
    """`service.name`, unless the SDK made it up."""
    found = text_of(name)
    return None if found is None or found.startswith("unknown_service") else found
