"""JSON within attributes may hold anything anywhere, which costs no more than the fields that it was read for."""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from tests.collectors.decode.conftest import FORMATS
from tests.collectors.decode.otlp_bodies import request, span_json

from undertow.batch import Decoded, Message
from undertow_collectors.decode import answer
from undertow_collectors.decode.otlp_schema import DecodeError

Read = Callable[..., Decoded]
Path = tuple[str | int, ...]
FOLDERS = sorted({path.parent.name for path in FORMATS.glob("*/*.pb*")})
ODD: tuple[Any, ...] = ([{"a": 1}], {"a": [1]})
"""What no dict takes for a key, and no set for a member."""
LONGEST = 20_000


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where values stand in a JSON value, itself first; of a list the first three count."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    for key, item in inner:
        yield from paths(item, (*path, key))


def put(value: Any, path: Path, odd: Any) -> Any:
    """The value with another one at a path."""
    if not path:
        return odd
    key, *rest = path
    copied = value.copy()
    copied[key] = put(value[key], tuple(rest), odd)
    return copied


def spoiled(messages: list[Message]) -> Iterator[bytes]:
    """Each span of a capture alone, once for each odd value at each new place in the JSON of its attributes."""
    seen: set[tuple[str, Path]] = set()
    for message in messages:
        try:
            traces = TracesData.FromString(message.value)
        except DecodeError:  # logs, or another encoding of spans
            continue
        for group in traces.resource_spans:
            for scoped in group.scope_spans:
                for span in scoped.spans:
                    alone = TracesData()
                    into = alone.resource_spans.add(resource=group.resource).scope_spans.add(scope=scoped.scope)
                    copied = into.spans.add()
                    copied.CopyFrom(span)
                    held = [copied.attributes, *(event.attributes for event in copied.events)]
                    yield from _spoiled(alone, itertools.chain(*held), seen)


def _spoiled(alone: Any, attributes: Iterable[Any], seen: set[tuple[str, Path]]) -> Iterator[bytes]:
    for attribute in attributes:
        text = attribute.value.string_value
        try:
            value = json.loads(text) if text[:1] in ("{", "[") and len(text) < LONGEST else None
        except ValueError:
            continue
        for path in paths(value) if value is not None else ():
            shape = attribute.key, tuple(key if isinstance(key, str) else 0 for key in path)
            for odd in ODD if shape not in seen else ():
                attribute.value.string_value = json.dumps(put(value, path, odd))
                yield alone.SerializeToString()
            seen.add(shape)
        attribute.value.string_value = text


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_value_of_another_type_breaks_a_decoder(folder: str, capture: Any, read: Read) -> None:
    """Wherever libraries keep JSON in attributes, a list or an object in place of a word does not cost the message."""
    for body in spoiled(capture(folder)):
        assert not [reject for reject in read(body).rejects if reject.reason == "decoder_error"]


def test_reasoning_of_an_odd_type_in_a_text(read: Read) -> None:
    """The same of JSON within the JSON: a text of MLflow's messages that looks like a block of a provider."""
    parts = [{"type": "text", "content": '{"type": ["thinking"]}'}]
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": parts}]),
    }
    assert len(read(request(span_json(attributes), scope="mlflow.tracing")).spans) == 1


def test_the_check_finds_a_decoder_that_trusts_a_type(
    capture: Any, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: one that takes the id in a provider's body for something that can be hashed is found."""
    identity = answer.identity
    monkeypatch.setattr(answer, "identity", lambda body: identity(body) if {body.get("id") if body else 0} else {})
    with pytest.raises(AssertionError):
        test_no_value_of_another_type_breaks_a_decoder("genkit-1.42.0", capture, read)
