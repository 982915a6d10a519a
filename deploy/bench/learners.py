"""What learning gains or loses with workers that add up its sums: `bench learners`.

One policy with 1,000 items and users, 291 features (17 x 17 crossed ones and 2 similarities) and no network learns the
same rows with each number of workers, which take turns within each repeat. Time is that of the clock on the wall, as
workers are other processes: what else runs on the machine counts too. Ratios are taken within a repeat.
"""

import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import NamedTuple

import numpy as np

from agent.rllib.adding import Workers
from agent.settings import AgentSettings, NetworkSettings
from agent.threads import one_thread
from deploy.bench.cost_filling import LAYOUTS, UPDATE, Traffic, filled
from deploy.bench.errors import BenchError
from deploy.bench.rounds import Floats
from envs.rows import Rows
from stream.meter import Tally

SIZES, COUNTS = (256, 4_096), (0, 1, 2)
REPEATS = 9
_HELD = 1_000
_PATIENCE_S = 120.0


class Gains(NamedTuple):
    """What was measured at one size of an update, in P repeats of W numbers of workers.

    Attributes:
        rows: of an update.
        counts: numbers of workers, 0 first.
        rate_PW: rows learned a second.
    """

    rows: int
    counts: tuple[int, ...]
    rate_PW: Floats


@one_thread()
def measure(
    sizes: Sequence[int] = SIZES,
    counts: Sequence[int] = COUNTS,
    repeats: int = REPEATS,
    timer: Callable[[], float] = time.perf_counter,
) -> list[Gains]:
    """Measures updates of each size with each number of workers, on the Ray cluster that is there.

    Args:
        sizes: rows of an update, multiples of 256.
        counts: numbers of workers, 0 first.
        repeats: of every measurement.
        timer: seconds from an arbitrary start.

    Raises:
        BenchError: a worker did not come up in time, or was lost.
    """
    traffic, tally = Traffic(LAYOUTS["numeric"], seed=0), Tally()
    one = next(filled(traffic, [_HELD], AgentSettings(network=NetworkSettings(steps=0))))
    policies = [deepcopy(one.learning.policy) for _ in counts]
    workers = {index: Workers(count, tally) for index, count in enumerate(counts) if count}
    try:
        for index, each in workers.items():
            _wait(each, counts[index])
            each.serve(policies[index])
        found = []
        for size in sizes:
            rate_PW = np.zeros((repeats, len(counts)))
            for repeat in range(-1, repeats):  # the first one is overwritten: what is only done once is done in it
                rows = Rows.concatenate([traffic.rows(one.keys) for _ in range(size // UPDATE)])
                for index in np.roll(np.arange(len(counts)), repeat).tolist():
                    started_s = timer()
                    policies[index].learn(rows)
                    rate_PW[repeat, index] = size / (timer() - started_s)
            found.append(Gains(size, tuple(counts), rate_PW))
    finally:
        for each in workers.values():
            each.close()
    if ("learner_shares", "learner") in tally.counters:
        raise BenchError(f"Workers must answer for every share; got {tally.counters}")
    return found


def table(found: Sequence[Gains]) -> str:
    """The measurement in Markdown: medians over repeats, and ratios to learning without workers."""
    lines = ["| rows of an update | workers | rows learned a second | of those without |", "| --- | --- | --- | --- |"]
    for gains in found:
        ratio_PW = gains.rate_PW / gains.rate_PW[:, :1]
        for index, count in enumerate(gains.counts):
            low, middle, high = np.quantile(ratio_PW[:, index], [0.25, 0.5, 0.75])
            rate = np.median(gains.rate_PW[:, index])
            lines.append(f"| {gains.rows:,} | {count} | {rate:,.0f} | {middle:.2f} ({low:.2f} to {high:.2f}) |")
    return "\n".join(lines) + "\n"


def _wait(workers: Workers, count: int) -> None:
    until_s = time.monotonic() + _PATIENCE_S
    while len(workers.present()) < count:
        if time.monotonic() > until_s:
            raise BenchError(f"{count} workers must come up within {_PATIENCE_S:g} s; got {workers.present()}")
        time.sleep(0.05)
