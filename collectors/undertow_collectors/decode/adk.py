"""Google's Agent Development Kit for Go and for Java: failures without a word, tokens of models that are not Gemini.

Written after google.golang.org/adk 2.2.0 and com.google.adk:google-adk 1.8.0. Both name no provider (Java itself, as
`gcp.vertex.agent`), and add Gemini's thoughts to Gemini's candidates, as a span should count them. Their clients of
OpenAI's API put tokens there that include the reasoning already, which is then counted again. Java keeps request and
answer as JSON beside, unless it is told not to; the span of a call that failed before its first chunk has a name alone.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from undertow_collectors.decode import answer, providers
from undertow_collectors.decode.coerce import count, mapping
from undertow_collectors.decode.reading import Reading
from undertow_collectors.decode.records import Record

SCOPE = "gcp.vertex.agent"
CALL = "call_llm"
DIALECT = {"gcp.vertex.agent.llm_request": ".adk_request", "gcp.vertex.agent.llm_response": ".adk"}

_OPENAI = re.compile(r"gpt-|o\d|chatgpt-|codex-")
_APIGEE = "apigee/"
"""What begins the names of models behind Apigee: `apigee/openai/v1/gpt-4o`."""


def name_failure(record: Record, reading: Reading) -> None:
    """Java gives the span of a call that failed before its first chunk no attribute: only its name says what it is."""
    if record.name == CALL and "operation" not in reading.values:
        reading.values["operation"] = CALL
        reading.sources["operation"] = "the span's name"


def correct(fields: dict[str, Any], values: dict[str, Any], derived: Counter[str]) -> None:
    """Settle what ADK says in its own way: provider, usage, and the reason of an answer that calls tools."""
    response = answer.opened(values, ".adk")
    _recount(fields, values, response, derived)
    if not response:
        values.pop(".adk", None)  # hidden, so that the answer is looked for elsewhere
    if _shown(response).get("finish_reason") == "tool_calls":
        values[".finish_reasons"] = "tool_calls"
    model = str(fields.get("model") or "")
    if providers.is_framework(fields.get("provider")) and model.startswith(_APIGEE):
        fields["provider"] = providers.guess(model.removeprefix(_APIGEE), None)


def found(values: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """What stands in the JSON of request and answer: field, value, and the clue that it came from."""
    config = mapping(answer.opened(values, ".adk_request").get("config"))
    yield "temperature", config.get("temperature"), ".adk_request"
    response = answer.opened(values, ".adk")
    yield "response_model", response.get("modelVersion"), ".adk"
    listed = response.get("customMetadata")
    pairs = map(mapping, listed if isinstance(listed, list) else ())
    more = {str(pair.get("key")): pair.get("stringValue") for pair in pairs}
    yield "response_id", more.get("id"), ".adk"
    yield "system_fingerprint", more.get("system_fingerprint"), ".adk"


def answered(values: dict[str, Any], _: Record) -> tuple[Any, dict[str, Any]]:
    """Return the answer as a body of Gemini's API, and the parameters that name its format."""
    config = mapping(answer.opened(values, ".adk_request").get("config"))
    return _body(answer.opened(values, ".adk")), {"generationConfig": config}


def _body(response: Mapping[str, Any]) -> dict[str, Any]:
    """One chunk of a stream is no answer."""
    if response.get("partial"):
        return {}
    return {"candidates": [{"content": response.get("content"), "finishReason": response.get("finishReason")}]}


def _shown(response: Mapping[str, Any]) -> dict[str, Any]:
    return answer.features(_body(response), {}) if response else {}


def _recount(
    fields: dict[str, Any], values: Mapping[str, Any], response: Mapping[str, Any], derived: Counter[str]
) -> None:
    """Take reasoning that is counted twice out of the output: by the total, else where the model is OpenAI's."""
    given, output, reasoning = (fields.get(n) for n in ("input_tokens", "output_tokens", "reasoning_tokens"))
    if not output or not reasoning or output < 2 * reasoning:
        return
    total = count(mapping(response.get("usageMetadata")).get("totalTokenCount"))
    named = "provider" in values and not providers.is_framework(values["provider"])
    by_name = not named and _OPENAI.match(str(fields.get("model")).rpartition("/")[2])
    if (given or 0) + output - reasoning == total or (total is None and by_name):
        fields["output_tokens"] = output - reasoning
        derived["output_tokens"] += 1
