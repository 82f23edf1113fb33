"""The guides do what they say."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

from undertow.store import Store
from undertow_collectors.source import State

DOCS = Path(__file__).parents[2] / "docs"
SHIPPING = DOCS / "shipping.md"
ANSWER = SimpleNamespace(
    model="gpt-4o-2024-11-20",
    system_fingerprint="fp_1",
    usage=SimpleNamespace(prompt_tokens=9, completion_tokens=26),
    choices=[SimpleNamespace(finish_reason="stop")],
)
COMPLETIONS = SimpleNamespace(create=lambda **_: ANSWER)


def test_plain_python_ships_a_span(mock_kafka: Any, read: Any, eventually: Any) -> None:
    """The program of "Plain Python" puts a record into Kafka that is a span with all that it names."""
    program = SHIPPING.read_text().partition("## Plain Python")[2].partition("```python\n")[2].partition("```")[0]
    topic = mock_kafka.topic()
    program = program.replace("localhost:9092", mock_kafka.bootstrap).replace("llm_requests", topic)
    program = program.replace("acks=", "api_version=(2, 0), acks=")  # what the mock cluster speaks
    names = {"client": SimpleNamespace(chat=SimpleNamespace(completions=COMPLETIONS)), "messages": []}
    exec(compile(program, str(SHIPPING), "exec"), names)  # noqa: S102  its purpose
    names["producer"].close()
    with Store.open(None) as store:
        read(mock_kafka, store, topic).until(store.targets, eventually)
        (row,) = store.targets()
        assert row["target"] == {"gateway": None, "provider": "openai", "model": "gpt-4o", "deployment": None}
        assert (row["spans"], row["served_model"]["snapshot"], store.rejects()) == (1, 1, [])
        assert not store.ingestion()["unknown_keys"]


def states_told(text: str) -> list[str]:
    """The states of a source in the table of a guide, in its order."""
    table = text.partition("| state of the source |")[2].partition("\n\n")[0]
    return re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)


def test_every_state_of_a_source_is_told() -> None:
    """The table has each state in the order in which they are reported. Negative control: without one it differs."""
    text = (DOCS / "api.md").read_text()
    assert states_told(text) == list(get_args(State))
    assert states_told(text.replace("| `topic_replaced` |", "| topic |")) != list(get_args(State))
