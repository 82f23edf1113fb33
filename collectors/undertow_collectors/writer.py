"""Commits batches beside the thread that reads, one at a time."""

from concurrent.futures import Future, ThreadPoolExecutor, wait

from undertow.batch import Batch, Committed, Sink


class Writer:
    """Commits one batch at a time beside the thread that reads."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._batch: Batch | None = None
        self._future: Future[Committed] | None = None

    @property
    def busy(self) -> bool:
        """Whether a batch is under way or its outcome not yet collected."""
        return self._future is not None

    def submit(self, batch: Batch) -> None:
        """Begin to commit `batch`; only when not busy."""
        self._batch, self._future = batch, self._thread.submit(self._sink.ingest, batch)

    def wait(self, timeout_s: float | None = None) -> None:
        """Until nothing is under way; raises nothing."""
        if self._future:
            wait([self._future], timeout_s)

    def collect(self) -> Batch | None:
        """The batch that was committed since the last call. Raises what the sink raised."""
        if self._future is None or not self._future.done():
            return None
        future, self._future = self._future, None
        future.result()
        return self._batch

    def close(self) -> None:
        """Let what is under way end."""
        self._thread.shutdown()
