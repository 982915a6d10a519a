"""Rows to learn from, without a log."""

import numpy as np

from envs.features import Layout
from envs.rows import Rows

LAYOUT = Layout(text=0, context=3, candidate=4)


def rows(seed, count, reward=None, layout=LAYOUT):
    """Rows whose reward depends on the first number of the candidate, or is as given."""
    random = np.random.default_rng(seed)
    candidate_RD = random.normal(size=(count, layout.candidate_total)).astype(np.float32)
    drawn = (random.random(count) < 1 / (1 + np.exp(1 - 2 * candidate_RD[:, 0]))).astype(np.float32)
    return Rows(
        context_RC=random.normal(size=(count, layout.context_total)).astype(np.float32),
        user_RU=random.normal(size=(count, layout.user_total)).astype(np.float32),
        candidate_RD=candidate_RD,
        item_R=random.integers(0, 40, count),
        user_R=random.integers(0, 1_000, count),
        reward_R=drawn if reward is None else np.array(reward, dtype=np.float32),
        propensity_R=np.full(count, 0.25),
        slot_R=np.zeros(count, np.int64),
        alike_R=np.zeros(count, np.float32),
        weight_R=np.ones(count, np.float32),
        group_R=np.arange(count) % 10,
    )
