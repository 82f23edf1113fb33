"""Who served a model: the names of providers in one vocabulary, OpenTelemetry's, and guesses where a log names none."""

import re
from functools import lru_cache
from typing import Any

from undertow.outcome import UNKNOWN

_ALIASES = {
    "azure.ai.openai": (
        "az.ai.openai",
        "azure",
        "azure_text",
        "azure_openai",
        "azure-openai",
        "azure.openai",
        "azureopenai",
        "azure-openai-responses",
    ),
    "azure.ai.inference": ("az.ai.inference", "azure_ai", "azure-ai", "azure.inference", "azure_ai_inference"),
    "aws.bedrock": (
        "bedrock",
        "bedrock_converse",
        "aws_bedrock",
        "aws",
        "aws-bedrock",
        "amazon_bedrock",
        "amazon-bedrock",
        "amazonbedrock",
        "amazon",
        "bedrock-runtime",
    ),
    "gcp.vertex_ai": (
        "vertex_ai",
        "vertex_ai_beta",
        "vertexai",
        "vertex",
        "vertex-ai",
        "google-vertex-ai",
        "google_vertexai",
        "google.vertex",
        "google_vertex_ai",
        "google-vertex",
        "vertexaigemini",
    ),
    "gcp.gemini": (
        "gemini",
        "google_ai_studio",
        "google-ai-studio",
        "google.generative-ai",
        "google-generative-ai",
        "googleai",
        "google_ai",
        "googleaigemini",
    ),
    "mistral_ai": ("mistral", "mistralai", "mistral-ai"),
    "x_ai": ("xai", "x-ai", "grok"),
    "ibm.watsonx.ai": ("watsonx",),
    "moonshot_ai": ("moonshot",),
    "cohere": ("cohere_chat", "cohere_v2"),
    "openai": ("text-completion-openai", "custom_openai"),
    "gcp.gen_ai": ("google", "google_genai", "google-genai", "googlegenai"),
    "perplexity": ("perplexity-ai",),
    "fireworks_ai": ("fireworks",),
    "together_ai": ("together", "togetherai"),
    "anthropic": ("anthropic_beta",),
}
"""Provider by its name in OpenTelemetry's GenAI conventions -> its other names.

Where they come from: LiteLLM's `custom_llm_provider`, Portkey's and APISIX's provider words, LangChain's package names
(`amazon_bedrock`, `google_vertexai`), Vercel's AI SDK (`azure.openai`, `google.vertex`), class names of LlamaIndex and
Haystack.
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
}

_NAMES = {alias: name for name, aliases in _ALIASES.items() for alias in aliases}
_NAMES |= {name: name for name in (*_ALIASES, *_HOSTS.values(), "ollama", "vllm")}
"""Every known name of a provider, in small letters -> OpenTelemetry's."""

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

_ONLY = (("gemini-", "gcp.gen_ai"), ("models/gemini-", "gcp.gemini"))
"""What the names of models begin with that only one provider serves, whichever of its endpoints."""

_BEDROCK = re.compile(
    r"(?:arn:aws[\w-]*:bedrock:|(?:(?:us|eu|apac|jp|au|ca|global|us-gov)\.)?"
    r"(?:ai21|amazon|anthropic|cohere|deepseek|meta|mistral|qwen|writer|openai)\.[\w-]+-v\d+(?::\w+)*$|"
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


@lru_cache(1024)
def canonical(name: str) -> str:
    """Return OpenTelemetry's name of a provider; one that is not known is left as it is."""
    if known_as := _NAMES.get(name.lower()):
        return known_as
    whole, _, part = name.rpartition(".")
    return canonical(whole) if whole and part.lower() in _PARTS else name


def known(name: str) -> str | None:
    """Return OpenTelemetry's name of a provider, None for a word that is the name of none."""
    found = canonical(name)
    return found if found in _NAMES else None


def in_class_name(class_name: str) -> str | None:
    """Return the provider in the name of a framework's class, `OpenAIChatGenerator` say, None where there is none."""
    found = _CLASS.fullmatch(class_name)
    return found[1] if found and known(found[1]) else None


def guess(model: str, server_address: str | None) -> str:
    """Return the provider of a call that names none: by host, by the model's prefix or name, else `unknown`."""
    if server_address in _HOSTS:
        return _HOSTS[server_address]
    if server_address and server_address.endswith(".openai.azure.com"):
        return "azure.ai.openai"
    prefix, slash, _ = model.partition("/")
    if slash and (found := known(prefix)):
        return found
    if _BEDROCK.match(model):
        return "aws.bedrock"
    return next((only for start, only in _ONLY if model.startswith(start)), UNKNOWN)


def is_framework(name: Any) -> bool:
    """Return whether a provider's name is that of a framework, which says nothing of who served the model."""
    return isinstance(name, str) and name.lower() in _FRAMEWORKS


def without_prefix(model: str, provider: str) -> str:
    """Return `gpt-4o` of `openai/gpt-4o` when OpenAI is who it was sent to."""
    prefix, slash, rest = model.partition("/")
    return rest if slash and rest and canonical(prefix) == provider else model
