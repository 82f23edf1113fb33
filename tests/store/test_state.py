"""What a round of detection decides is kept whole or not at all, and what is sent keeps its order."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from undertow.batch import Batch, Decoded, Origin, Reject
from undertow.config import StoreConfig
from undertow.errors import UndertowError
from undertow.notify.message import Outgoing
from undertow.span import Span
from undertow.store import Store
from undertow.store.counters import NAME_LENGTH, NAMES, OTHER

T0 = 1_767_600_000.0
DAY_S = 86400.0
Make = Callable[..., Span]
BatchOf = Callable[..., Batch]


def incident(name: str, status: str = "open", at: float = T0) -> dict[str, Any]:
    """The least of an incident."""
    return {"id": name, "status": status, "opened_at": at, "target": {"model": "m"}, "change_point": None}


def outgoing(sequence: int, incident_id: str = "inc_1", channel: str = "hook", at: float = T0) -> Outgoing:
    """A message of the outbox that is due at once."""
    name = f"msg_{incident_id}_{sequence}"
    return Outgoing(name, channel, incident_id, sequence, "llm.drift.opened", "{}", at, 0, at)


def everything(store: Store) -> Any:
    """All that a judgement can change."""
    return (
        store.cursor(),
        store.states(),
        store.incidents(),
        store.notices(),
        store.due(T0 + DAY_S, 10),
    )


def judge(store: Store) -> None:
    """A judgement with some of everything."""
    with store.judgement() as judgement:
        judgement.advance(T0 + 5)
        judgement.put_state("esr/a", b"\0\xff")
        judgement.put_state("esr/b", b"b")
        judgement.put_incident(incident("inc_1"))
        judgement.put_notice({"kind": "traffic_mix", "target": {}, "at": T0, "text": "ü"})
        judgement.put_outgoing(outgoing(1))


def test_judgement_is_kept(tmp_path: Path) -> None:
    """Everything that was decided is there at once and after a restart."""
    with Store.open(tmp_path / "u.duckdb") as store:
        judge(store)
        before = everything(store)
    with Store.open(tmp_path / "u.duckdb") as store:
        assert everything(store) == before
    assert before == (
        T0 + 5,
        {"esr/a": b"\0\xff", "esr/b": b"b"},
        [incident("inc_1")],
        [{"kind": "traffic_mix", "target": {}, "at": T0, "text": "ü"}],
        [outgoing(1)],
    )


def test_exception_in_the_block_drops_all(store: Store) -> None:
    """A round that fails halfway decides nothing."""
    before = everything(store)

    def round_that_fails() -> None:
        with store.judgement() as judgement:
            judgement.put_incident(incident("inc_1"))
            judgement.advance(T0 + 1 / 0)

    with pytest.raises(ZeroDivisionError):
        round_that_fails()
    assert everything(store) == before


def test_failing_write_drops_all(store: Store) -> None:
    """A write that the database refuses takes back those before it, the cursor too."""
    before = everything(store)

    def round_that_fails() -> None:
        with store.judgement() as judgement:
            judgement.advance(T0)
            judgement.put_incident(incident("inc_1"))
            judgement._write("INSERT INTO notices VALUES ('not a time', '', '')")

    with pytest.raises(UndertowError):
        round_that_fails()
    assert everything(store) == before


def test_later_judgement_replaces(store: Store) -> None:
    """An incident and a state are replaced by key, within a judgement and over several; the cursor only moves on."""
    judge(store)
    with store.judgement() as judgement:
        judgement.advance(T0)
        judgement.put_incident(incident("inc_1", "acknowledged"))
        judgement.put_incident(incident("inc_1", "resolved"))
        judgement.put_incident(incident("inc_2", at=T0 + 1))
        judgement.put_state("esr/a", b"new")
        judgement.delete_state("esr/b")
    assert store.cursor() == T0 + 5
    assert store.states() == {"esr/a": b"new"}
    assert [found["id"] for found in store.incidents()] == ["inc_2", "inc_1"]
    assert store.incidents("open") == [incident("inc_2", at=T0 + 1)]
    assert store.incidents(limit=1) == [incident("inc_2", at=T0 + 1)]
    assert store.incident("inc_1") == incident("inc_1", "resolved")
    assert store.incident("inc_3") is None


def test_message_judged_again_is_one_message(store: Store) -> None:
    """The same transition written twice stays one row, with the attempts it has had."""
    judge(store)
    store.record_delivery("msg_inc_1_1", "hook", "retry", at=T0, next_attempt_at=T0 + 5)
    judge(store)
    (entry,) = store.due(T0 + 5, 10)
    assert entry == replace(outgoing(1), attempts=1, next_attempt_at=T0 + 5)


def test_order_within_an_incident(store: Store) -> None:
    """A message is due when its time has come and the earlier ones of its incident and channel are settled."""
    with store.judgement() as judgement:
        for sequence in (1, 2, 3):
            judgement.put_outgoing(outgoing(sequence))
        judgement.put_outgoing(outgoing(2, channel="other"))
        judgement.put_outgoing(outgoing(9, "inc_2", at=T0 + 50))

    def due(now: float) -> list[tuple[str, str]]:
        return [(entry.webhook_id, entry.channel) for entry in store.due(now, 10)]

    assert due(T0 - 1) == []
    assert due(T0) == [("msg_inc_1_1", "hook"), ("msg_inc_1_2", "other")]
    store.record_delivery("msg_inc_1_2", "other", "delivered", at=T0)
    store.record_delivery("msg_inc_1_1", "hook", "retry", at=T0, next_attempt_at=T0 + 10)
    assert due(T0 + 9) == []
    assert due(T0 + 10) == [("msg_inc_1_1", "hook")]
    store.record_delivery("msg_inc_1_1", "hook", "dead", at=T0 + 10, detail="410")
    assert due(T0 + 10) == [("msg_inc_1_2", "hook")]
    store.record_delivery("msg_inc_1_2", "hook", "delivered", at=T0 + 10)
    assert due(T0 + 50) == [("msg_inc_1_3", "hook"), ("msg_inc_2_9", "hook")]
    assert len(store.due(T0 + 50, 1)) == 1


@pytest.mark.parametrize("sequences", [(3, 2, 1), (5, 5, 5), (1, 9, 2)])
def test_a_clock_that_is_set_back_does_not_change_the_order(store: Store, sequences: tuple[int, ...]) -> None:
    """Messages of one incident leave in the order in which they were put, whatever their sequence says."""
    with store.judgement() as judgement:
        for place, sequence in enumerate(sequences):
            judgement.put_outgoing(replace(outgoing(sequence), webhook_id=f"msg_{place}"))
    left = []
    while found := store.due(T0, 10):
        left += [entry.webhook_id for entry in found]
        store.record_delivery(found[0].webhook_id, "hook", "delivered", at=T0)
    assert left == ["msg_0", "msg_1", "msg_2"]


def test_meta(tmp_path: Path) -> None:
    """What the program keeps of its own outlives a restart."""
    with Store.open(tmp_path / "u.duckdb") as store:
        assert store.meta("group_instance_id") is None
        store.set_meta("group_instance_id", "a")
        store.set_meta("group_instance_id", "b")
    with Store.open(tmp_path / "u.duckdb") as store:
        assert store.meta("group_instance_id") == "b"


def test_retention(make: Make, batch_of: BatchOf) -> None:
    """What is older than the operator keeps goes; what is not judged or not delivered stays, however old."""
    config = StoreConfig(raw_retention_days=30, rollup_retention_days=400, text_retention_days=7)
    now = T0 + 31 * DAY_S
    with Store.open(None, config=config, clock=lambda: T0) as store:
        batch = batch_of([make(0), make(50), make(1)])
        batch.add(Origin("t", 0, 3), Decoded(rejects=[Reject("invalid_json")]))
        store.ingest(batch)
        with store.judgement() as judgement:
            judgement.advance(T0 + 50)
            judgement.put_outgoing(outgoing(1))
            judgement.put_outgoing(outgoing(2))
        store.record_delivery("msg_inc_1_1", "hook", "delivered", at=T0)
        deleted = store.retain(now)
        kept = ("rollups", "evidence", "sketches", "payloads", "notices", "weight_changes", "audit", "silences")
        nothing = dict.fromkeys((*kept, "instrumentations"), 0)
        assert deleted == {"spans": 2, "rejects": 1, "outbox": 1} | nothing
        assert store.released(None, T0 + 200)["span_id"].to_pylist() == ["s50"]
        assert store.rejects() == []
        assert [entry.sequence for entry in store.due(now, 10)] == [2]
        assert store.targets()[0]["spans"] == 3
        assert store.ingestion()["rejects"] == [{"reason": "invalid_json", "count": 1}]
        assert store.retain(T0 + 401 * DAY_S)["rollups"] == 1


@pytest.mark.parametrize(
    ("key", "document"), [("alert inc_1", {"said": "firing"}), ("stale x", {"document": {"id": "inc_1"}})]
)
def test_who_heard_of_an_alert_is_known_as_long_as_it_stands(key: str, document: dict[str, Any]) -> None:
    """Its messages stay, however old, so that its end reaches all of them; then they go as others do."""
    with Store.open(None, config=StoreConfig(raw_retention_days=30), clock=lambda: T0) as store:
        with store.judgement() as judgement:
            judgement.put_alert(key, document)
            judgement.put_outgoing(outgoing(1))
            judgement.put_outgoing(outgoing(1, "inc_2"))
        for name in ("inc_1", "inc_2"):
            store.record_delivery(f"msg_{name}_1", "hook", "delivered", at=T0)
        assert store.retain(T0 + 99 * DAY_S)["outbox"] == 1
        assert store.heard("inc_1") == {"hook"}
        with store.judgement() as judgement:
            judgement.delete_alert(key)
        assert store.retain(T0 + 99 * DAY_S)["outbox"] == 1


def test_retention_forgets_text_sooner() -> None:
    """The bytes of a rejected message go after their own time, the row stays."""
    config = StoreConfig(keep_text=True, text_retention_days=7)
    batch = Batch()
    batch.add(Origin("t", 0, 0), Decoded(rejects=[Reject("invalid_json", payload=b"secret")]))
    with Store.open(None, config=config, clock=lambda: T0) as store:
        store.ingest(batch)
        assert store.retain(T0 + 6 * DAY_S)["payloads"] == 0
        assert store.retain(T0 + 8 * DAY_S)["payloads"] == 1
        assert len(store.rejects()) == 1


def test_counters_add_up(tmp_path: Path, make: Make, batch_of: BatchOf) -> None:
    """Everything that was read is stored, a duplicate, rejected or skipped, over batches and restarts."""
    for start in range(3):
        with Store.open(tmp_path / "u.duckdb", clock=None) as store:
            batch = batch_of([make(i) for i in (100, 101, 102, start, start + 1)])
            decoded = Decoded("otlp", rejects=[Reject("missing_model"), Reject("missing_model")])
            decoded.skipped["not_llm_call"] += 4
            decoded.coerced["stream"] += 1
            decoded.derived["provider"] += 2
            decoded.unknown["vendor.thing"] += 3
            batch.add(Origin("t", 1, start), decoded)
            committed = store.ingest(batch)
            read = sum(part.read for _, part in batch.messages)
            assert read == committed.stored + committed.duplicates + committed.rejected + committed.skipped
            found = store.ingestion()
    assert found["totals"] == {"read": 33, "stored": 7, "duplicates": 8, "rejected": 6, "skipped": 12, "late": 4}
    assert found["rejects"] == [{"reason": "missing_model", "count": 6}]
    assert found["skipped"] == [{"reason": "not_llm_call", "count": 12}]
    assert found["coerced"] == [{"name": "stream", "count": 3}]
    assert found["derived"] == [{"name": "provider", "count": 6}]
    assert found["unknown_keys"] == [{"name": "vendor.thing", "count": 9}]
    assert found["partitions"] == [
        {"topic": "t", "partition": 0, "next_offset": 5, "identity": None},
        {"topic": "t", "partition": 1, "next_offset": 3, "identity": None},
    ]
    assert found["newest"] == T0 + 103


def test_names_of_unknown_keys_are_bounded(tmp_path: Path) -> None:
    """A sender of ever new, ever longer keys fills no disk: beyond a number they are `(other)`, and none is lost."""
    for start in range(3):
        decoded = Decoded("native")
        decoded.unknown.update({f"{start}-{i}" + "x" * 1000: 1 for i in range(700)})
        batch = Batch()
        batch.add(Origin("t", 0, start), decoded)
        with Store.open(tmp_path / "u.duckdb") as store:
            store.ingest(batch)
            names = {row["name"]: row["count"] for row in store.ingestion()["unknown_keys"]}
    assert sum(names.values()) == 2100
    assert len(names) == NAMES + 1
    assert names[OTHER] == 2100 - NAMES
    assert max(map(len, names)) == NAME_LENGTH


def test_readers_and_writers_together(store: Store, make: Make, batch_of: BatchOf) -> None:
    """Threads that read and judge while spans come in see whole commits and no errors."""
    stop = threading.Event()
    wrong: list[object] = []

    def read() -> None:
        while not stop.is_set():
            try:
                totals = store.ingestion()["totals"]
                if totals["stored"] % 50:
                    wrong.append(totals)
                store.targets()
                store.released(None, T0)
                store.set_meta("k", "v")
            except (duckdb.Error, UndertowError) as error:
                wrong.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for start in range(0, 1000, 50):
        store.ingest(batch_of([make(i) for i in range(start, start + 50)], start))
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert store.targets()[0]["spans"] == 1000
