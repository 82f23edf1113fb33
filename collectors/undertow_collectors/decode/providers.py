"""Who served a model: the names of providers in one vocabulary, OpenTelemetry's, and guesses where a log names none."""

import re
from functools import lru_cache
from typing import Any

from undertow.outcome import UNKNOWN

_ALIASES = {
    "azure.ai.openai": ("az.ai.openai", "azure", "azure_text", "azure_openai", "azure-openai-responses"),
    "azure.ai.inference": (
        "az.ai.inference",
        "azure_ai",
        "azure.inference",
        "azure_ai_inference",
        "azure_ai_foundry",
    ),
    "aws.bedrock": (
        "bedrock",
        "bedrock_converse",
        "bedrock.anthropic",
        "bedrock-runtime",
        "aws",
        "amazon",
        "amazon_bedrock",
        "amazon_bedrock_converse",
    ),
    "gcp.vertex_ai": (
        "vertex",
        "vertex_ai",
        "vertex_ai_beta",
        "vertex.anthropic",
        "vertexai_gemini",
        "google.vertex",
        "google_vertexai",
        "googlevertex.anthropic",
    ),
    "gcp.gemini": (
        "gemini",
        "gcp_gemini",
        "google_ai",
        "google_ai_studio",
        "googleaigemini",
        "google.generative-ai",
        "google-gla",
    ),
    "mistral_ai": ("mistral",),
    "x_ai": ("grok",),
    "ibm.watsonx.ai": ("watsonx", "watsonx.ai", "ibm", "ibm-watsonx"),
    "moonshot_ai": ("moonshot",),
    "cohere": ("cohere_chat", "cohere_v2"),
    "openai": ("text-completion-openai", "custom_openai"),
    "gcp.gen_ai": ("google", "google_genai"),
    "perplexity": ("perplexity-ai",),
    "fireworks_ai": ("fireworks",),
    "together_ai": ("together",),
    "anthropic": ("anthropic_beta",),
}
"""Provider by its name in OpenTelemetry's GenAI conventions -> its other names.

Where they come from: LiteLLM's `custom_llm_provider`, Portkey's and APISIX's provider words, LangChain's package names
(`amazon_bedrock`, `google_vertexai`), Vercel's AI SDK (`azure.openai`, `google.vertex`), class names of LlamaIndex and
Haystack. They are compared by their letters: `vertexai` is `vertex_ai`, and `azure.openai` is `azure_openai`.
"""

_HOSTS = {
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

_CLASS = re.compile(r"(\w+?)(?:Chat|Responses|Text|Document)*(?:Generator|Embedder|Embeddings?)")
"""What frameworks call the classes by which they reach a provider."""

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

_FRAMEWORKS = {
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


def _letters(name: str) -> str:
    """A name without its case and the signs between its words, of which each library has others."""
    return "".join(filter(str.isalnum, name)).lower()


_NAMES = {_letters(alias): name for name, aliases in _ALIASES.items() for alias in aliases}
_NAMES |= {_letters(name): name for name in (*_ALIASES, *_HOSTS.values(), "ollama", "vllm")}
"""Every known name of a provider, by its letters -> OpenTelemetry's."""


@lru_cache(1024)
def canonical(name: str) -> str:
    """Return OpenTelemetry's name of a provider; one that is not known is left as it is."""
    found = _NAMES.get(_letters(name)) or _NAMES.get(_letters(_LAST_WORD.sub("", name)))
    if found:
        return found
    whole, _, part = name.rpartition(".")
    return canonical(whole) if whole and part.lower() in _PARTS else name


def known(name: str) -> str | None:
    """Return OpenTelemetry's name of a provider, None for a word that is the name of none."""
    found = canonical(name)
    return found if _letters(found) in _NAMES else None


def in_class_name(class_name: str) -> str | None:
    """Return the provider in the name of a framework's class, `OpenAIChatGenerator` say, None where there is none."""
    found = _CLASS.fullmatch(class_name)
    return found[1] if found and known(found[1]) else None


def guess(model: str, server_address: str | None) -> str:
    """Return the provider of a call that names none: by host, by the model's prefix or name, else `unknown`."""
    host = _of_host(server_address.lower().partition(":")[0]) if server_address else None
    if host:
        return host
    prefix, slash, _ = model.partition("/")
    if slash and (found := known(prefix)):
        return found
    if _BEDROCK.match(model):
        return "aws.bedrock"
    return next((only for start, only in _ONLY if model.startswith(start)), UNKNOWN)


@lru_cache(1024)
def _of_host(host: str) -> str | None:
    if _BEDROCK_HOST.fullmatch(host):
        return "aws.bedrock"
    if _VERTEX_HOST.fullmatch(host):
        return "gcp.vertex_ai"
    return next((found for known, found in _HOSTS.items() if host == known or host.endswith("." + known)), None)


def is_framework(name: Any) -> bool:
    """Return whether a provider's name is that of a framework, which says nothing of who served the model."""
    return isinstance(name, str) and name.lower() in _FRAMEWORKS


def without_prefix(model: str, provider: str) -> str:
    """Return `gpt-4o` of `openai/gpt-4o` when OpenAI is who it was sent to."""
    prefix, slash, rest = model.partition("/")
    return rest if slash and rest and canonical(prefix) == provider else model
