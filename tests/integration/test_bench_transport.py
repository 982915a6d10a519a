"""The transport benchmarks against a real broker: the echo publishes what it should, rates and latencies are those."""

import itertools

import numpy as np
import pytest

from deploy.bench.speed.pacing import pace
from deploy.bench.speed.sides import echoes, wire
from deploy.bench.speed.traffic import Traffic, TrafficSettings
from deploy.bench.speed.transport import payloads_of, rate_of, settings_for, work_off
from deploy.broker.broker import Broker
from deploy.clocks import wall_clock_ms
from stream.kafka.log import KafkaLog

pytestmark = pytest.mark.kafka

PAYLOADS = [(b'{"impression_id":"other"}', b"outcome one"), (b'{"impression_id":"another"}', b"outcome two")]
NAMES = (f"bench-{number}" for number in itertools.count())


@pytest.mark.parametrize("count", [1, 2])
def test_echoes_answer_each_impression_once_and_commit_their_positions(broker: Broker, count: int) -> None:
    settings = settings_for(broker.bootstrap)
    traffic = Traffic(TrafficSettings(), wall_clock_ms())
    with wire(settings, next(NAMES), transactional=True) as (mine, one), echoes(mine, PAYLOADS, count):
        found = work_off(one, traffic, 300)
        found += work_off(one, traffic, 200)
        values = {topic: [r.value for r in found if r.topic == topic] for topic in ("recommendations", "outcomes")}
        assert len(values["recommendations"]) == len(values["outcomes"]) == 500
        assert set(zip(*values.values(), strict=True)) <= set(itertools.product(*zip(*PAYLOADS, strict=True)))
        assert payloads_of(found)[0] in PAYLOADS
    log = KafkaLog(mine.kafka)
    try:
        for _ in range(40):
            assert log.poll(100, 50) == []  # all of it is committed
        assert log.assignment() == frozenset(range(4))
    finally:
        log.close()


def test_the_rate_is_that_of_decisions_from_the_first_record_to_the_last(broker: Broker) -> None:
    settings = settings_for(broker.bootstrap)
    with wire(settings, next(NAMES), transactional=True) as (mine, one), echoes(mine, PAYLOADS):
        found = work_off(one, Traffic(TrafficSettings(), wall_clock_ms()), 400)
    seconds = (max(r.timestamp_ms for r in found) - min(r.timestamp_ms for r in found)) / 1_000
    assert rate_of(found) == pytest.approx(400 / seconds)


def test_a_steady_load_tells_the_latency_of_each_impression_after_the_first_part(broker: Broker) -> None:
    settings = settings_for(broker.bootstrap, "low_latency")
    traffic = Traffic(TrafficSettings(contexts=1), wall_clock_ms())
    with wire(settings, next(NAMES), transactional=False) as (mine, one), echoes(mine, PAYLOADS):
        work_off(one, traffic, 100)
        took_ms = pace(one, traffic, rate=50.0, seconds=3.0, warm_s=1.0)
    assert len(took_ms) == 100
    assert np.all(took_ms > 0)
