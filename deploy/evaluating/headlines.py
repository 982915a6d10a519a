"""The Upworthy archive as a log: each test showed one of its K headlines at random, so every propensity is 1 / K.

The archive counts; a number of its impressions is drawn from these counts, without replacement.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deploy.evaluating.log import LoggedDecisions, Places, uniform_of
from envs.upworthy_file import HeadlineTest, read_tests
from stream.events import Candidate, Context, Impression, Outcome, Recommendation, Slot
from stream.identity import decision_id

_START_MS = 1_358_985_600_000  # 2013-01-24, when the archive begins; it has no times of impressions
_APART_MS = 1_000


def read_headlines(path: Path, limit: int, seed: int) -> LoggedDecisions:
    """A draw from the impressions of all clean tests, the oldest test first and in random order within a test.

    Args:
        path: the archive's file, or the folder that holds it.
        limit: how many impressions are drawn; all, where there are fewer.
        seed: of the draw.

    Raises:
        WorldError: the path, a column or a value is not as it must be.
    """
    tests = read_tests(path)
    random = np.random.default_rng([seed, 11])
    counts_T = np.array([len(test.arms) for test in tests], dtype=np.int64)
    arms = [arm for test in tests for arm in test.arms]
    cells_A2 = np.array([(arm.impressions - arm.clicks, arm.clicks) for arm in arms], dtype=np.int64)
    total = int(cells_A2.sum())
    drawn_A2 = cells_A2.reshape(-1)
    if limit < total:
        drawn_A2 = random.multivariate_hypergeometric(drawn_A2, limit, method="marginals")
    cell_N = np.repeat(np.arange(len(drawn_A2)), drawn_A2)
    arm_N, reward_N = cell_N // 2, (cell_N % 2).astype(np.float64)
    test_N = np.repeat(np.arange(len(tests)), counts_T)[arm_N]
    order_N = np.lexsort((random.random(len(cell_N)), test_N))
    arm_N, reward_N, test_N = arm_N[order_N], reward_N[order_N], test_N[order_N]
    first_T = np.cumsum(counts_T) - counts_T
    counts_N, action_N = counts_T[test_N], arm_N - first_T[test_N]
    item_M = np.repeat(first_T[test_N], counts_N) + _within(counts_N)
    return LoggedDecisions(
        name=f"Upworthy {path}",
        reward_N=reward_N,
        action_N=action_N,
        propensity_N=1.0 / counts_N,
        counts_N=counts_N,
        logging_M=uniform_of(counts_N),
        item_M=item_M,
        context_NC=np.zeros((len(test_N), 0)),
        candidate_MD=np.zeros((len(item_M), 0)),
        group_N=np.arange(len(test_N), dtype=np.int64),
        outcomes=lambda: _outcomes(tests, test_N, action_N, reward_N),
        notes=(f"{len(test_N):,} of {total:,} impressions were drawn, with the seed {seed}",),
    )


def _within(counts_N: Places) -> Places:
    starts_N = np.cumsum(counts_N) - counts_N
    within_M: Places = np.arange(counts_N.sum()) - np.repeat(starts_N, counts_N)
    return within_M


def _outcomes(
    tests: Sequence[HeadlineTest],
    test_N: Places,
    action_N: Places,
    reward_N: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> list[Outcome]:
    """The same as events: every impression of a reader of its own, one second after the other."""
    candidates = [tuple(Candidate(item_id=arm.item_id, text=arm.headline) for arm in test.arms) for test in tests]
    contexts = [Context(text=test.lede) for test in tests]
    found = []
    for number, (test, action, reward) in enumerate(
        zip(test_N.tolist(), action_N.tolist(), reward_N.tolist(), strict=True)
    ):
        name, ts_ms, arms = f"n{number}", _START_MS + _APART_MS * number, candidates[test]
        impression = Impression(impression_id=name, user_id=name, ts_ms=ts_ms, candidates=arms, context=contexts[test])
        shown = Recommendation(
            decision_id=decision_id(name, name),
            impression_id=name,
            user_id=name,
            ts_ms=ts_ms,
            slate=(Slot(item_id=arms[action].item_id, propensity=1.0 / len(arms)),),
            strategy="uniform",
            policy_version="0.0",
        )
        found.append(Outcome(impression=impression, recommendation=shown, rewards=(reward,), closed_ms=ts_ms + 1))
    return found
