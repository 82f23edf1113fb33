"""Opening the database file, transactions, and what DuckDB's errors mean for whoever started us."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pyarrow as pa

from undertow.errors import Refused, StoreError, TryAgain, UndertowError

DATA_ERRORS = (
    duckdb.DataError,
    duckdb.IntegrityError,
    duckdb.InvalidInputException,
    duckdb.NotSupportedError,
)
"""What DuckDB raises when it is the rows that are wrong."""


_DEAD = (duckdb.FatalException, duckdb.IOException)
_DISK = re.compile(r"No space left|Could not write|File too large|IO Error|database has been invalidated")
"""What stands in the text of other errors where the disk is the cause, as in `Failed to commit: ...`."""


def connect(path: str | Path | None, memory_limit: str | None = None) -> duckdb.DuckDBPyConnection:
    """The one connection that owns the file at `path`; None is a database in memory.

    SQL can reach no file and no network, and no setting can be changed afterwards. `memory_limit` is DuckDB's, such as
    "1GiB"; by default eight tenths of what the machine or the container has. Raises StoreError.
    """
    settings: dict[str, str | bool | int | float | list[str]] = {
        "enable_external_access": "false",
        "autoload_known_extensions": "false",
        "autoinstall_known_extensions": "false",
        "lock_configuration": "true",
        # The default of 16 MB stalls the writer again and again; 1 GB takes ten seconds to open after a kill.
        "checkpoint_threshold": "256MB",
        # Inserting gains nothing from a second thread; the other cores decode and detect.
        "threads": str(max(1, (os.cpu_count() or 2) // 2)),
    }
    if memory_limit:
        settings["memory_limit"] = memory_limit
    if path is not None and _is_something_else(Path(path)):
        raise StoreError(f"{path} is not a DuckDB database: name another file in store.path")
    try:
        return duckdb.connect(":memory:" if path is None else str(path), config=settings)
    except (duckdb.Error, RuntimeError) as error:
        raise StoreError(refusal(str(path), str(error))) from None


def _is_something_else(path: Path) -> bool:
    """Whether DuckDB's magic bytes are missing: it would take JSON or CSV for a table, and say that of its name."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:  # which DuckDB says better
        return False
    return bool(head) and head[8:] != b"DUCK"


def refusal(path: str, text: str) -> str:
    """What to tell about a file that DuckDB would not open."""
    if "lock on file" in text:
        holder = re.search(r"PID (\d+)", text)
        who = f"process {holder[1]}" if holder else "another process"
        return f"{path} is in use by {who}: stop it, or name another file in store.path"
    if "not a valid DuckDB database" in text:
        return f"{path} is not a DuckDB database: name another file in store.path"
    if "newer version" in text or "storage version" in text or "version number" in text:
        return f"{path} was written by another version of DuckDB: open it with that version and export it ({text})"
    if "Permission denied" in text or "read-only" in text:
        return f"{path} cannot be written: give this user write permission on it and on its folder"
    if "No such file" in text and not Path(path).parent.is_dir():
        return f"{path} cannot be made: its folder does not exist"
    if "Out of Memory" in text:
        why = text.partition("\n")[0]
        return f"{path} cannot be opened for want of memory: raise store.memory_limit or add memory ({why})"
    if "No space left" in text:
        return f"{path} cannot be opened, since the disk is full: make room on it ({text})"
    return f"{path} cannot be opened, it may be damaged; restore a backup or name another file in store.path ({text})"


def explain(error: duckdb.Error | MemoryError, name: str) -> UndertowError:
    """The mistake that `error` stands for.

    TryAgain where the database died and a restart may help, such as after a full disk; Refused where it lives and may
    take the same later, such as a checkpoint beside readers.
    """
    text = str(error).partition("\n")[0]
    if isinstance(error, MemoryError | duckdb.OutOfMemoryException):
        why = text or type(error).__name__
        return Refused(f"{name}: there was no memory for it, and nothing was kept; see store.memory_limit ({why})")
    if isinstance(error, duckdb.Error) and "orrupt" in text:
        return StoreError(f"{name}: {text}")
    if isinstance(error, _DEAD) or (isinstance(error, duckdb.TransactionException) and _DISK.search(text)):
        return TryAgain(
            f"{name} cannot be used any more; what was committed is safe: see that the disk has space, "
            f"then start again ({text})"
        )
    if "Cannot CHECKPOINT" in text:
        return Refused(
            f"{name}: the log could not be written into the file, because questions were under way that began before "
            "the last commit; nothing is lost, and the next try may do it"
        )
    if isinstance(error, duckdb.TransactionException | duckdb.InterruptException):
        return Refused(f"{name}: the database refused a transaction, of which nothing was kept ({text})")
    return StoreError(f"{name}: {text}")


@contextmanager
def told(name: str) -> Iterator[None]:
    """Turn any error of DuckDB, and a want of memory, into an UndertowError that names the file."""
    try:
        yield
    except (duckdb.Error, MemoryError) as error:
        raise explain(error, name) from error


@contextmanager
def registered(con: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> Iterator[None]:
    """Let SQL read `rows` as the table `name` in the block, and no longer: nothing may keep the rows of a failure."""
    con.register(name, rows)
    try:
        yield
    finally:
        with suppress(duckdb.Error):  # where the transaction failed, its rollback takes the view
            con.unregister(name)


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """Commit what the block does, or nothing of it."""
    con.execute("BEGIN")
    try:
        yield con
        con.execute("COMMIT")
    except BaseException:
        # After a full disk even ROLLBACK fails; the first error is the one to tell.
        with suppress(duckdb.Error):
            con.execute("ROLLBACK")
        raise
