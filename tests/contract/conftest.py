"""Both logs behind one fixture, so that every contract test reads as if there were one."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any

import pytest

from deploy.broker.broker import Broker
from stream.events import Candidate, Click, Impression, Recommendation, Slot
from stream.kafka.client import close_producer, make_producer
from stream.kafka.log import KafkaLog
from stream.kafka.settings import KafkaSettings, TopicNames
from stream.kafka.topics import create_topics
from stream.kafka.world import KafkaWorldLog
from stream.log import INPUT_TOPICS, EventLog, Headers, Record, Topic, WorldLog
from stream.memory import MemoryLog

PARTITIONS = 4
T0_MS = 1_700_000_000_000
DEADLINE_S = 30


@dataclass
class Logs:
    """One log from both sides. `reopen` gives a second reader as after a restart, where the log knows restarts."""

    agent: EventLog
    world: WorldLog
    append_raw: Callable[..., Any]
    reopen: Callable[[], EventLog]
    partitions: int = PARTITIONS
    seen: list[Recommendation] = field(default_factory=list)

    def show(self, count: int, user: str | None = None) -> list[Impression]:
        """Appends impressions, each of its own user unless one is given."""
        shown = [self.impression(index, user or f"u{index}") for index in range(count)]
        for impression in shown:
            self.world.append(impression)
        self.world.flush()
        return shown

    def take(self, count: int, log: EventLog | None = None) -> list[Record]:
        """Polls until so many records came; fails when they do not, or when more do."""
        taken: list[Record] = []
        deadline = time.monotonic() + DEADLINE_S
        while len(taken) < count and time.monotonic() < deadline:
            taken += (log or self.agent).poll(max_records=count, timeout_ms=200)
        assert len(taken) == count
        return taken

    def recommended(self, count: int) -> list[Recommendation]:
        """Reads so many recommendations as the world sees them."""
        deadline = time.monotonic() + DEADLINE_S
        while len(self.seen) < count and time.monotonic() < deadline:
            self.seen += self.world.recommendations(max_records=100, timeout_ms=200)
        assert len(self.seen) == count
        return self.seen

    @staticmethod
    def impression(index: int, user: str) -> Impression:
        candidates = (Candidate(item_id="a"), Candidate(item_id="b"))
        return Impression(impression_id=f"i{index}", user_id=user, ts_ms=T0_MS + index, candidates=candidates)

    @staticmethod
    def click(impression: Impression) -> Click:
        return Click(
            impression_id=impression.impression_id, user_id=impression.user_id, item_id="a", ts_ms=impression.ts_ms + 1
        )

    @staticmethod
    def recommendation(impression: Impression) -> Recommendation:
        return Recommendation(
            decision_id=f"d-{impression.impression_id}",
            impression_id=impression.impression_id,
            user_id=impression.user_id,
            ts_ms=impression.ts_ms,
            slate=(Slot(item_id="a", propensity=0.5),),
            slate_propensity=0.5,
            strategy="uniform",
            policy_version="0.0",
        )


@pytest.fixture(
    params=[
        "memory",
        pytest.param("exactly_once", marks=pytest.mark.kafka),
        pytest.param("low_latency", marks=pytest.mark.kafka),
    ]
)
def logs(request: pytest.FixtureRequest) -> Iterator[Logs]:
    if request.param == "memory":
        log = MemoryLog(partitions=PARTITIONS)
        yield Logs(agent=log, world=log, append_raw=log.append_raw, reopen=lambda: log)
    else:
        kafka = request.getfixturevalue("kafka")
        yield kafka.both_sides(guarantee=request.param)


@dataclass
class Kafka:
    """Topics of one test on the shared broker, with everything that was opened on them closed at the end."""

    settings: KafkaSettings
    opened: ExitStack

    def log(self, index: int = 0, **changed: Any) -> KafkaLog:
        return self.opened.enter_context(closing(KafkaLog(self.settings.model_copy(update=changed), index)))

    def world(self, **arguments: Any) -> KafkaWorldLog:
        return self.opened.enter_context(closing(KafkaWorldLog(self.settings, **arguments)))

    def both_sides(self, **changed: Any) -> Logs:
        agent = self.log(**changed)

        def reopen() -> EventLog:
            agent.close()
            return self.log(**changed)

        return Logs(agent=agent, world=self.world(), append_raw=self.append_raw, reopen=reopen)

    def append_raw(self, topic: Topic, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        producer = make_producer(self.settings)
        producer.send(self.settings.topics.of(topic), value, key, list(headers)).get(timeout=10)
        close_producer(producer)


@pytest.fixture
def kafka(broker: Broker) -> Iterator[Kafka]:
    """Fresh topics and a fresh group."""
    name = f"t{uuid.uuid4().hex[:8]}"
    roles = (*INPUT_TOPICS, "recommendations", "outcomes", "dead_letters")
    settings = KafkaSettings(
        bootstrap_servers=broker.bootstrap,
        group_id=name,
        topics=TopicNames(**{role: f"{name}-{role}" for role in roles}),
        partitions=PARTITIONS,
        session_timeout_ms=6_000,
    )
    assert create_topics(settings).problems == ()
    with ExitStack() as opened:
        yield Kafka(settings, opened)
