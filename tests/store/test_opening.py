"""Files that cannot be opened are told apart and never overwritten; older ones are brought up to date."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from undertow.batch import Batch
from undertow.errors import StoreError, TryAgain
from undertow.span import Span
from undertow.store import Store
from undertow.store.db import connect
from undertow.store.schema import MIGRATIONS, migrate

Make = Callable[..., Span]
BatchOf = Callable[..., Batch]


@pytest.fixture(name="path")
def _path(tmp_path: Path, make: Make, batch_of: BatchOf) -> Path:
    """A closed database with twenty spans."""
    path = tmp_path / "u.duckdb"
    with Store.open(path) as store:
        store.ingest(batch_of([make(i) for i in range(20)]))
    return path


def test_in_use_by_another_process(path: Path) -> None:
    """The message names the file and the process that holds it."""
    code = "import sys; from undertow.store import Store; s = Store.open(sys.argv[1]); print(flush=True); input()"
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(StoreError, match=rf"{path} is in use by process {holder.pid}: stop it"):
            Store.open(path)
        holder.communicate("\n")


@pytest.mark.parametrize("name", ["notes.txt", "spans.jsonl", "spans.csv"])
def test_not_a_database(name: str, tmp_path: Path) -> None:
    """A file of something else is refused and left as it was, also one that DuckDB could read as a table."""
    path = tmp_path / name
    path.write_text('{"not": "a database"}\n' * 1000)
    with pytest.raises(StoreError, match=rf"{name} is not a DuckDB database: name another file"):
        Store.open(path)
    assert path.read_text() == '{"not": "a database"}\n' * 1000


def test_database_of_something_else(tmp_path: Path) -> None:
    """A DuckDB file with other tables is refused and gets none of ours."""
    path = tmp_path / "sales.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("CREATE TABLE sales (amount DOUBLE)")
    with pytest.raises(StoreError, match=r"sales.duckdb is a DuckDB database of something else"):
        Store.open(path)
    with duckdb.connect(str(path)) as con:
        assert con.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("sales",)]


def test_schema_of_a_newer_undertow(path: Path) -> None:
    """A newer schema is refused with both versions, and stays."""
    with duckdb.connect(str(path)) as con:
        con.execute("UPDATE undertow_schema SET version = 999")
    with pytest.raises(StoreError, match=rf"schema version 999, but this Undertow knows {len(MIGRATIONS)}: upgrade"):
        Store.open(path)
    with duckdb.connect(str(path)) as con:
        assert con.execute("SELECT version FROM undertow_schema").fetchall() == [(999,)]


def test_missing_folder(tmp_path: Path) -> None:
    """The message says that the folder is missing."""
    with pytest.raises(StoreError, match="its folder does not exist"):
        Store.open(tmp_path / "nowhere" / "u.duckdb")


AS_SOMEBODY_ELSE = """
import os, sys
from undertow.errors import StoreError
from undertow.store import Store
os.chdir(sys.argv[1])
if os.geteuid() == 0:
    os.setuid(65534)
try:
    Store.open("u.duckdb")
except StoreError as error:
    print(error)
"""


def test_file_that_may_not_be_written(path: Path) -> None:
    """A user who may not write the file is told so (root, who may write anything, becomes nobody first)."""
    path.chmod(0o444)
    command = [sys.executable, "-c", AS_SOMEBODY_ELSE, str(path.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("u.duckdb cannot be written: give this user write permission on it")


@pytest.mark.parametrize("part", range(9))
def test_truncated_file(path: Path, part: int) -> None:
    """A file cut short is refused by name, not a crash and not an empty database."""
    size = path.stat().st_size * part // 9
    os.truncate(path, max(size, 100))
    with pytest.raises(StoreError, match=r"u\.duckdb"):
        read_everything(path)
    assert path.stat().st_size == max(size, 100)


@pytest.mark.parametrize("at", [10, 40, 4096 + 40, 8192 + 40, 12288])
def test_flipped_bytes(path: Path, at: int) -> None:
    """A file whose magic, headers or first block are damaged is refused by name with what to do."""
    data = bytearray(path.read_bytes())
    data[at : at + 16] = bytes(byte ^ 0xFF for byte in data[at : at + 16])
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"u\.duckdb (cannot be opened, it may be damaged|is not a DuckDB database)"):
        read_everything(path)
    assert path.read_bytes() == data


def read_everything(path: Path) -> int:
    """How many spans there are when each column of each is read."""
    with Store.open(path) as store:
        store.targets()
        store.ingestion()
        return int(store.released(None, 1e12).num_rows)


FILL = """
import resource, sys
from undertow.batch import Batch, Decoded, Origin
from undertow.errors import TryAgain
from undertow.span import Span
from undertow.store import Store
store = Store.open(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
try:
    for n in range(1000):
        batch = Batch()
        for i in range(n * 1000, n * 1000 + 1000):
            span = Span(span_id=str(hash(str(i))), started_at=1e9 + i, provider="p", model="m")
            batch.add(Origin("t", 0, i), Decoded("native", [span]))
        store.ingest(batch)
        print(batch.next_offsets["t", 0], flush=True)
except TryAgain as error:
    print(error)
    sys.exit(error.exit_code)
"""


def test_full_disk(tmp_path: Path) -> None:
    """When nothing more can be written the process is told to start again, and the file holds what was committed."""
    path = tmp_path / "u.duckdb"
    done = subprocess.run([sys.executable, "-c", FILL, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == TryAgain.exit_code, done.stderr
    *acknowledged, message = done.stdout.splitlines()
    assert message.startswith(f"{path} cannot be used any more; what was committed is safe")
    with Store.open(path) as store:
        assert store.offsets("t") == {0: int(acknowledged[-1])}
        assert store.targets()[0]["spans"] == int(acknowledged[-1])


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY (SELECT 1) TO 'out.csv'",
        "ATTACH 'other.duckdb'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET threads = 1",
    ],
)
def test_sql_reaches_nothing_outside(sql: str) -> None:
    """Neither files nor network nor settings can be reached by SQL, should any ever slip in."""
    with connect(None) as con, pytest.raises(duckdb.Error):
        con.execute(sql)


def test_steps_run_once_each(tmp_path: Path) -> None:
    """An older file gets the steps it lacks, in order, and a current one none."""
    steps = (*MIGRATIONS, "CREATE TABLE more (n INTEGER); INSERT INTO more VALUES (1)")
    with connect(tmp_path / "u.duckdb") as con:
        for wanted in (MIGRATIONS, steps, steps):
            assert migrate(con, "u.duckdb", wanted) == len(wanted)
        assert con.execute("SELECT n FROM more").fetchall() == [(1,)]


def test_a_file_of_before_a_field_gets_its_column(tmp_path: Path) -> None:
    """The span of a newer Undertow has more fields; rows that were stored before do not know them."""
    path = tmp_path / "u.duckdb"
    with connect(path) as con:
        migrate(con, "u.duckdb")
        con.execute("ALTER TABLE spans DROP COLUMN cost_derived")
        con.execute("INSERT INTO spans (span_id, cost_usd) VALUES ('old', 0.5)")
    with connect(path) as con:
        migrate(con, "u.duckdb")
        assert con.execute("SELECT span_id, cost_usd, cost_derived FROM spans").fetchall() == [("old", 0.5, None)]
        con.execute("INSERT INTO spans (span_id, cost_derived) VALUES ('new', true)")


def test_a_step_that_fails_changes_nothing(tmp_path: Path) -> None:
    """A migration is one transaction."""
    with connect(tmp_path / "u.duckdb") as con:
        migrate(con, "u.duckdb")
        with pytest.raises(duckdb.Error):
            migrate(con, "u.duckdb", (*MIGRATIONS, "CREATE TABLE more (n INTEGER)", "SELECT no_such_function()"))
        assert con.execute("SELECT version FROM undertow_schema").fetchall() == [(len(MIGRATIONS),)]
        assert con.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'more'").fetchall() == [(0,)]


def test_columns_follow_the_span(path: Path, make: Make, batch_of: BatchOf) -> None:
    """A file from before a field of the span, or a signal, existed gets its column and keeps its rows."""
    with duckdb.connect(str(path)) as con:
        con.execute("ALTER TABLE spans DROP COLUMN score")
        con.execute("ALTER TABLE rollups DROP COLUMN refusal_n")
        con.execute("ALTER TABLE rollups DROP COLUMN refusal_sum")
    with Store.open(path) as store:
        store.ingest(batch_of([make(20, score=0.5, refusal=True)], 20))
        scores = store.released(None, 1e12, columns=["score"])["score"].to_pylist()
        points = store.series(make(0).target, "refusal", 1_767_600_000.0, 1_767_600_600.0, 600)["points"]
    assert scores == [None] * 20 + [0.5]
    assert [(point["n"], point["rate"]) for point in points] == [(1, 1.0)]
