"""Two sides on one broker: the agent as `streambandit run` starts it, and echoes; both stay up, loads take turns."""

import json
import multiprocessing
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka import TopicPartition

from deploy.bench.errors import BenchError
from deploy.bench.speed.echo import echo
from deploy.settings import Settings
from deploy.settings_example import example_toml
from stream.codec import JsonCodec
from stream.events import Click, Impression
from stream.kafka.batches import read_batch_wise
from stream.kafka.client import make_consumer, make_producer
from stream.kafka.settings import KafkaSettings, TopicNames
from stream.kafka.topics import create_topics
from stream.log import OUTPUT_TOPICS, Record, Topic

_STOP_S, _KILL_S = 60.0, 10.0
_PAUSE_S, _QUIET_S = 0.05, 0.5


@dataclass(frozen=True)
class Wire:
    """The topics of one side.

    Attributes:
        kafka: where they are, and the group that reads them.
        feed: writes its inputs.
        tail: reads what it publishes.
    """

    kafka: KafkaSettings
    feed: "Feed"
    tail: "Tail"


class Feed:
    """Writes events to the inputs of a side.

    Args:
        settings: of the side.
        transactional: whether what is sent is seen at once, at the end of each `preload`.
    """

    def __init__(self, settings: KafkaSettings, *, transactional: bool) -> None:
        self._settings, self._codec, self._transactional = settings, JsonCodec(), transactional
        self._headers = list(self._codec.headers)
        self._producer = make_producer(settings, f"{settings.group_id}-feed" if transactional else None)
        if transactional:
            self._producer.init_transactions()

    def preload(self, events: Iterable[Impression | Click]) -> None:
        """Writes all events; where this is transactional, readers see them at once when all are written."""
        if self._transactional:
            self._producer.begin_transaction()
        for event in events:
            self.send(event)
        self._producer.flush(timeout=self._settings.request_timeout_ms / 1_000)
        if self._transactional:
            self._producer.commit_transaction()

    def send(self, event: Impression | Click) -> None:
        """Writes one event; it leaves within milliseconds."""
        topics = self._settings.topics
        name = topics.impressions if isinstance(event, Impression) else topics.clicks
        self._producer.send(name, self._codec.encode(event), event.user_id.encode(), self._headers)

    def close(self) -> None:
        """Closes the producer."""
        self._producer.close(timeout=_KILL_S)


class Tail:
    """Reads what a side publishes from now on.

    Args:
        settings: of the side.
        topics: which of its outputs.
    """

    def __init__(self, settings: KafkaSettings, topics: Sequence[Topic] = ("recommendations", "outcomes")) -> None:
        self._consumer = make_consumer(settings, group=False, fetch_max_wait_ms=10)
        roles: dict[str, Topic] = {settings.topics.of(topic): topic for topic in OUTPUT_TOPICS}
        read_batch_wise(self._consumer, roles)
        places = [TopicPartition(settings.topics.of(topic), n) for topic in topics for n in range(settings.partitions)]
        self._consumer.assign(places)
        for place, end in self._consumer.end_offsets(places).items():
            self._consumer.seek(place, end)

    def take(self, timeout_ms: float = 0) -> list[Record]:
        """What came since the last call; waits for a first record."""
        found = self._consumer.poll(timeout_ms=timeout_ms, max_records=100_000)
        return [record for batch in found.values() for record in batch]

    def until(self, enough: Callable[[list[Record]], bool], within_s: float, pause_s: float = _PAUSE_S) -> list[Record]:
        """Everything until there is enough; looks only now and then, so that it takes little from who is measured.

        Raises:
            BenchError: it did not come in time.
        """
        found: list[Record] = []
        end_s = time.monotonic() + within_s
        while not enough(found):
            if time.monotonic() > end_s:
                raise BenchError(f"A side must publish what was asked for within {within_s:g} s; got {len(found):,}")
            time.sleep(pause_s)
            found += self.take()
        return found

    def until_quiet(self, pause_s: float = _QUIET_S) -> list[Record]:
        """Everything until nothing comes for a while."""
        found: list[Record] = []
        while True:
            time.sleep(pause_s)
            more = self.take()
            if not more:
                return found
            found += more

    def close(self) -> None:
        """Closes the consumer."""
        self._consumer.close(autocommit=False, timeout_ms=1_000)


@contextmanager
def wire(settings: Settings, name: str, *, transactional: bool) -> Iterator[tuple[Settings, Wire]]:
    """Makes topics and a group of their own for one side, and returns its settings and its ends.

    Args:
        settings: where the broker is, and all else.
        name: prefix of group and topics.
        transactional: see `Feed`.
    """
    names = TopicNames(**{role: f"{name}-{topic}" for role, topic in TopicNames().model_dump().items()})
    kafka = settings.kafka.model_copy(update={"topics": names, "group_id": name})
    create_topics(kafka)
    with ExitStack() as stack:
        feed = Feed(kafka, transactional=transactional)
        stack.callback(feed.close)
        tail = Tail(kafka)
        stack.callback(tail.close)
        yield settings.model_copy(update={"kafka": kafka}), Wire(kafka, feed, tail)


class Agent:
    """`streambandit run` in a process of its own.

    Args:
        settings: all of it.
        folder: for its files.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        kept = settings.checkpoint.model_copy(update={"folder": folder / "checkpoints"})
        settings = settings.model_copy(update={"run_dir": folder / "runs", "checkpoint": kept})
        config = folder / "run.toml"
        config.write_text(example_toml(settings), "utf-8")
        self._folder, self._said = folder, folder / "run.out"
        command = [sys.executable, "-m", "deploy.cli", "run", "--config", str(config)]
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(command, stdout=said, stderr=said)  # noqa: S603 - ours

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def require_up(self) -> None:
        """Raises BenchError where it has ended."""
        if self._process.poll() is not None:
            raise BenchError(f"The agent must go on; it ended: {self._said.read_text(errors='replace')[-2_000:]}")

    def stop(self) -> dict[str, Any]:
        """Ends it in order, and returns the summary of its run; by force where that takes too long."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_KILL_S)
        summary = self._folder / "runs" / "latest" / "summary.json"
        return dict(json.loads(summary.read_text("utf-8"))) if summary.exists() else {}


@contextmanager
def agent(settings: Settings, folder: Path) -> Iterator[Agent]:
    """An agent that ends with the block."""
    folder.mkdir(parents=True)
    running = Agent(settings, folder)
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def echoes(settings: Settings, payloads: Sequence[tuple[bytes, bytes]], count: int = 1) -> Iterator[None]:
    """Echo processes that share a group and end with the block.

    Args:
        settings: their cluster, topics and batch size.
        payloads: see `echo`.
        count: how many.
    """
    spawning = multiprocessing.get_context("spawn")
    stop = spawning.Event()
    arguments = [(settings.kafka, index, payloads, settings.core.max_batch, stop) for index in range(count)]
    processes = [spawning.Process(target=echo, args=each, daemon=True) for each in arguments]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        stop.set()
        for process in processes:
            process.join(_STOP_S)
            if process.is_alive():
                process.kill()
