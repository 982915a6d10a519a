"""A small archive of headline tests whose click rates are known to follow from a number of the text."""

import numpy as np

from deploy.bench.headline_tests import Headlines

ARMS, TEXT = 3, 8


def archive(count=24, shown=400, seed=0, manner=0):
    """Tests whose arms are clicked the more the larger the first number of their text, each at a level of its own.

    With `manner` numbers of the manner, the first of those counts as much, whatever the text.
    """
    random = np.random.default_rng(seed)
    text_AE = random.normal(size=(count * ARMS, TEXT)).astype(np.float32)
    manner_AW = np.random.default_rng([seed, 1]).normal(size=(count * ARMS, manner)).astype(np.float32)
    told_A = 0.8 * (text_AE[:, 0] if not manner else manner_AW[:, 0])
    rate_A = 1 / (1 + np.exp(2.0 - told_A - np.repeat(random.normal(size=count), ARMS)))
    return Headlines(
        text_AE=text_AE,
        manner_AW=manner_AW,
        lede_TE=np.zeros((count, TEXT), np.float32),
        test_A=np.repeat(np.arange(count), ARMS),
        item_A=np.arange(count * ARMS) + 1,
        shown_A=np.full(count * ARMS, shown),
        clicks_A=random.binomial(shown, rate_A),
        part_T=np.arange(count) // 2,
        slates=tuple(np.arange(ARMS) + ARMS * test for test in range(count)),
    )


def held_out(tests):
    """The arms of the first three quarters of the tests, and those of the rest."""
    early_A = tests.test_A < 3 * (tests.test_A.max() + 1) // 4
    return np.flatnonzero(early_A), np.flatnonzero(~early_A)
