"""One vocabulary for what gateways call by many names: operations, finish reasons, outcomes, errors."""

import re
from functools import lru_cache

from undertow.outcome import NOT_GENERATING
from undertow.span import ErrorClass, FinishReason, Status

_OPERATIONS = {
    "chat": "chat",
    "completion": "chat",
    "anthropic_messages": "chat",
    "text_completion": "text_completion",
    "generate_content": "generate_content",
    "generate_content_stream": "generate_content",
    "call_llm": "generate_content",
    "responses": "responses",
    "embeddings": "embeddings",
    "embedding": "embeddings",
    "rerank": "rerank",
    "moderation": "moderation",
    "image_generation": "image_generation",
    "transcription": "transcription",
    "speech": "speech",
    "audio_generation": "speech",
    "translation": "transcription",
    "interactions": "chat",
}
"""Operation and call type names -> `operation`; LiteLLM puts an `a` before its asynchronous ones."""

_ENUM = re.compile(r"\w*reason[.(](\w+)|finish_reason_(\w+)", re.IGNORECASE)
"""How Python writes a member of an enum, `FinishReason.MAX_TOKENS`, and protobuf, `FINISH_REASON_STOP`."""

_FAMILIES = {"chat": "chat", "text": "text_completion", "response": "responses", "responses": "responses"}
_ANSWERS = {
    **dict.fromkeys(("embed", "embedding", "embeddings"), "embeddings"),
    **dict.fromkeys(("rerank", "reranking"), "rerank"),
    **dict.fromkeys(("moderation", "moderations", "moderate"), "moderation"),
    **dict.fromkeys(("transcription", "transcriptions", "transcribe"), "transcription"),
}
"""Words that tell what an operation answers with, wherever they stand in its name: `batch_embed_contents`."""

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
"""The words of an operation, however they are joined: `generateContent`, `chat.completions`, `text_completion`."""

_COUNTING = ("tokenize", "tokenization", "count_tokens")

_OTHER_OPERATIONS = {
    "invoke_agent": "agent",
    "create_agent": "agent",
    "invoke_workflow": "agent",
    "execute_task": "agent",
    "execute_tool": "tool",
    "retrieval": "not_llm_call",
    **dict.fromkeys(_COUNTING, "not_llm_call"),
}
"""Operations that are no LLM call -> why their spans are skipped. Counting tokens has input tokens and no answer."""

_FINISH: dict[str, FinishReason] = {
    **dict.fromkeys(("stop", "end_turn", "stop_sequence", "complete", "completed", "eos", "eos_token"), "stop"),
    **dict.fromkeys(("end_sequence", "stopped"), "stop"),
    **dict.fromkeys(("max_length", "token_limit_reached", "error_limit"), "length"),
    **dict.fromkeys(
        ("length", "max_tokens", "max_output_tokens", "incomplete", "model_length", "model_context_window_exceeded"),
        "length",
    ),
    **dict.fromkeys(("tool_calls", "tool_call", "tool_use", "function_call", "tool_execution"), "tool_calls"),
    **dict.fromkeys(
        (
            "content_filter",
            "error_toxic",
            "refusal",
            "safety",
            "content_filtered",
            "prohibited_content",
            "blocklist",
            "spii",
            "recitation",
            "image_safety",
            "language",
            "model_armor",
            "guardrail_intervened",
        ),
        "content_filter",
    ),
}

_ERRORS: dict[str, ErrorClass] = {
    "contentfilter": "content_filter",
    "contentfilterederror": "content_filter",
    "contentpolicyviolationerror": "content_filter",
    "contentfilterfinishreasonerror": "content_filter",
    "ratelimiterror": "rate_limited",
    "throttlingexception": "rate_limited",
    "ratelimitexceeded": "rate_limited",
    "resourceexhausted": "rate_limited",
    "timeout": "timeout",
    "authenticationerror": "auth",
    "permissiondeniederror": "auth",
    "accessdeniedexception": "auth",
    "internalservererror": "server_error",
    "serviceunavailableerror": "server_error",
    "badgatewayerror": "server_error",
    "overloadederror": "server_error",
    "apierror": "server_error",
    "midstreamfallbackerror": "server_error",
    "apiconnectionerror": "connection",
    "clientpayloaderror": "connection",
    "clientconnectionerror": "connection",
    "serverdisconnectederror": "connection",
    "ioexception": "connection",
    "interruptedioexception": "timeout",
    "socketexception": "connection",
    "eofexception": "connection",
    "connectionreseterror": "connection",
    "brokenpipeerror": "connection",
    "chunkedencodingerror": "connection",
    "protocolerror": "connection",
    "readerror": "connection",
    "writeerror": "connection",
    "remoteprotocolerror": "connection",
    "incompleteread": "connection",
    "contentlengtherror": "connection",
    "httpioexception": "connection",
    "unknownhostexception": "connection",
    "gaierror": "connection",
    "sslerror": "connection",
    "sslexception": "connection",
    "sslhandshakeexception": "connection",
    "sockettimeoutexception": "timeout",
    "badrequesterror": "invalid_request",
    "notfounderror": "invalid_request",
    "modelnotfounderror": "invalid_request",
    "unprocessableentityerror": "invalid_request",
    "contextwindowexceedederror": "invalid_request",
    "unsupportedparamserror": "invalid_request",
    "conflicterror": "invalid_request",
    "invalidrequesterror": "invalid_request",
    "permissionerror": "auth",
    "expiredtokenexception": "auth",
    "unrecognizedclientexception": "auth",
    "validationexception": "invalid_request",
    "resourcenotfoundexception": "invalid_request",
    "contextwindowoverflowexception": "invalid_request",
    "servicequotaexceededexception": "rate_limited",
    "modelnotreadyexception": "server_error",
    "modelerrorexception": "server_error",
    "modelstreamerrorexception": "server_error",
    "timeouterror": "timeout",
}
"""The last part of an error's type, in small letters without underscores -> its class."""

_STATUS: dict[str, Status] = {
    **dict.fromkeys(("ok", "success", "successful", "succeeded", "completed", "complete", "done", "true"), "ok"),
    **dict.fromkeys(("error", "err", "failure", "failed", "fail", "exception", "timeout", "false"), "error"),
    **dict.fromkeys(("cancelled", "canceled", "aborted", "disconnected"), "cancelled"),
}

_DISCONNECTS = {
    *("499", "abort", "aborted", "cancelled", "canceled", "clientdisconnected", "generatorexit"),
    *("aborterror", "apiuseraborterror", "cancelederror", "cancellederror"),
    *("cancellationexception", "jobcancellationexception", "operationcanceledexception", "taskcanceledexception"),
}


def operation(name: str) -> str | None:
    """Return the operation behind a name or a LiteLLM call type, None where the name is not among the known ones.

    Names are compared by their words: `chat.streaming_completions` is Semantic Kernel's `chat`.
    """
    known = _OPERATIONS.get(name) or (_OPERATIONS.get(name[1:]) if name.startswith("a") else None)
    return known or _by_first_word(name)


@lru_cache(1024)
def _by_first_word(name: str) -> str | None:
    words = _WORDS.findall(name)
    whole = "_".join(words).lower()
    if whole in _OPERATIONS:
        return _OPERATIONS[whole]
    answer = next((_ANSWERS[word.lower()] for word in words if word.lower() in _ANSWERS), None)
    if answer:
        return answer
    first, last = (words[0].lower(), words[-1].lower()) if len(words) > 1 else ("", "")
    return _FAMILIES.get(first) if last.startswith(("completion", "embedding", "stream")) else None


@lru_cache(1024)
def other_operation(name: str) -> str | None:
    """Return why spans of an operation are skipped, by its words; None where it may be a call of an LLM."""
    return _OTHER_OPERATIONS.get("_".join(_WORDS.findall(name)).lower())


@lru_cache(1024)
def counts_tokens(span: str) -> bool:
    """Return whether a span's name, a path or words with dots, ends in the counting of tokens."""
    last = re.split(r"[./ ]", span)[-1]
    return "_".join(_WORDS.findall(last)).lower() in _COUNTING


def generates(operation: str) -> bool:
    """Return whether an operation answers with tokens of a model; one that nobody here knows may."""
    return operation not in NOT_GENERATING


@lru_cache(1024)
def finish_reason(name: str) -> FinishReason:
    """Return why an answer ended, in one vocabulary, whatever the case of its words and the enum around them."""
    dressed = _ENUM.search(name)
    bare = (dressed[1] or dressed[2]) if dressed else name.strip()
    return _FINISH.get(bare.lower()) or _FINISH.get("_".join(_WORDS.findall(bare)).lower(), "other")


def http_status(code: str | int | None) -> int | None:
    """An HTTP status from 100 to 599 in a code that may be one."""
    found = int(code) if isinstance(code, int) or (code and code.isdecimal() and len(code) == 3) else 0
    return found if 100 <= found <= 599 else None


def status(word: str) -> Status | None:
    """How a call ended, by a word or an HTTP status; None where that cannot be said."""
    known = _STATUS.get(word.lower())
    if known is not None:
        return known
    code = http_status(word)
    if code is not None:
        return status_of(code)
    return "cancelled" if is_disconnect(word) else None


def status_of(code: int) -> Status:
    """How a call with this HTTP status ended; 499 is a client that went away."""
    return "cancelled" if code == 499 else "error" if code >= 400 else "ok"


def is_disconnect(*names: str | None) -> bool:
    """Whether one of an error's names says that the client went away."""
    return any(name is not None and name.rpartition(".")[2].lower() in _DISCONNECTS for name in names)


def error_class(kind: str | None, code: str | None) -> ErrorClass:
    """The class of a failure by the error's type name and its code, `429` or `content_filter` say."""
    status = http_status(code) or http_status(kind) or 0
    for name in (code, kind):
        bare = re.split(r"[.:$]", name)[-1].strip("'>").lower().replace("_", "") if name else ""
        if known := _error(bare):
            # `APIError` is what clients call all others, `IOException` what those of Java throw of an answer, too
            vague = (known == "server_error" and status < 500) or bare.endswith("ioexception")
            return _by_status(status) if vague and status >= 400 else known
    # a stream may break after a 200
    return _by_status(status) if status >= 400 else _by_words((kind or code or "").lower())


def _error(kind: str) -> ErrorClass | None:
    """What Python calls an error is an exception to Java and .NET."""
    known = _ERRORS.get(kind) or _ERRORS.get(kind.removesuffix("exception") + "error")
    return known or ("connection" if kind.endswith("ioexception") else None)  # `OpenAIIoException`


def _by_status(status: int) -> ErrorClass:
    exact: dict[int, ErrorClass] = {401: "auth", 403: "auth", 429: "rate_limited"}
    if status in (408, 504, 524):
        return "timeout"
    if status in exact:
        return exact[status]
    return "server_error" if status >= 500 else "invalid_request" if status >= 400 else "other"


def _by_words(name: str) -> ErrorClass:
    words: dict[str, ErrorClass] = {
        "timeout": "timeout",
        "timed_out": "timeout",
        "timed out": "timeout",
        "connect": "connection",
        "transferencoding": "connection",
        "throttl": "rate_limited",
        "ratelimit": "rate_limited",
        "rate_limit": "rate_limited",
        "auth": "auth",
        "overload": "server_error",
        "server": "server_error",
    }
    return next((found for word, found in words.items() if word in name), "other")
