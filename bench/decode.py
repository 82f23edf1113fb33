"""What decoding costs beside the parser alone, on the same messages in the same run, in spans a second.

The messages are made from one seed: native objects one a message, OTLP protobuf of 50 spans with 15 GenAI attributes
each, and StandardLoggingPayloads with a prompt and an answer.
"""

import gc
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
import pyarrow as pa
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from undertow.batch import Batch, Message, Origin
from undertow.span import Span
from undertow.store import rows
from undertow_collectors.decode.runs import decode_run
from undertow_collectors.kafka import COLLECT

PER_MESSAGE = 50
POLL = 1_000
"""Messages decoded at once."""
ROUNDS = 5
SAMPLE = 2_000
"""Distinct messages; they are gone through as often as the number of spans asks."""


def run(spans: int) -> Iterator[dict[str, Any]]:
    """One object of CONTRACTS 7 for each format; `spans` are decoded in each round, the best of ROUNDS counts."""
    gc.set_threshold(*COLLECT)  # as in the process that reads Kafka
    rng = random.Random(7)
    native = [native_message(rng, index) for index in range(SAMPLE)]
    typed = msgspec.json.Decoder(Span).decode
    yield _compare("decode.native", native, 1, spans, typed, "msgspec typed parse")
    otlp = [otlp_message(rng) for _ in range(SAMPLE // PER_MESSAGE)]
    yield _compare("decode.otlp", otlp, PER_MESSAGE, spans, TracesData.FromString, "protobuf parse")
    litellm = [litellm_message(rng, index) for index in range(SAMPLE)]
    yield _compare("decode.litellm", litellm, 1, spans, orjson.loads, "orjson parse")


def native_message(rng: random.Random, index: int) -> bytes:
    """One native span of the usual twenty fields."""
    return msgspec.json.encode(
        {
            "span_id": f"{rng.getrandbits(64):016x}",
            "trace_id": f"{rng.getrandbits(128):032x}",
            "started_at": 1.79e9 + index,
            "provider": "openai",
            "model": "gpt-4o",
            "gateway": "edge",
            "deployment": "openai-primary",
            "response_model": "gpt-4o-2024-11-20",
            "system_fingerprint": "fp_4e706aec50",
            "operation": "chat",
            "route": "support",
            "stream": True,
            "input_tokens": rng.randrange(4000),
            "output_tokens": rng.randrange(800),
            "max_tokens": 1024,
            "temperature": 0.2,
            "duration_s": rng.uniform(1.0, 9.0),
            "ttft_s": rng.uniform(0.1, 1.0),
            "cost_usd": 0.0004,
            "status": "ok",
            "finish_reason": "stop",
            "parse_ok": True,
        }
    )


def otlp_message(rng: random.Random) -> bytes:
    """An OTLP request of PER_MESSAGE spans with 15 attributes each."""
    traces = TracesData()
    resource = traces.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "edge"
    scope = resource.scope_spans.add()
    for _ in range(PER_MESSAGE):
        start = 1_790_000_000_000_000_000 + rng.getrandbits(40)
        span = scope.spans.add(
            trace_id=rng.randbytes(16),
            span_id=rng.randbytes(8),
            name="chat gpt-4o",
            kind=3,
            start_time_unix_nano=start,
            end_time_unix_nano=start + 10**9 + rng.getrandbits(32),
        )
        for key, value in otlp_attributes(rng).items():
            _set(span.attributes.add(key=key).value, value)
    return traces.SerializeToString()


def otlp_attributes(rng: random.Random) -> dict[str, Any]:
    """Fifteen GenAI attributes of one call."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.max_tokens": 1024,
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.stream": True,
        "gen_ai.response.id": f"chatcmpl-{rng.getrandbits(96):024x}",
        "gen_ai.response.model": "gpt-4o-2024-11-20",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.time_to_first_chunk": rng.uniform(0.1, 1.0),
        "gen_ai.usage.input_tokens": rng.randrange(4000),
        "gen_ai.usage.output_tokens": rng.randrange(800),
        "gen_ai.usage.cache_read.input_tokens": 0,
        "openai.response.system_fingerprint": "fp_4e706aec50",
        "server.address": "api.openai.com",
    }


def litellm_message(rng: random.Random, index: int) -> bytes:
    """A StandardLoggingPayload in its envelope, with prompt and answer, about 4 kB."""
    start = 1.79e9 + index
    answer = " ".join(rng.choices(_WORDS, k=120))
    usage = {"prompt_tokens": 420, "completion_tokens": 150, "prompt_tokens_details": {"cached_tokens": 128}}
    payload = {
        "id": f"chatcmpl-{rng.getrandbits(96):024x}",
        "trace_id": f"{rng.getrandbits(128):032x}",
        "litellm_call_id": f"{rng.getrandbits(128):032x}",
        "call_type": "acompletion",
        "stream": True,
        "status": "success",
        "custom_llm_provider": "openai",
        "startTime": start,
        "endTime": start + 2.5,
        "completionStartTime": start + 0.4,
        "response_cost": 0.0004,
        "prompt_tokens": 420,
        "completion_tokens": 150,
        "model": "openai/gpt-4o",
        "model_group": "gpt-4o",
        "model_id": "openai-primary",
        "api_base": "https://api.openai.com/v1",
        "metadata": {"requester_metadata": {"prompt_version": "v2"}, "usage_object": usage},
        "messages": [{"role": "user", "content": " ".join(rng.choices(_WORDS, k=300))}],
        "model_parameters": {"temperature": 0.2, "max_tokens": 1024, "stream": True},
        "response": {
            "id": "chatcmpl-1",
            "model": "gpt-4o",
            "system_fingerprint": "fp_4e706aec50",
            "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": answer}}],
            "usage": usage,
        },
        "error_information": {"error_code": "", "error_class": ""},
    }
    return msgspec.json.encode({"_event": "success", "standard_logging_object": payload})


_WORDS = ("provider", "quick", "brown", "silently", "updated", "model", "production", "lazy")


def _set(value: Any, found: Any) -> None:
    if isinstance(found, list):
        value.array_value.values.add().string_value = found[0]
        return
    kind = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}[type(found)]
    setattr(value, kind, found)


def columns(messages: Sequence[Message]) -> pa.Table:
    """From bytes to the rows of a commit, as the Kafka source and the store do it for one poll of one partition."""
    batch = Batch()
    for part in decode_run(messages):
        batch.add(*part)
    return rows.table(batch)


def _compare(
    name: str, bodies: list[bytes], per_message: int, spans: int, parse: Callable[[bytes], Any], limit: str
) -> dict[str, Any]:
    """Both sides take turns, so that other load on the machine meets both; both keep what they made of a poll."""
    messages = [Message(Origin("bench", 0, offset), body) for offset, body in enumerate(bodies)]
    polls = [messages[at : at + POLL] for at in range(0, len(messages), POLL)]
    found = sum(columns(poll).num_rows for poll in polls)
    if found != len(bodies) * per_message:
        raise AssertionError(f"{name}: {found} spans of {len(bodies) * per_message}")
    ours, alone = Clocks(), Clocks()
    rounds = max(ROUNDS, spans // found)
    for _ in range(rounds):
        ours.lap(columns, polls)
        alone.lap(lambda poll: [parse(message.value) for message in poll], polls)
    return {
        "bench": name,
        "value": round(found / ours.cpu),
        "unit": "spans/cpu-s",
        "limit": limit,
        "limit_value": round(found / alone.cpu),
        "ratio": round(alone.cpu / ours.cpu, 3),
        "spans": found * rounds,
        "note": f"{len(bodies[0]) // per_message} bytes a span, {per_message} a message, to Arrow columns; "
        f"by the wall clock {alone.wall / ours.wall:.3f}",
    }


@dataclass
class Clocks:
    """Seconds of the best lap, of this process's processor time and by the wall clock."""

    cpu: float = math.inf
    wall: float = math.inf

    def lap(self, work: Callable[[Sequence[Message]], Any], polls: Sequence[Sequence[Message]]) -> None:
        """Time the work on each poll in turn, and giving up what it made once the next is done."""
        wall, cpu = time.perf_counter(), time.process_time()
        for poll in polls:
            made = work(poll)
        del made
        self.cpu, self.wall = min(self.cpu, time.process_time() - cpu), min(self.wall, time.perf_counter() - wall)
