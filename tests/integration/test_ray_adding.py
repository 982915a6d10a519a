"""Workers that add up shares of an update's rows: the result is one learner's, also when workers die or hang."""

import os
import signal
import time
from collections.abc import Iterator
from copy import deepcopy

import pytest
import ray
import torch
from support.learning_rows import LAYOUT, rows

from agent.errors import AgentError
from agent.learning import Learning
from agent.policy import Policy
from agent.rllib.adding import Workers
from agent.rllib.algorithm import BanditAlgorithm
from agent.settings import AgentSettings
from deploy.bench.learners import measure
from deploy.compose import MemorySession
from deploy.drive import Run, build
from deploy.settings import Settings
from stream.meter import Tally

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

PATIENCE_S = 120.0
FILTERS = ["ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::UserWarning", "ignore::FutureWarning"]
AGENT = AgentSettings(network={"steps": 0}, expert={"refresh_rows": [64]})


@pytest.fixture(scope="module")
def pool(ray_cluster: None) -> Iterator[Workers]:
    started = Workers(2, Tally(), deadline_s=20.0)
    yield started
    started.close()


@pytest.fixture
def tally() -> Tally:
    return Tally()


@pytest.fixture
def workers(pool: Workers, tally: Tally, monkeypatch: pytest.MonkeyPatch) -> Workers:
    """Two workers, both there, that count into the test's tally."""
    complete(pool)
    monkeypatch.setattr(pool, "_meter", tally)
    return pool


def complete(workers: Workers) -> None:
    """Waits until all workers give signs of life."""
    until = time.monotonic() + PATIENCE_S
    while len(workers.present()) < len(workers._actors):
        assert time.monotonic() < until, "workers did not come up"
        time.sleep(0.05)


def processes(workers: Workers) -> list[int]:
    return ray.get([each.ready.remote() for each in workers._actors])


def learners(workers: Workers) -> tuple[Learning, Learning]:
    """One that adds up alone and one with workers, both with the first rows learned."""
    alone, shared = (Learning(Policy(AGENT, LAYOUT)) for _ in range(2))
    for each in (alone, shared):
        each.learn(rows(0, 64))
    workers.serve(shared.policy)
    return alone, shared


def learn(learnings: tuple[Learning, Learning], *batches) -> None:
    for batch in batches:
        for each in learnings:
            each.learn(batch)


def assert_alike(learnings: tuple[Learning, Learning]) -> None:
    alone, shared = (each.policy for each in learnings)
    for name in ("expert", "recent"):
        for sums in ("precision", "eta"):
            expected, found = (getattr(getattr(policy, name), sums) for policy in (alone, shared))
            apart = float((found - expected).abs().max() / expected.abs().max())
            assert apart < 1e-9, (name, sums, apart)
    torch.testing.assert_close(shared.users.table.read(torch.arange(3)), alone.users.table.read(torch.arange(3)))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_several_learners_added_up_are_one_on_all_rows(count: int, workers: Workers, tally: Tally) -> None:
    asked = workers if count == 2 else Workers(count, tally, deadline_s=20.0)
    try:
        complete(asked)
        both = learners(asked)
        for seed, size in enumerate((256, 1, 2, 301, 64, 4_096), start=1):
            learn(both, rows(seed, size))
            assert_alike(both)
    finally:
        if asked is not workers:
            asked.close()
    assert set(tally.counters) == {("learner_shares", "worker")}
    assert tally.total("learner_shares") == 2 * sum(min(count, size) for size in (256, 1, 2, 301, 64, 4_096))


def test_a_worker_that_dies_costs_nothing_and_comes_back(workers: Workers, tally: Tally) -> None:
    both = learners(workers)
    learn(both, rows(1, 256))
    killed = processes(workers)[1]
    os.kill(killed, signal.SIGKILL)
    learn(both, *(rows(seed, 256) for seed in range(2, 5)))
    assert_alike(both)
    assert tally.counters[("learner_shares", "learner")] >= 1
    complete(workers)
    assert processes(workers)[1] != killed
    tally.take()
    learn(both, rows(5, 256))
    assert_alike(both)
    assert set(tally.counters) == {("learner_shares", "worker")}


def test_a_worker_that_hangs_is_given_up_and_started_anew(
    workers: Workers, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = learners(workers)
    hangs = processes(workers)[0]
    os.kill(hangs, signal.SIGSTOP)
    with monkeypatch.context() as patched:
        patched.setattr(workers, "_deadline_s", 3.0)
        learn(both, rows(1, 256))
    assert_alike(both)
    assert tally.counters[("learner_shares", "learner")] >= 1
    complete(workers)
    assert processes(workers)[0] != hangs
    tally.take()
    learn(both, rows(2, 256))
    assert_alike(both)
    assert set(tally.counters) == {("learner_shares", "worker")}


def test_without_any_worker_left_the_learner_does_it_alone(tally: Tally) -> None:
    workers = Workers(2, tally)
    workers.close()
    both = learners(workers)
    learn(both, rows(1, 256), rows(2, 10))
    assert_alike(both)
    assert set(tally.counters) == {("learner_shares", "learner")}


def test_a_copy_of_the_policy_uses_the_same_workers(workers: Workers) -> None:
    policy = Policy(AGENT, LAYOUT)
    workers.serve(policy)
    assert deepcopy(policy).expert.adding is workers


@pytest.mark.filterwarnings(*FILTERS)
def test_a_run_learns_with_the_workers_of_its_settings() -> None:
    chosen = Settings(
        world={"impressions": 3_000},
        readers={"features": "numeric"},
        agent={"features": {"text": "off"}, "network": {"steps": 0}},
        learner={"workers": 2},
        metrics={"enabled": False},
    )
    algorithm = build(chosen, MemorySession(chosen), numeric=13)
    try:
        run = Run(algorithm)
        complete(algorithm._workers)
        while not run.ended:
            run.step()
        assert run.totals.total("learner_rows") == run.totals.total("outcomes") > 0
        assert run.totals.counters[("learner_shares", "worker")] > 0
    finally:
        algorithm.stop()


def test_the_benchmark_measures_each_number_of_workers() -> None:
    (found,) = measure([256], [0, 1], repeats=1)
    assert (found.rows, found.counts, found.rate_PW.shape) == (256, (0, 1), (1, 2))
    assert (found.rate_PW > 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda config: config.learners(num_learners=1), r"num_learners must be 0; got 1.*learner_workers shares out"),
        (lambda config: setattr(config, "learner_workers", -1), r"learner_workers must be 0 or more; got -1"),
    ],
)
def test_what_a_config_cannot_mean_is_an_error(change, message: str) -> None:
    config = BanditAlgorithm.get_default_config()
    change(config)
    with pytest.raises(AgentError, match=message):
        config.validate()
