"""What is read of open rows once is what reading all of them would give, until the projections move."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from support import learning_rows

from agent.delay import OpenRows
from agent.inputs import inputs_of_rows
from agent.learning import Learning
from agent.open_reading import OpenReading
from agent.policy import Policy
from agent.settings import AgentSettings
from envs.features import Layout

LAYOUT = Layout(text=6, context=3, candidate=4)
rows = partial(learning_rows.rows, layout=LAYOUT)


@pytest.fixture
def policy():
    policy = Policy(AgentSettings(), LAYOUT)
    policy.fit(rows(0, 200))
    return policy


@pytest.fixture
def counted(policy, monkeypatch):
    """How many rows the policy reads, a number for each time."""
    counts, reading = [], policy.read

    def count(inputs):
        counts.append(len(inputs.item_N))
        return reading(inputs)

    monkeypatch.setattr(policy, "read", count)
    return counts


def assert_reads_as(policy, found, some):
    for column, expected in zip(found, policy.read(inputs_of_rows(some)), strict=True):
        np.testing.assert_allclose(column, expected, rtol=1e-5, atol=1e-6)


def test_rows_that_come_stay_and_go_are_each_read_once(policy, counted):
    every, reading, random = rows(1, 90), OpenReading(policy), np.random.default_rng(2)
    for start, stop in ((0, 40), (0, 40), (10, 60), (25, 60), (30, 90), (88, 90)):
        number_R = random.permutation(np.arange(start, stop))
        found = reading.of(every.where(number_R), number_R)
        told = list(counted)
        assert_reads_as(policy, found, every.where(number_R))
        counted[:] = told  # not what the check read
    assert counted == [40, 20, 30]  # 90 rows, each once


def test_after_the_projections_moved_all_rows_are_read_again(policy, counted):
    every, reading, number_R = rows(1, 30), OpenReading(policy), np.arange(30)
    before = reading.of(every, number_R)
    policy.fit(rows(3, 200))
    after = reading.of(every, number_R)
    assert counted[0] == counted[-1] == 30
    assert np.abs(before.item_NJ - after.item_NJ).max() > 0.1
    assert_reads_as(policy, after, every)


def test_weights_from_elsewhere_move_the_projections(policy):
    every, reading, number_R = rows(1, 30), OpenReading(policy), np.arange(30)
    reading.of(every, number_R)
    other = Policy(AgentSettings(), LAYOUT)
    other.fit(rows(3, 200))
    policy.load_state_dict(other.state_dict())
    assert_reads_as(policy, reading.of(every, number_R), every)


def test_numbered_rows_teach_what_rows_without_numbers_do():
    learners = [Learning(Policy(AgentSettings(expert={"refresh_rows": (64,)}), LAYOUT)) for _ in range(2)]
    every = rows(1, 60)
    ages = OpenRows(replace(every, reward_R=np.zeros(60, np.float32)), np.full(60, 500.0), np.ones(60), 1_000)
    scores = []
    for learner, numbers in zip(learners, (np.arange(60), None), strict=True):
        learner.learn(rows(0, 100))
        for keep in (np.arange(40), np.arange(20, 60)):
            learner.provide(replace(ages, number_R=numbers).where(keep))
        scores.append(learner.policy.score(inputs_of_rows(rows(5, 30)))[0].numpy())
        learner.learn(rows(6, 100))
        learner.provide(None)
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-4, atol=1e-5)
    one, other = (learner.policy.state_dict() for learner in learners)
    assert all(one[name].equal(other[name]) for name in one)  # what is settled, to the bit
