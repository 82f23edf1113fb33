"""One vocabulary for what gateways call by many names: providers, operations, finish reasons, errors."""

import re
from functools import lru_cache
from typing import Any

from undertow.outcome import NOT_GENERATING
from undertow.span import ErrorClass, FinishReason, Status

PROVIDERS = {
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "azure_text": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "vertex_ai": "gcp.vertex_ai",
    "vertex_ai_beta": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "google_ai_studio": "gcp.gemini",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "xai": "x_ai",
    "watsonx": "ibm.watsonx.ai",
    "moonshot": "moonshot_ai",
    "cohere_chat": "cohere",
    "text-completion-openai": "openai",
    "custom_openai": "openai",
    "google": "gcp.gen_ai",
    "google_genai": "gcp.gen_ai",
    "google-genai": "gcp.gen_ai",
    "aws": "aws.bedrock",
    "azure-openai": "azure.ai.openai",
    "azure-ai": "azure.ai.inference",
    "aws-bedrock": "aws.bedrock",
    "vertex": "gcp.vertex_ai",
    "vertex-ai": "gcp.vertex_ai",
    "google-vertex-ai": "gcp.vertex_ai",
    "google-ai-studio": "gcp.gemini",
    "mistral-ai": "mistral_ai",
    "perplexity-ai": "perplexity",
    "x-ai": "x_ai",
    "grok": "x_ai",
    "amazon_bedrock": "aws.bedrock",
    "amazon-bedrock": "aws.bedrock",
    "amazonbedrock": "aws.bedrock",
    "amazon": "aws.bedrock",
    "bedrock-runtime": "aws.bedrock",
    "google_vertexai": "gcp.vertex_ai",
    "google.vertex": "gcp.vertex_ai",
    "google_vertex_ai": "gcp.vertex_ai",
    "google-vertex": "gcp.vertex_ai",
    "google.generative-ai": "gcp.gemini",
    "google-generative-ai": "gcp.gemini",
    "googleai": "gcp.gemini",
    "google_ai": "gcp.gemini",
    "azure.openai": "azure.ai.openai",
    "azureopenai": "azure.ai.openai",
    "azure-openai-responses": "azure.ai.openai",
    "azure.inference": "azure.ai.inference",
    "azure_ai_inference": "azure.ai.inference",
    "fireworks": "fireworks_ai",
    "together": "together_ai",
    "togetherai": "together_ai",
    "cohere_v2": "cohere",
    "googlegenai": "gcp.gen_ai",
    "googleaigemini": "gcp.gemini",
    "vertexaigemini": "gcp.vertex_ai",
    "anthropic_beta": "anthropic",
    "azure_ai_foundry": "azure.ai.inference",
    "amazon_bedrock_converse": "aws.bedrock",
    "bedrock.anthropic": "aws.bedrock",
    "googlevertex": "gcp.vertex_ai",
    "googlevertex.anthropic": "gcp.vertex_ai",
    "vertex.anthropic": "gcp.vertex_ai",
    "vertexai_gemini": "gcp.vertex_ai",
    "google-gla": "gcp.gemini",
    "gcp_gemini": "gcp.gemini",
    "perplexityai": "perplexity",
    "ibm": "ibm.watsonx.ai",
    "ibm-watsonx": "ibm.watsonx.ai",
    "watsonx.ai": "ibm.watsonx.ai",
    "moonshotai": "moonshot_ai",
}
"""Other names of a provider -> the OTel GenAI one.

Where they come from: LiteLLM's `custom_llm_provider`, Portkey's and APISIX's provider words, LangChain's package names
(`amazon_bedrock`, `google_vertexai`), Vercel's AI SDK (`azure.openai`, `google.vertex`), class names of
LlamaIndex and Haystack.
"""

_LAST_WORD = re.compile(r"[-_ ](?:chat|responses|messages|completions?|embeddings?|converse)$", re.IGNORECASE)
_PARTS = {
    "chat",
    "responses",
    "messages",
    "completion",
    "completions",
    "embedding",
    "embeddings",
    "image",
    "generative-ai",
}
"""What clients put behind a provider's name with a dot, for the part of its API that they call."""

HOSTS = {
    "api.openai.com": "openai",
    "api.anthropic.com": "anthropic",
    "api.mistral.ai": "mistral_ai",
    "api.groq.com": "groq",
    "api.deepseek.com": "deepseek",
    "api.x.ai": "x_ai",
    "api.cohere.com": "cohere",
    "api.perplexity.ai": "perplexity",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "api.cohere.ai": "cohere",
    "api.together.xyz": "together_ai",
    "api.together.ai": "together_ai",
    "api.fireworks.ai": "fireworks_ai",
    "openrouter.ai": "openrouter",
    "api.moonshot.ai": "moonshot_ai",
    "api.cerebras.ai": "cerebras",
    "openai.azure.com": "azure.ai.openai",
    "cognitiveservices.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.inference",
    "inference.ai.azure.com": "azure.ai.inference",
    "ml.cloud.ibm.com": "ibm.watsonx.ai",
}
"""Hosts of providers; one below them, `eu.api.openai.com` or the name of a resource, is theirs, too."""

_BEDROCK_HOST = re.compile(r"bedrock-(?:runtime|mantle)(?:-fips)?\.[\w-]+\.(?:amazonaws\.com|api\.aws)(?:\.cn)?")
_VERTEX_HOST = re.compile(r"[\w-]+-aiplatform\.googleapis\.com")

OPERATIONS = {
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

_CLASS = re.compile(r"(\w+?)(?:Chat|Responses|Text|Document)*(?:Generator|Embedder|Embeddings?)")
"""What frameworks call the classes by which they reach a provider."""

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

OTHER_OPERATIONS = {
    "invoke_agent": "agent",
    "create_agent": "agent",
    "invoke_workflow": "agent",
    "execute_task": "agent",
    "execute_tool": "tool",
    "retrieval": "not_llm_call",
    **dict.fromkeys(_COUNTING, "not_llm_call"),
}
"""Operations that are no LLM call -> why their spans are skipped. Counting tokens has input tokens and no answer."""

_ONLY = (
    ("gemini-", "gcp.gen_ai"),
    ("models/gemini-", "gcp.gemini"),
    ("publishers/", "gcp.vertex_ai"),
    ("projects/", "gcp.vertex_ai"),
    ("accounts/fireworks/", "fireworks_ai"),
)
"""What the names of models begin with that only one provider serves, whichever of its endpoints."""

_BEDROCK = re.compile(
    r"(?:arn:aws[\w-]*:bedrock:|(?:(?:us|eu|apac|jp|au|ca|global|us-gov)\.)?"
    r"(?:ai21|amazon|anthropic|cohere|deepseek|meta|mistral|qwen|writer|openai)\.[\w-]+-(?:v\d+(?::\w+)*|\d+:\d+)$|"
    r"(?:us|eu|apac|jp|au|ca|global|us-gov)\.(?:ai21|amazon|anthropic|cohere|deepseek|meta|mistral|writer)\.)"
)
"""How only Bedrock names its models and the profiles of several regions that it serves them by."""

FRAMEWORKS = {
    "strands-agents",
    "langchain",
    "langgraph",
    "langsmith",
    "llamaindex",
    "llama_index",
    "crewai",
    "autogen",
    "semantic_kernel",
    "semantic-kernel",
    "haystack",
    "spring_ai",
    "smolagents",
    "dspy",
    "agno",
    "openai_agents",
    "pydantic_ai",
    "mastra",
    "genkit",
    "microsoft.agent_framework",
    "gcp.vertex.agent",
}
"""What some frameworks write as a provider's name: themselves, whoever serves the model."""

_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "complete": "stop",
    "completed": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "incomplete": "length",
    "max_length": "length",
    "token_limit_reached": "length",
    "error_limit": "length",
    "error_toxic": "content_filter",
    "end_sequence": "stop",
    "stopped": "stop",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "tool_calls": "tool_calls",
    "tool_call": "tool_calls",
    "tool-calls": "tool_calls",
    "content-filter": "content_filter",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "tool_execution": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "safety": "content_filter",
    "content_filtered": "content_filter",
    "prohibited_content": "content_filter",
    "blocklist": "content_filter",
    "spii": "content_filter",
    "recitation": "content_filter",
    "image_safety": "content_filter",
    "language": "content_filter",
    "model_armor": "content_filter",
    "malformed_function_call": "other",
    "guardrail_intervened": "content_filter",
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
    "499",
    "abort",
    "aborted",
    "clientdisconnected",
    "cancellederror",
    "cancelled",
    "canceled",
    "generatorexit",
} | {
    *("aborterror", "apiuseraborterror", "cancelederror", "cancellationexception", "jobcancellationexception"),
    *("operationcanceledexception", "taskcanceledexception"),
}


@lru_cache(1024)
def provider(name: str) -> str:
    """Return the OTel GenAI name of a provider; one that is not known is left as it is."""
    found = _BY_LETTERS.get(_letters(name))
    if found:
        return found
    whole, part = _LAST_WORD.sub("", name), name.rpartition(".")[2]
    known = _BY_LETTERS.get(_letters(whole)) if whole != name else None
    return known or (provider(name[: -len(part) - 1]) if part.lower() in _PARTS and part != name else name)


def _letters(name: str) -> str:
    """A name without its case and the signs between its words, of which each library has others."""
    return "".join(filter(str.isalnum, name)).lower()


def known_provider(name: str) -> str | None:
    """Return the OTel GenAI name of a provider, None for a word that is the name of none."""
    found = provider(name)
    return found if found in _KNOWN else None


def provider_in(class_name: str) -> str | None:
    """Return the provider in the name of a framework's class, `OpenAIChatGenerator` say, None where there is none."""
    found = _CLASS.fullmatch(class_name)
    return found[1] if found and is_provider(found[1]) else None


def is_provider(name: str) -> bool:
    """Return whether a name is that of a provider, by any of its names."""
    return _letters(name) in _BY_LETTERS


def provider_of(model: str, server_address: str | None) -> str:
    """A guess for records that do not name their provider: by host, by the model's prefix, else `unknown`."""
    host = _of_host(server_address.lower().partition(":")[0]) if server_address else None
    if host:
        return host
    prefix, slash, _ = model.partition("/")
    found = provider(prefix)
    if slash and found in _KNOWN:
        return found
    if _BEDROCK.match(model):
        return "aws.bedrock"
    return next((only for start, only in _ONLY if model.startswith(start)), "unknown")


@lru_cache(1024)
def _of_host(host: str) -> str | None:
    if _BEDROCK_HOST.fullmatch(host):
        return "aws.bedrock"
    if _VERTEX_HOST.fullmatch(host):
        return "gcp.vertex_ai"
    return next((found for known, found in HOSTS.items() if host == known or host.endswith("." + known)), None)


def is_framework(name: Any) -> bool:
    """Return whether a provider's name is that of a framework, which says nothing of who served the model."""
    return isinstance(name, str) and name.lower() in FRAMEWORKS


def without_provider(model: str, provider_name: str) -> str:
    """`openai/gpt-4o` is `gpt-4o` when OpenAI is who it was sent to."""
    prefix, slash, rest = model.partition("/")
    return rest if slash and rest and provider(prefix) == provider_name else model


def operation(name: str) -> str | None:
    """Return the operation behind a name or a LiteLLM call type, None where the name is not among the known ones.

    Names are compared by their words: `chat.streaming_completions` is Semantic Kernel's `chat`.
    """
    known = OPERATIONS.get(name) or (OPERATIONS.get(name[1:]) if name.startswith("a") else None)
    return known or _by_first_word(name)


@lru_cache(1024)
def _by_first_word(name: str) -> str | None:
    words = _WORDS.findall(name)
    whole = "_".join(words).lower()
    if whole in OPERATIONS:
        return OPERATIONS[whole]
    answer = next((_ANSWERS[word.lower()] for word in words if word.lower() in _ANSWERS), None)
    if answer:
        return answer
    first, last = (words[0].lower(), words[-1].lower()) if len(words) > 1 else ("", "")
    return _FAMILIES.get(first) if last.startswith(("completion", "embedding", "stream")) else None


@lru_cache(1024)
def other_operation(name: str) -> str | None:
    """Return why spans of an operation are skipped, by its words; None where it may be a call of an LLM."""
    return OTHER_OPERATIONS.get("_".join(_WORDS.findall(name)).lower())


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


def is_left(reason: str) -> bool:
    """Whether the reason of an answer's end is that the application left, as vLLM and the Responses API say."""
    return reason.lower() in ("abort", "aborted") or is_disconnect(reason)


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


_KNOWN = set(PROVIDERS.values()) | set(HOSTS.values()) | {"openai", "anthropic", "groq", "deepseek", "ollama", "vllm"}
_BY_LETTERS = {_letters(name): found for name, found in PROVIDERS.items()} | {_letters(name): name for name in _KNOWN}
