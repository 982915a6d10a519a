"""The loop on Ray: decisions and learner are apart, versions move, the checkpoint holds the state that decides."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import torch
from ray.rllib.core import DEFAULT_MODULE_ID

from agent.rllib.algorithm import BanditAlgorithm
from agent.rllib.learner import BanditLearner
from agent.rllib.weights import unread
from deploy.compose import MemorySession
from deploy.drive import Run, build
from deploy.settings import Settings
from stream.meter import Histogram

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

BLOCKED_S = 5.0
# RLlib 2.60 itself calls what it deprecates, and leaves its log files open.
FILTERS = ["ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::UserWarning", "ignore::FutureWarning"]


def settings(impressions: int, *, open_decisions: bool = True) -> Settings:
    return Settings(
        world={"impressions": impressions},
        readers={"features": "numeric"},
        agent={"features": {"text": "off"}, "delay": {"open_decisions": open_decisions}},
        metrics={"enabled": False},
    )


@pytest.fixture
def algorithm(request: pytest.FixtureRequest) -> Iterator[BanditAlgorithm]:
    chosen = settings(10_000_000, open_decisions=getattr(request, "param", True))
    built = build(chosen, MemorySession(chosen), numeric=13)
    yield built
    built.stop()


@dataclass
class Watch:
    """What the runner did in a stretch of time, while the learner did what it did."""

    decisions: float
    seconds: float
    latency: Histogram = field(default_factory=Histogram)

    @property
    def per_second(self) -> float:
        return self.decisions / self.seconds

    @property
    def p99_ms(self) -> float:
        return self.latency.quantile(0.99)


def number(version: str) -> int:
    return int(version.split(".")[1])


def watch(run: Run, seconds: float) -> Watch:
    run.step()
    started, before = time.perf_counter(), run.totals.take()
    while time.perf_counter() - started < seconds:
        run.step()
    after = run.totals.take()
    run.totals.merge(before)
    return Watch(after.total("decisions"), time.perf_counter() - started, after.histograms["decision_latency_ms"])


@pytest.mark.filterwarnings(*FILTERS)
def test_a_blocked_learner_does_not_slow_decisions(
    algorithm: BanditAlgorithm, monkeypatch: pytest.MonkeyPatch, record_property
) -> None:
    run = Run(algorithm)
    while not run.totals.total("learner_updates") > 10:
        run.step()
    usual = watch(run, BLOCKED_S)
    learn = BanditLearner.after_gradient_based_update

    def blocked(self: BanditLearner, *, timesteps: dict) -> None:
        time.sleep(BLOCKED_S)
        learn(self, timesteps=timesteps)

    with monkeypatch.context() as patched:
        patched.setattr(BanditLearner, "after_gradient_based_update", blocked)
        version, updates = algorithm.version, run.totals.total("learner_updates")
        started = time.perf_counter()
        before = run.totals.take()
        while run.totals.total("learner_updates") < 1:
            run.step()  # one of these takes five seconds
        assert number(algorithm.runners.version) <= number(version)  # nothing newer decided meanwhile
    run.step()  # drains what was decided meanwhile
    seconds = time.perf_counter() - started
    meanwhile = run.totals.take()
    run.totals.merge(before)
    assert seconds >= BLOCKED_S
    assert updates > 0
    stalled = Watch(meanwhile.total("decisions"), seconds, meanwhile.histograms["decision_latency_ms"])
    record_property("decisions_per_second", f"{usual.per_second:.0f} usual, {stalled.per_second:.0f} while blocked")
    record_property("p99_ms", f"{usual.p99_ms:.1f} usual, {stalled.p99_ms:.1f} while blocked")
    assert stalled.per_second >= 0.5 * usual.per_second  # coupled, it would be near 0
    assert stalled.p99_ms <= 0.2 * 1_000 * BLOCKED_S  # coupled, it would be all of it

    while number(algorithm.runners.version) <= number(version):
        run.step()


@pytest.mark.parametrize("algorithm", [False], indirect=True, ids=["closed"])  # else what decides has more in it
@pytest.mark.filterwarnings(*FILTERS)
def test_the_state_that_decides_is_the_one_in_the_checkpoint(algorithm: BanditAlgorithm, tmp_path) -> None:
    run = Run(algorithm)
    while not run.totals.total("learner_updates") > 5:
        run.step()
    runner_states = algorithm.env_runner_group.foreach_env_runner(
        lambda runner: runner.wait_for_weights().get_state(), local_env_runner=False
    )
    deciding = runner_states[0]["rl_module"][DEFAULT_MODULE_ID]
    path = algorithm.save_to_path(tmp_path / "checkpoint")
    learned = algorithm.learner_group.get_state()["learner"]["rl_module"][DEFAULT_MODULE_ID]
    positions = algorithm.get_state()["positions"]

    fewer = settings(1_000, open_decisions=False)
    restored = build(fewer, MemorySession(fewer), numeric=13)
    try:
        restored.restore_from_path(path)
        again = restored.learner_group.get_state()["learner"]["rl_module"][DEFAULT_MODULE_ID]
        assert set(learned) == set(again)
        assert set(deciding) == {name for name in learned if not unread(name.removeprefix("policy."))}
        for name in learned:
            expected = torch.as_tensor(learned[name])
            assert name not in deciding or torch.equal(torch.as_tensor(deciding[name]), expected), name
            moved = 1 if name == "policy.epoch" else 0
            assert torch.equal(torch.as_tensor(again[name]), expected + moved), name
        assert restored.version.split(".")[0] == "1"
        assert restored.get_state()["positions"] == positions
        assert positions[0] == restored.ledger.learned.outcomes == run.totals.total("learner_rows")
        assert positions[0] + algorithm.ledger.rows == run.totals.total("outcomes")  # the others wait to be learned
    finally:
        restored.stop()
