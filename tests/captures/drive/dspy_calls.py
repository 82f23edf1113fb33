"""Calls of DSPy's language models, by its own engine and by LiteLLM's, below a predictor, and out of its cache."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import dspy
from calls import UPSTREAM, Call

QUESTION = "What is the largest city of Peru?"


def dspy_calls() -> list[Call]:
    """One call each; the second of two is answered out of DSPy's cache."""
    return [
        ("plain", _ask("openai/gpt-4o")),
        ("length", _ask("openai/gpt-4o-mini", temperature=0.2, max_tokens=16)),
        ("cached", _ask("openai/gpt-4o")),
        ("reasoning", _ask("openai/o3-mini", temperature=1.0, max_tokens=16000)),
        ("plain", _ask("openai/gpt-4o", engine="litellm")),
        ("json", _predict),
        ("plain", lambda headers: _model(headers, "openai/gpt-4o-mini").acall(QUESTION)),
        ("plain", _ask("openai/gpt-4o", model_type="responses")),
        ("plain", _twice),
        ("plain 429", _ask("openai/gpt-4o")),
        ("plain 500", _ask("openai/gpt-4o-mini")),
    ]


def _model(headers: dict[str, str], model: str, cache: bool = False, **given: Any) -> dspy.LM:
    """A model by an address that has the call in it, because DSPy's own engine takes no headers."""
    url = f"{UPSTREAM}/x-call/{quote(headers['x-call'])}/v1"
    return dspy.LM(model, api_base=url, api_key="made-up", num_retries=0, cache=cache, **given)


def _ask(model: str, **given: Any) -> Callable[[dict[str, str]], Any]:
    return lambda headers: _model(headers, model, **given)(QUESTION)


def _predict(headers: dict[str, str]) -> Any:
    with dspy.context(lm=_model(headers, "openai/gpt-4o"), adapter=dspy.JSONAdapter()):
        return dspy.Predict("question -> city, millions: int")(question=QUESTION)


def _twice(headers: dict[str, str]) -> None:
    model = _model(headers, "openai/gpt-4o-mini", cache=True)
    for _ in range(2):
        model(QUESTION)
