"""Rig, a library for Rust: what its spans do not say.

Written after rig-core and rig-agent 0.44.0. A span gets the answer's id, model and usage as soon as there is one, and
nothing at all where the call failed: no status, no error, no event.
"""

from collections.abc import Mapping
from typing import Any

from undertow_collectors.decode.coerce import flag

_TARGETS = ("rig::completions", "rig::agent_chat")
_ANSWERED = {"response_id", "response_model", "input_tokens", "output_tokens"}


def failed(values: Mapping[str, Any]) -> bool:
    """Return whether a call got no answer. A stream may have got one that its application did not wait for."""
    return values.get(".target") in _TARGETS and flag(values.get("stream")) is False and _ANSWERED.isdisjoint(values)
