"""Google's Agent Development Kit for Go: tokens of models that are not Gemini.

Written after google.golang.org/adk 2.2.0. Its spans add Gemini's thoughts to Gemini's candidates, as a span should
count them. Its client of OpenAI's Responses API puts tokens there that include the reasoning already, which is then
counted again; the span of a Go program names no provider, that of a Python program does.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

SCOPE = "gcp.vertex.agent"
_OPENAI = re.compile(r"gpt-|o\d|chatgpt-|codex-")


def recount(fields: dict[str, Any], values: Mapping[str, Any], derived: Counter[str]) -> None:
    """Take the reasoning of OpenAI's models out of an output that counts it twice."""
    output, reasoning = fields.get("output_tokens"), fields.get("reasoning_tokens")
    if "provider" in values or not _OPENAI.match(str(fields.get("model"))):
        return
    if output and reasoning and output >= 2 * reasoning:
        fields["output_tokens"] = output - reasoning
        derived["output_tokens"] += 1
