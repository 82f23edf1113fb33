"""What attributes mean to one instrumentation alone, which others use in another way: by the scope that wrote the span.

Attributes that only one library has stand in `attributes.PLAN`, whoever wrote them.
"""

from collections.abc import Mapping
from functools import lru_cache

from undertow_collectors.decode import adk, mlflow
from undertow_collectors.decode.attributes import PLAN, Slot

DIALECTS: dict[str, Mapping[str, str]] = {
    "com.anthropic.claude_code": {
        "input_tokens": "input_tokens",
        "output_tokens": "output_tokens",
        "cache_read_tokens": "cached_input_tokens",
        "cache_creation_tokens": ".cache_write",
        "ttft_ms": ".first_chunk_ms",
        "stop_reason": ".finish_reasons",
        "model": "model",
    },
    "crewai": {"gen_ai.response.model": ".asked_again"},
    mlflow.SCOPE: mlflow.DIALECT,
    adk.SCOPE: adk.DIALECT,
    "io.quarkus.opentelemetry": {"gen_ai.request.top_p": ".top_p"},
    "strands.telemetry": {"gen_ai.server.time_to_first_token": ".first_chunk_ms"},
}
"""What a scope's name begins with -> attribute -> the slot that it fills."""


_PLANS = {
    start: PLAN | {attribute: Slot(slot, 0) for attribute, slot in dialect.items()}
    for start, dialect in DIALECTS.items()
}


@lru_cache(256)
def plan_of(scope: str) -> Mapping[str, Slot]:
    """Return what attributes mean in spans of an instrumentation scope: PLAN itself where that has no dialect."""
    return next((plan for start, plan in _PLANS.items() if scope.startswith(start)), PLAN)
