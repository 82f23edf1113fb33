"""Which served names declare a model, and which only repeat what was asked for."""

import numpy as np
import pyarrow as pa
import pytest

from undertow.served import is_alias
from undertow.watch.frame import _snapshot


@pytest.mark.parametrize(
    ("declared", "asked", "sent"),
    [
        ("gpt-4o", "gpt-4o", None),
        ("openai/gpt-4o", "gpt-4o", None),
        ("gpt-4o", "openai/gpt-4o", None),
        ("GPT-4o", "gpt-4o", None),
        ("gpt-4o.chat", "gpt-4o", None),
        ("us.anthropic.claude-sonnet-4-5", "anthropic.claude-sonnet-4-5", None),
        ("models/gemini-2.5-flash", "gemini-2.5-flash", None),
        ("meta-llama/llama-4:free", "llama-4", None),
        ("claude-sonnet-4-5", "sonnet", "claude-sonnet-4-5"),
        ("gpt-4o-2024-08-06", "gpt-4o-2024-08-06", None),
        ("openai:gpt-4o", "gpt-4o", None),
        ("vertex_ai:gemini-2.5-flash", "gemini-2.5-flash", None),
        ("claude-sonnet-4.5", "claude-sonnet-4-5", None),
        ("gpt-35-turbo", "gpt-3.5-turbo", None),
        ("llama3:latest", "llama3", None),
        ("claude-sonnet-4-5@default", "claude-sonnet-4-5", None),
        ("claude-sonnet-4-20250514", "us.anthropic.claude-sonnet-4-20250514-v1:0", None),
        ("eu-central-1.anthropic.claude-haiku-4-5-v1:0", "anthropic.claude-haiku-4-5-v1:0", None),
        ("arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-pro-v1:0", "eu.amazon.nova-pro-v1:0", None),
        ("xai.grok-4", "grok-4", None),
    ],
)
def test_what_was_asked_for_declares_nothing(declared: str, asked: str, sent: str | None) -> None:
    """Path, vendor, region, part of the API and case make no other model."""
    assert is_alias(declared, asked, sent)


@pytest.mark.parametrize(
    ("declared", "asked", "sent"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o", None),
        ("gpt-4o-2024-08-06", "chat", "gpt-4o-2024-08-06"),
        ("claude-sonnet-4-5-20250929", "sonnet", "claude-sonnet-4-5"),
        ("gemini-2.5-flash@001", "flash", "gemini-2.5-flash@001"),
        ("gpt-4o-mini", "gpt-4o", None),
        ("gpt-4-0613", "gpt-4", None),
        ("anthropic.claude-sonnet-4-v1:0", "anthropic.claude-sonnet-4-v2:0", None),
        ("claude-sonnet-4-20250514-v1:0", "claude-sonnet-4", None),
        ("llama3:8b", "llama3", None),
    ],
)
def test_a_snapshot_declares_itself(declared: str, asked: str, sent: str | None) -> None:
    """A dated name is a snapshot, also where the gateway asked for it by its full name; another model is another."""
    assert not is_alias(declared, asked, sent)


def test_frames_know_only_declared_names() -> None:
    """Of a target's answers only those that name a snapshot have one; negative control: a dated name stays."""
    table = pa.table(
        {
            "response_model": ["openai/gpt-4o", "gpt-4o-2024-08-06", None, "gpt-4o", "gpt-4o-2024-08-06"],
            "model": ["gpt-4o"] * 5,
            "sent_model": pa.array([None] * 5, pa.string()),
        }
    )
    found = _snapshot(table, np.array([True, True, True, True, False]))
    assert [found.values[code] if code >= 0 else None for code in found.codes] == [
        None, "gpt-4o-2024-08-06", None, None, None
    ]  # fmt: skip
