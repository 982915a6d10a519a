"""`streambandit run` as a process of its own over a real broker, a load for it, and what an outsider reads of it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
import zlib
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import kafka

from deploy.broker.broker import Broker
from envs.readers import ReaderScene, ReaderSettings
from envs.world import Arrival
from stream.codec import JsonCodec
from stream.events import Click
from stream.kafka.settings import KafkaSettings
from stream.kafka.topics import create_topics

T0_MS = 1_700_000_000_000
STEP_MS = 50
WINDOW_MS = 2_000
PARTITIONS = 2
NUMERIC = '[agent.features]\ntext = "off"\ncontext_dim = 13\ncandidate_dim = 13\n'
TEXTS = '[agent.features]\ntext = "on"\n[agent.encoder]\nmax_tokens = 16\n'


def topics_of_their_own(broker: Broker) -> KafkaSettings:
    """Settings with fresh topics and a fresh group; the timeouts are the shortest that the broker allows."""
    prefix = uuid.uuid4().hex[:8]
    roles = ("impressions", "clicks", "recommendations", "outcomes", "dead_letters")
    settings = KafkaSettings(
        bootstrap_servers=broker.bootstrap,
        group_id=f"{prefix}-group",
        topics={role: f"{prefix}-{role}" for role in roles},
        partitions=PARTITIONS,
        session_timeout_ms=6_000,
        transaction_timeout_ms=5_000,
        commit_timeout_ms=4_000,
    )
    create_topics(settings)
    return settings


@dataclass(frozen=True)
class Proof:
    """Which outcomes: how many, and the sum of their hashes."""

    outcomes: int
    digest: str


def proof_of_topic(settings: KafkaSettings) -> Proof:
    """Of every committed outcome, as a plain consumer finds them."""
    total = count = 0
    for partition, offset in places(settings, settings.topics.outcomes):
        text = f"{partition}:{offset}".encode("ascii")
        total = (total + int.from_bytes(blake2b(text, digest_size=8).digest(), "big")) % 2**64
        count += 1
    return Proof(count, f"{total:016x}")


def places(settings: KafkaSettings, topic: str) -> list[tuple[int, int]]:
    """Partition and offset of every committed record of a topic."""
    return [(record.partition, record.offset) for record in consume(settings, topic)]


def consume(settings: KafkaSettings, topic: str) -> list:
    """Every committed record of a topic."""
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers, isolation_level="read_committed", enable_auto_commit=False
    )
    partitions = [kafka.TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    ends, records = consumer.end_offsets(partitions), []
    while any(consumer.position(partition) < ends[partition] for partition in partitions):
        for batch in consumer.poll(timeout_ms=200).values():
            records += batch
    consumer.close()
    return records


class Load:
    """Readers who come at an even rate until it is closed; some click on what is first in the list."""

    def __init__(self, settings: KafkaSettings, per_s: float, features: str = "numeric") -> None:
        self._settings, self._pause_s = settings, 1 / per_s
        self._scene = ReaderScene(ReaderSettings(features=features, candidates_min=3, candidates_max=6), seed=1)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sent = 0

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        producer, codec = kafka.KafkaProducer(bootstrap_servers=self._settings.bootstrap_servers), JsonCodec()
        while not self._ended.wait(self._pause_s):
            arrival = Arrival(self.sent, f"i{self.sent}", T0_MS + self.sent * STEP_MS)
            shown = self._scene.emit(arrival).impression
            key = shown.user_id.encode()
            place = {"key": key, "partition": zlib.crc32(key) % PARTITIONS}
            producer.send(self._settings.topics.impressions, value=codec.encode(shown), **place)
            if self.sent % 3 == 0:
                click = Click(
                    impression_id=shown.impression_id,
                    user_id=shown.user_id,
                    item_id=shown.candidates[0].item_id,
                    ts_ms=shown.ts_ms + 10,
                )
                producer.send(self._settings.topics.clicks, value=codec.encode(click), **place)
            self.sent += 1
        producer.flush(20)
        producer.close(5)


class LiveAgent:
    """One process of the command line; its output lies in a file.

    With the address of a Ray cluster of this process it runs there, which spares the start of its own.
    """

    def __init__(self, settings: KafkaSettings, folder: Path, features: str = NUMERIC, cluster: str = "") -> None:
        self.settings, self.folder, self._cluster = settings, folder, cluster
        self.checkpoints = folder / "checkpoints" / settings.group_id
        config = folder / "run.toml"
        names = "\n".join(f'{role} = "{name}"' for role, name in settings.topics.model_dump().items())
        waits = ("session_timeout_ms", "transaction_timeout_ms", "commit_timeout_ms")
        config.write_text(
            f'run_dir = "{folder}"\n[metrics]\nenabled = false\n'
            f'[checkpoint]\nfolder = "{folder / "checkpoints"}"\nevery_s = 0.5\n'
            f'[kafka]\nbootstrap_servers = "{settings.bootstrap_servers}"\ngroup_id = "{settings.group_id}"\n'
            + "".join(f"{name} = {getattr(settings, name)}\n" for name in waits)
            + f"[kafka.topics]\n{names}\n{features}[core.attribution]\nwindow_ms = {WINDOW_MS}\nidle_ms = 500\n"
            f"out_of_order_ms = 100\n"
        )
        number = len(list(folder.glob("output-*.txt")))
        self._output = folder / f"output-{number}.txt"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.cli", "run", "--config", str(config)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | ({"RAY_ADDRESS": cluster} if cluster else {}),
            )

    @property
    def said(self) -> str:
        """Everything on its terminal so far."""
        return self._output.read_text(errors="replace")

    def checkpoint(self) -> dict:
        """The state of the newest checkpoint; {} before the first."""
        states = sorted(self.checkpoints.glob("checkpoint-*/state.json"))
        return json.loads(states[-1].read_text()) if states else {}

    def proof(self) -> Proof:
        """What the newest checkpoint says was learned."""
        learned = self.checkpoint()["learned"]
        return Proof(learned["outcomes"], learned["digest"])

    def learn(self, more: int, within_s: float = 240) -> None:
        """Waits until so many more outcomes are in a checkpoint."""
        start = self.checkpoint().get("learned", {}).get("outcomes", 0)
        deadline = time.monotonic() + within_s
        while self.checkpoint().get("learned", {}).get("outcomes", 0) < start + more:
            assert self.process.poll() is None, self.said[-4_000:]
            assert time.monotonic() < deadline, self.said[-4_000:]
            time.sleep(0.1)

    def says(self, words: str, within_s: float = 240) -> None:
        """Waits until these words stand on its terminal."""
        deadline = time.monotonic() + within_s
        while words not in self.said:
            assert self.process.poll() is None, self.said[-4_000:]
            assert time.monotonic() < deadline, self.said[-4_000:]
            time.sleep(0.1)

    def end(self, number: int = signal.SIGTERM, within_s: float = 60) -> int:
        """Sends a signal; returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(within_s)

    def children(self, name: str = "") -> list[int]:
        """Ids of the living processes below it, or below its cluster, whose command line holds a name."""
        root = os.getpid() if self._cluster else self.process.pid
        return [pid for pid in _descendants(root) if name in _command(pid)]

    def kill_actor(self, name: str) -> int:
        """Kills the process of an actor; returns its id."""
        (pid,) = self.children(f"ray::{name}")
        os.kill(pid, signal.SIGKILL)
        return pid


def _descendants(pid: int) -> list[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(entry.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found, level = [], [pid]
    while level:
        level = [child for child, parent in parents.items() if parent in level]
        found += level
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
