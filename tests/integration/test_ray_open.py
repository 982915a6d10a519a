"""Delayed clicks in the live loop: what is open reaches the weights that decide, long before it closes."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from ray.rllib.core import DEFAULT_MODULE_ID

from agent.delay import Delays
from agent.rllib.algorithm import BanditAlgorithm
from deploy.compose import MemorySession
from deploy.drive import Run, build
from deploy.settings import Settings
from envs.features import Layout
from envs.rows import Rows

FILTERS = ["ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::UserWarning", "ignore::FutureWarning"]
pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster"), pytest.mark.filterwarnings(*FILTERS)]

DIM = 13
LAYOUT = Layout(text=0, context=DIM, candidate=DIM)
DECISIONS = 6_000
CLICK_DELAY_MS, WINDOW_MS = 10_000, 100_000_000


def settings(**delay) -> Settings:
    """Readers whose clicks take 10 s, at 20 decisions a second, and a window that no run lasts."""
    return Settings(
        world={"impressions": 10_000_000, "click_delay_ms": CLICK_DELAY_MS},
        readers={"features": "numeric"},
        agent={
            "features": {"text": "off"},
            "delay": delay,
            "expert": {"mean_similarity": 0.0},
            "explore": {"strategy": "boltzmann", "inverse_temperature": 3.0},  # who knows nothing chooses evenly
        },
        core={"attribution": {"window_ms": WINDOW_MS}},
        metrics={"enabled": False},
    )


def uninformed() -> Rows:
    """What fits the projections and teaches nothing: rewards are the same whatever was shown."""
    random = np.random.default_rng(0)
    return Rows(
        context_RC=random.normal(size=(512, LAYOUT.context_total)).astype(np.float32),
        user_RU=np.zeros((512, LAYOUT.user_total), np.float32),
        candidate_RD=random.normal(size=(512, LAYOUT.candidate_total)).astype(np.float32),
        item_R=np.arange(512),
        user_R=np.arange(512),
        reward_R=np.full(512, 0.05, np.float32),
        propensity_R=np.full(512, 0.05),
        slot_R=np.zeros(512, np.int64),
        alike_R=np.zeros(512, np.float32),
        weight_R=np.ones(512, np.float32),
        group_R=np.zeros(512, np.int64),
    )


def delays() -> Delays:
    """How long the readers' clicks take, as earlier outcomes would have told: log-normal."""
    delay_ms_C = np.random.default_rng(0).lognormal(np.log(CLICK_DELAY_MS) - 0.5, 1.0, 500)
    return Delays(delay_ms_C, np.full(500, float(WINDOW_MS)))


@pytest.fixture(params=[True, False], ids=["open", "closed"])
def run(request) -> Iterator[Run]:
    chosen = settings(open_decisions=request.param)
    algorithm: BanditAlgorithm = build(chosen, MemorySession(chosen), numeric=DIM)
    algorithm.learning.learn(uninformed(), delays())
    algorithm.start_with_weights()
    yield Run(algorithm)
    algorithm.stop()


def deciding(algorithm) -> dict:
    """The weights that decide."""
    (state,) = algorithm.env_runner_group.foreach_env_runner(lambda runner: runner.get_state(), local_env_runner=False)
    return {name: torch.as_tensor(value).clone() for name, value in state["rl_module"][DEFAULT_MODULE_ID].items()}


def learned(algorithm) -> dict:
    """The weights in a checkpoint."""
    return {name: array.copy() for name, array in algorithm.checkpoint().arrays.items() if name.startswith("policy.")}


def test_open_decisions_teach_the_decider_and_nobody_else(run: Run, record_property) -> None:
    algorithm = run.algorithm
    on = algorithm.learning.policy.settings.delay.open_decisions
    weights, saved = deciding(algorithm), learned(algorithm)
    while run.totals.total("decisions") < DECISIONS:
        run.step()
    assert run.totals.total("outcomes") == run.totals.total("learner_updates") == 0  # nothing has closed

    moved = [name for name, value in deciding(algorithm).items() if not torch.equal(value, weights[name])]
    assert bool(moved) == on
    after = learned(algorithm)
    assert after.keys() == saved.keys()
    for name, array in after.items():
        np.testing.assert_allclose(array, saved[name], rtol=1e-4, atol=1e-5, err_msg=name)
    assert algorithm.learning.policy.version == "0.1"

    while "rates" not in algorithm.runners.worlds.get(1, {}):
        run.step()
    rates = run.progress[-1]
    record_property("click_rates", f"{rates.click_rate}, {rates.click_rate_uniform} uniform")
    assert rates.click_rate is not None
    assert rates.click_rate_uniform is not None
    gain = rates.click_rate / rates.click_rate_uniform
    assert gain > 1.3 if on else gain < 1.15, gain


def test_the_tables_of_runner_and_driver_stay_within_their_bound(run: Run) -> None:
    algorithm = run.algorithm
    on = algorithm.learning.policy.settings.delay.open_decisions
    while run.totals.total("decisions") < 600:
        run.step()
    read = run.totals.levels.get("open_rows_read", 0.0)
    assert (0 < read <= 8_192) if on else read == 0
