"""How kafka-python unpacks what it fetched, so that a batch that cannot be read costs nothing but itself."""

from typing import Any

from kafka.consumer.fetcher import Fetcher

from undertow_collectors.client import CODECS, DAMAGED_HINT

NEEDS = {"snappy": "python-snappy", "lz4": "lz4", "zstd": "zstandard"}
"""The packages that kafka-python reads them with, all of them dependencies of Undertow."""


class BatchError(Exception):
    """The batch that comes next in a partition, from `offset` on, cannot be read; the text says why."""

    def __init__(self, partition: Any, offset: int, why: str) -> None:
        super().__init__(why)
        self.partition = partition
        self.offset = offset


class _Batches:
    """Batches of one fetch, of which the one that is being unpacked is known."""

    def __init__(self, records: Any) -> None:
        self._records = records
        self.current: Any = None

    def next_batch(self) -> Any:
        """The next one, or None."""
        self.current = self._records.next_batch()
        return self.current


class Records(Fetcher.PartitionRecords):  # type: ignore[misc]  # no types in kafka-python
    """What was fetched of one partition.

    3.0.12 raises what it meets without saying where, and would ask for ever for more of what has ended by an error.
    """

    def take(self, n: int | None = None) -> Any:
        """The next records. Raises BatchError, whatever a damaged batch makes the libraries raise."""
        try:
            return super().take(n)
        except Exception as error:  # noqa: BLE001
            batch = self._batches.current
            self.drain()
            raise BatchError(self.topic_partition, self.next_fetch_offset, reason(error, batch)) from None

    def _unpack_records(self, tp: Any, records: Any, *deserializers: Any) -> Any:
        self._batches = _Batches(records)
        return super()._unpack_records(tp, self._batches, *deserializers)


def reason(error: Exception, batch: Any) -> str:
    """Why `batch`, whose unpacking raised `error`, cannot be read, and what to do; None is one without a header."""
    if batch is None:
        return f"the batch has no header ({_told(error)}); {DAMAGED_HINT}"
    where = f"the batch from offset {batch.base_offset} to {_last(batch)}"
    codec = CODECS.get(batch.compression_type)
    if codec is None:
        return f"{where} is compressed with codec {batch.compression_type}, which Kafka does not have; {DAMAGED_HINT}"
    if "codec not found" in str(error) or "pip install" in str(error):
        package = NEEDS.get(codec, codec) if batch.magic else "xxhash"  # which lz4 of Kafka 0.8 needs
        return f"{where} is compressed with {codec}; install the package {package} and start again"
    return f"{where} ({codec}) is damaged ({_told(error)}); {DAMAGED_HINT}"


def _told(error: Exception) -> str:
    name = type(error).__name__
    return f"{name}: {error}" if str(error) and name not in str(error) else str(error) or name


def _last(batch: Any) -> int:
    return int(getattr(batch, "last_offset", batch.base_offset))
