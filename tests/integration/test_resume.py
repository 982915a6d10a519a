"""Nothing lost, nothing twice: the learner over ends, kills and torn checkpoints, counted by an outside consumer."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import ray
from support.live_agents import TEXTS, LiveAgent, Load, alive, places, proof_of_topic, topics_of_their_own

from deploy.broker.broker import Broker
from stream.kafka.settings import KafkaSettings

pytestmark = [pytest.mark.kafka, pytest.mark.ray]


@pytest.fixture
def settings(broker: Broker) -> KafkaSettings:
    return topics_of_their_own(broker)


@pytest.fixture
def cluster(ray_cluster: None) -> str:
    return ray.get_runtime_context().gcs_address


@contextmanager
def running(settings: KafkaSettings, folder: Path, cluster: str = "", **more: str) -> Iterator[LiveAgent]:
    agent = LiveAgent(settings, folder, cluster=cluster, **more)
    try:
        yield agent
    finally:
        if agent.process.poll() is None:
            agent.process.kill()
            agent.process.wait(10)


def everything_is_learned(agent: LiveAgent) -> None:
    """What the newest checkpoint proves to have learned is what an outside consumer finds, and it stands behind it."""
    settings, state = agent.settings, agent.checkpoint()
    assert agent.proof() == proof_of_topic(settings)
    for partition, offset in places(settings, settings.topics.outcomes):
        assert state["positions"][str(partition)] > offset


def test_an_ordered_end_keeps_everything_and_the_next_run_goes_on(
    settings: KafkaSettings, tmp_path: Path, cluster: str
) -> None:
    with Load(settings, per_s=150), running(settings, tmp_path, cluster) as first:
        first.learn(300)
        assert first.end(signal.SIGTERM) == 0, first.said[-4_000:]
    assert first.checkpoint()["epoch"] == 0
    everything_is_learned(first)
    with Load(settings, per_s=150), running(settings, tmp_path, cluster) as second:
        second.learn(300)
        assert second.end(signal.SIGINT) == 0, second.said[-4_000:]
    assert second.checkpoint()["epoch"] == 1
    assert "restored: version 0." in second.said
    everything_is_learned(second)


def test_a_killed_driver_leaves_nobody_behind_and_nothing_is_lost(
    settings: KafkaSettings, tmp_path: Path, record_property
) -> None:
    with Load(settings, per_s=150):
        with running(settings, tmp_path) as first:
            first.learn(200)
            runners, all_of_them = first.children("ray::StreamRunner"), first.children()
            assert len(runners) == 1
            first.end(signal.SIGKILL)
        record_property("runner_left_for_s", seconds_until_gone(runners, within_s=30))
        record_property("others_left_for_s", seconds_until_gone(all_of_them, within_s=120))
        with running(settings, tmp_path) as second:
            second.learn(200)
            assert second.end() == 0, second.said[-4_000:]
    assert second.checkpoint()["epoch"] == 1
    everything_is_learned(second)


def seconds_until_gone(pids: list[int], within_s: float) -> float:
    started = time.monotonic()
    while left := [pid for pid in pids if alive(pid)]:
        assert time.monotonic() - started < within_s, f"{left} still run"
        time.sleep(0.1)
    return round(time.monotonic() - started, 1)


def test_a_torn_checkpoint_is_passed_over(settings: KafkaSettings, tmp_path: Path, cluster: str) -> None:
    with Load(settings, per_s=150):
        with running(settings, tmp_path, cluster) as first:
            first.learn(200)
            first.end(signal.SIGKILL)
        *_, older, newest = sorted(first.checkpoints.glob("checkpoint-*"))
        tensors = newest / "tensors.safetensors"
        tensors.write_bytes(tensors.read_bytes()[:1_000])
        with running(settings, tmp_path, cluster) as second:
            second.learn(100)
            assert second.end() == 0, second.said[-4_000:]
    assert f"{newest} is torn and is skipped" in second.said
    assert f"checkpoint {int(older.name.rpartition('-')[2])} restored" in second.said
    everything_is_learned(second)


def test_a_run_outlives_its_runner_and_its_encoder(settings: KafkaSettings, tmp_path: Path) -> None:
    load, agent_of_texts = Load(settings, 30, features="text"), running(settings, tmp_path, features=TEXTS)
    with load, agent_of_texts as agent:
        agent.learn(60)
        agent.kill_actor("EncoderServer")
        agent.learn(60)
        agent.kill_actor("StreamRunner")
        agent.says("runner 1 died and is back")
        agent.learn(60)
        assert agent.end() == 0, agent.said[-4_000:]
    everything_is_learned(agent)
