"""How a call ended, where its log does not say, and what a failure is called that names nobody.

An instrumentation may export a refused call as a bare span: no error, no id, no usage, no reason why it ended. Such a
call has the status `ok`, for nothing says otherwise, and its outcome is not known.
"""

from undertow.span import Span

UNKNOWN = "unknown"
"""The provider or the model of a call whose log names none."""

NO_OUTCOME = "no_outcome"
"""What the outcome of a bare call is called among the classes of errors."""

NOT_GENERATING = ("embeddings", "rerank", "moderation", "image_generation", "transcription", "speech")
"""Operations that answer with no text of a model; an operation that nobody here knows is taken for one that does."""

EVIDENCE = (
    "response_id",
    "output_tokens",
    "finish_reason",
    "ttft_s",
    "http_status",
    "response_chars",
    "tool_call_count",
    "parse_ok",
    "refusal",
    "task_success",
    "score",
)
"""Fields of the span that each show that there was an answer. The served model does not: some repeat the request."""


def is_bare(span: Span) -> bool:
    """Return whether nothing shows an answer of a call that should have one and is not said to have failed."""
    return (
        span.status == "ok"
        and span.operation not in NOT_GENERATING
        and all(getattr(span, name) is None for name in EVIDENCE)
    )
