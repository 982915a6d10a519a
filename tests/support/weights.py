"""Runners without Ray that take weights as the real ones do, and the group that a hand-out gives them to."""

import pickle
from copy import deepcopy
from functools import cache
from unittest.mock import patch

import numpy as np
import torch

from agent.inputs import inputs_of_rows
from agent.learning import Learning
from agent.policy import Policy
from agent.rllib.weights import Inbox, unread
from agent.settings import AgentSettings
from envs.rows import Rows
from support.learning_rows import LAYOUT
from support.learning_rows import rows as usual_rows

MOST = 1_024
_LONG = np.uint64(0x9E3779B97F4A7C15)  # odd, so that different numbers give different keys
SETTINGS = AgentSettings(
    expert={"max_items": MOST, "max_users": MOST, "rank": 3, "refresh_rows": (64,), "buffer_rows": 1_024},
    recent={"max_items": MOST},
    network={"towers": 2, "hidden": 2, "steps": 4},
)


def rows(seed, count, items=3 * MOST):
    """Rows of any of so many items and users, whose keys are as long as those of ids."""
    item_R, user_R = np.random.default_rng([seed, 7]).integers(1, items, (2, count)).view(np.uint64) * _LONG
    return Rows(**usual_rows(seed, count).columns() | {"item_R": item_R.view(int), "user_R": user_R.view(int)})


@cache
def _taught(remembered):
    with patch("agent.table._REMEMBERED_LEAST", remembered):
        learning = Learning(Policy(SETTINGS, LAYOUT))
    for seed in range(5):
        learning.learn(rows(seed, 250))
    return learning


def taught(remembered=16_384):
    """A learner whose tables are nearly full, and remember so many places written."""
    return deepcopy(_taught(remembered))


class Runner:
    """Takes weights like `StreamRunner`; `lazy` ones use them only when told to."""

    def __init__(self, *, lazy=False):
        self.policy, self.inbox, self.lazy = Policy(SETTINGS, LAYOUT), Inbox(), lazy
        self.taken = []

    def take_weights(self, weights):
        self.taken.append(weights)
        self.inbox.put(weights)
        if not self.lazy:
            self.inbox.open(self.policy)
        return self.inbox.base


class Group:
    """RLlib's group of runners, as far as a hand-out calls it; messages travel as through the object store."""

    def __init__(self, runners):
        self.runners, self.answers, self.lost = dict(runners), [], set()

    def healthy_env_runner_ids(self):
        return list(self.runners)

    def fetch_ready_async_reqs(self, *, tags, timeout_seconds):
        assert tags == "weights"
        assert timeout_seconds > 0
        answers, self.answers = self.answers, []
        return answers

    def foreach_env_runner_async(self, func, tag, *, kwargs, remote_worker_ids):
        assert tag == "weights"
        for index in remote_worker_ids:
            if index not in self.lost:
                sent = {name: _read_only(pickle.loads(packed)) for name, packed in kwargs.items()}  # noqa: S301 - ours
                self.answers.append((index, getattr(self.runners[index], func)(**sent)))
        return len(remote_worker_ids)


def put(weights):
    """Into the object store."""
    return pickle.dumps(weights)


def assert_decides_alike(runner, learner):
    """What deciding reads is the same in both policies, bit for bit, and so is what they say."""
    ours, theirs = learner.state_dict(), runner.state_dict()
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert unread(name) or torch.equal(value, theirs[name]), name
    inputs = inputs_of_rows(rows(99, 200))
    for one, other in zip(learner.score(inputs), runner.score(inputs), strict=True):
        assert torch.equal(one, other)


def _read_only(weights):
    for array in weights.buffers.values():
        array.flags.writeable = False
    for part in weights.parts.values():
        for array in (part.place_M, *part.columns.values()):
            array.flags.writeable = False
    return weights
