"""Writes a load to the broker through all its outages: every event is acknowledged, in order, before the next ones."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import kafka
from kafka.errors import KafkaError

from chaos.load import CLOSE_MS, Load, Written, closing

_CHUNK = 64


class Writer:
    """A thread that writes a load at a rate until it is told to stop.

    An event is written again only where the broker's answer to it was lost for good; repeats are part of any load.

    Args:
        bootstrap: the broker's address.
        topics: topic names by role.
        load: what to write.
        rate_per_s: impressions per second, at most.
    """

    def __init__(self, bootstrap: str, topics: Mapping[str, str], load: Load, rate_per_s: float) -> None:
        self._bootstrap, self._topics, self._load, self._rate_per_s = bootstrap, topics, load, rate_per_s
        self._producer: kafka.KafkaProducer | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self.failure: Exception | None = None
        self.resent = 0
        self.written = 0

    def start(self) -> None:
        """Starts writing."""
        self._thread.start()

    def wait(self, impressions: int, timeout_s: float) -> None:
        """Returns when so many impressions are written."""
        deadline = time.monotonic() + timeout_s
        while self._load.shown < impressions and not self.failure:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{impressions} impressions must be written in time; {self._load.shown} are")
            time.sleep(0.1)

    def finish(self, timeout_s: float = 120) -> None:
        """Ends the stream and writes what is still to come of it."""
        self._stop.set()
        self._thread.join(timeout_s)
        if self.failure:
            raise self.failure
        if self._thread.is_alive():
            raise TimeoutError(f"writer must end within {timeout_s} s; it did not")

    def close_windows(self, partitions: int) -> None:
        """Writes the events that close everything; all else must have been read before."""
        event = closing(self._load.ledger.last_ms + CLOSE_MS)
        self._retry(lambda: self._send([event] * partitions, list(range(partitions))))

    def _run(self) -> None:
        try:
            started_s, events = time.monotonic(), self._load.events()
            while not self._stop.is_set():
                ahead_s = self._load.shown / self._rate_per_s - (time.monotonic() - started_s)
                if ahead_s > 0:
                    self._stop.wait(min(ahead_s, 0.2))
                    continue
                self._write(list(islice(events, _CHUNK)))
            self._write(list(self._load.rest()))
        except Exception as error:  # noqa: BLE001 - raised again in `finish`, in the thread that asks
            self.failure = error

    def _write(self, chunk: Sequence[Written]) -> None:
        self._retry(lambda: self._send(chunk, [None] * len(chunk)))
        self.written += len(chunk)

    def _retry(self, attempt: Callable[[], None], deadline_s: float = 180) -> None:
        end = time.monotonic() + deadline_s
        while True:
            try:
                attempt()
            except KafkaError:
                if time.monotonic() > end:
                    raise
                self.resent += 1
                self._drop()
                time.sleep(0.5)
            else:
                return

    def _send(self, chunk: Sequence[Written], partitions: Sequence[int | None]) -> None:
        if self._producer is None:
            self._producer = kafka.KafkaProducer(
                bootstrap_servers=self._bootstrap,
                enable_idempotence=True,
                delivery_timeout_ms=120_000,
                request_timeout_ms=10_000,
                reconnect_backoff_max_ms=1_000,
                max_block_ms=60_000,
                linger_ms=2,
                compression_type="lz4",
            )
        futures = [
            self._producer.send(self._topics[event.topic], event.value, event.user.encode(), partition=partition)
            for event, partition in zip(chunk, partitions, strict=True)
        ]
        self._producer.flush(timeout=130)
        for future in futures:
            future.get(timeout=1)

    def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer._sender.force_close()
