"""Weights on their way to runners on Ray: whole once, then what was written since; a runner that died gets a whole."""

import os
import signal
from collections.abc import Iterator

import pytest
import torch
from ray.rllib.core import DEFAULT_MODULE_ID

from agent.rllib.algorithm import BanditAlgorithm
from agent.rllib.weights import unread
from deploy.compose import MemorySession
from deploy.drive import Run, build
from deploy.settings import Settings

FILTERS = ["ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::UserWarning", "ignore::FutureWarning"]
pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster"), pytest.mark.filterwarnings(*FILTERS)]

WHOLE, SINCE = ("weights_handed_out", "whole"), ("weights_handed_out", "since")


@pytest.fixture
def run() -> Iterator[Run]:
    chosen = Settings(
        world={"impressions": 10_000_000},
        readers={"features": "numeric"},
        agent={
            "features": {"text": "off"},
            "expert": {"refresh_rows": (256,)},  # after that a whole is for a runner that has died
            "change": {"min_rows": 10_000_000},
        },
        runner={"runners": 2},
        metrics={"enabled": False},
    )
    algorithm: BanditAlgorithm = build(chosen, MemorySession(chosen), numeric=13)
    algorithm.start_with_weights()
    yield Run(algorithm)
    algorithm.stop()


def steps(run: Run, updates: int) -> None:
    """Until so many more updates were learned."""
    until = run.totals.total("learner_updates") + updates
    while run.totals.total("learner_updates") < until:
        run.step()


def sent(run: Run) -> tuple[float, float]:
    """How often a runner got a whole, and what was written since."""
    return run.totals.counters.get(WHOLE, 0.0), run.totals.counters.get(SINCE, 0.0)


def assert_all_decide_like_the_learner(algorithm: BanditAlgorithm) -> None:
    algorithm.hand_out_weights()
    states = algorithm.env_runner_group.foreach_env_runner(
        lambda runner: runner.wait_for_weights().get_state(), local_env_runner=False
    )
    assert len(states) == 2
    for name, value in algorithm.learning.policy.state_dict().items():
        for state in states:
            deciding = state["rl_module"][DEFAULT_MODULE_ID]
            assert (f"policy.{name}" in deciding) == (not unread(name))
            if not unread(name):
                assert torch.equal(torch.as_tensor(deciding[f"policy.{name}"], dtype=value.dtype), value), name


def test_runners_get_a_whole_once_and_a_killed_one_once_more(run: Run) -> None:
    algorithm = run.algorithm
    steps(run, 8)  # until the refresh is over, and with it what replaces all weights
    assert_all_decide_like_the_learner(algorithm)
    run.step()
    whole, since = sent(run)
    assert whole >= 2
    steps(run, 3)
    assert_all_decide_like_the_learner(algorithm)
    run.step()
    assert sent(run)[0] == whole
    assert sent(run)[1] > since

    pids = algorithm.env_runner_group.foreach_env_runner(lambda _: os.getpid(), local_env_runner=False)
    os.kill(pids[0], signal.SIGKILL)
    while run.totals.total("runner_restarts") < 1:
        run.step()
    steps(run, 3)
    assert_all_decide_like_the_learner(algorithm)
    run.step()
    assert sent(run)[0] == whole + 1
