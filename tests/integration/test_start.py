"""A run begins from a history, in memory and over a broker, and judges itself beside an incumbent."""

import json
import signal
from pathlib import Path

import pytest
import ray
from support.live_agents import NUMERIC, LiveAgent, Load, consume, topics_of_their_own

from deploy.broker.broker import Broker
from deploy.clocks import stopped_clock_ms, timer_s
from deploy.compose import MemorySession, scene_of, supply_of
from deploy.drive import Run, build, summary_of_run
from deploy.importing.learn import Say, learn_history
from deploy.settings import CheckpointSettings, Settings
from deploy.simulate import SimulateOptions, simulate
from deploy.starting import begin_apart, read_start, with_start
from deploy.uniform import UniformLog
from envs.core import Core
from envs.session import OpenSession, Session, Share
from envs.world import World
from stream.kafka.settings import KafkaSettings
from stream.memory import MemoryLog

pytestmark = [pytest.mark.ray]
BESIDE = 10_000  # of which about one in 20 tells what the policy would have earned
READERS = Settings(
    world={"impressions": 3_000},
    readers={"features": "numeric"},
    agent={"features": {"text": "off"}},
    metrics={"enabled": False},
)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history")
    simulate(READERS, SimulateOptions(impressions=3_000, out=folder / "log.jsonl", logged=True))
    studied = learn_history(str(folder / "log.jsonl"), folder / "learned", READERS, Say(print, timer_s))
    assert studied.outcomes == 3_000
    return folder / "learned"


def starting_from(folder: Path) -> Settings:
    return with_start(READERS.model_copy(update={"checkpoint": CheckpointSettings(start=folder)}))


def beside_uniform() -> OpenSession:
    """Readers in the runner's process, to whom a uniform policy shows every impression."""

    def open_session(share: Share) -> Session:  # not a function of the module, so that it travels by value
        log = MemoryLog()
        beside = UniformLog(log, seed=5, logged=True)
        settings = READERS.world.model_copy(update={"impressions": BESIDE})
        world = World(scene_of(READERS, "readers", seed=9), beside, settings, seed=9)
        core = Core(READERS.core, share.parts(log, stopped_clock_ms, supply_of(world)))
        return Session(core=core, close=log.close, timer=timer_s)

    return open_session


@pytest.mark.usefixtures("ray_cluster")
def test_in_memory_it_decides_with_what_it_learned_from_the_first_impression(learned: Path) -> None:
    settings = with_start(
        READERS.model_copy(update={"checkpoint": READERS.checkpoint.model_copy(update={"start": learned})})
    )
    algorithm = build(settings, MemorySession(settings), numeric=13)
    try:
        begin_apart(algorithm, settings.checkpoint.start)
        assert algorithm.runners.version == "0.0"  # nobody has reported yet
        assert int(algorithm.learning.policy.rows) == 3_000
        assert algorithm.version.startswith("1.")
        run = Run(algorithm)
        while not run.ended:
            run.step()
        assert algorithm.runners.version.startswith("1.")
        assert int(algorithm.learning.policy.rows) == 6_000
    finally:
        algorithm.stop()


@pytest.mark.usefixtures("ray_cluster")
def test_beside_an_incumbent_it_decides_nothing_and_tells_how_it_stands(learned: Path) -> None:
    settings = with_start(
        READERS.model_copy(update={"checkpoint": READERS.checkpoint.model_copy(update={"start": learned})})
    )
    algorithm = build(settings, beside_uniform(), numeric=13)
    try:
        begin_apart(algorithm, settings.checkpoint.start)
        run = Run(algorithm)
        while not run.ended:
            run.step()
        run.finish()
        summary = summary_of_run(run)
    finally:
        algorithm.stop()
    found = summary["apprentice"]
    assert summary["decisions"] == 0
    assert summary["impressions"] == {"logged": BESIDE}
    assert found["decisions"] + int(run.totals.total("apprentice_passed")) == summary["outcomes"] == BESIDE
    assert found["with_propensity"] == found["decisions"]
    assert 0.04 < found["agreement"] < 0.1  # of 20 candidates a uniform choice meets the policy's in one of 20
    assert found["gain_low"] > 0.0  # what it learned from a uniform log is better than that log
    assert json.dumps(found)


@pytest.mark.kafka
def test_over_a_broker_its_own_checkpoint_comes_before_what_it_began_from(
    broker: Broker, ray_cluster: None, learned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: KafkaSettings = topics_of_their_own(broker)
    monkeypatch.setenv("STREAMBANDIT_CHECKPOINT__START", str(learned))
    cluster = ray.get_runtime_context().gcs_address
    with Load(settings, per_s=150):
        first = LiveAgent(settings, tmp_path, NUMERIC, cluster)
        first.learn(300)
        assert first.end(signal.SIGTERM) == 0, first.said[-4_000:]
    assert f"begins from {learned}" in first.said
    assert first.checkpoint()["epoch"] == 1
    rows = first.checkpoint()["learned"]["rows"]
    versions = {json.loads(each.value)["policy_version"] for each in consume(settings, settings.topics.recommendations)}
    assert {version.partition(".")[0] for version in versions} == {"1"}
    assert int(min(versions, key=lambda version: int(version[2:]))[2:]) >= 3_000 // 256
    with Load(settings, per_s=150):
        second = LiveAgent(settings, tmp_path, NUMERIC, cluster)
        second.learn(300)
        assert second.end(signal.SIGTERM) == 0, second.said[-4_000:]
    assert "begins from" not in second.said
    assert "restored: version 1." in second.said
    assert second.checkpoint()["epoch"] == 2
    assert second.checkpoint()["learned"]["rows"] > rows

    # the topic itself as a history: another group goes on behind it
    ends = {int(p): offset for p, offset in second.checkpoint()["positions"].items()}
    studied = learn_history(
        "kafka", tmp_path / "again", READERS.model_copy(update={"kafka": settings}), Say(print, timer_s)
    )
    outcomes = consume(settings, settings.topics.outcomes)
    assert studied.outcomes == len(outcomes)
    positions = read_start(tmp_path / "again").state.positions
    assert all(positions[partition] >= offset for partition, offset in ends.items())
    assert sum(each.offset >= positions[each.partition] for each in outcomes) == 0
