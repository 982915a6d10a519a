"""What a decision and a learned row cost, after 100 and up to a million items and as many users: `bench costs`.

Decided are 20 candidates at a time, in batches of 32 with everything between an observation and a decision's record:
believing, exploring, drawing. Learned are updates of 256 rows with the steps of the network; refreshes, which come at
four row counts of a policy's life, are not among them. All with one thread of torch, in one process.

Time is that of the processor, which with one thread is what passes on a quiet machine, and is little moved by what else
runs on a busy one. Sizes take turns within each repeat, and ratios are taken within a repeat.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from agent.decide import decide
from agent.policy import Policy
from agent.settings import AgentSettings
from agent.threads import one_thread
from deploy.bench.cost_filling import DECISIONS, LAYOUTS, UPDATE, Filled, Traffic, filled, impressions
from deploy.bench.errors import BenchError
from deploy.bench.rounds import Floats
from envs.observation import Observation
from stream.events import Impression

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
REPEATS = 7
MOST_REPEATS = 15  # the rows of more would reach the next refresh
_BATCHES, _UPDATES = 8, 3
_MB = 2**20


class Costs(NamedTuple):
    """What was measured with one layout, in P repeats of S sizes.

    Attributes:
        layout: name of the layout.
        sizes: items, and users as well.
        decision_ms_PS: a decision.
        row_ms_PS: a learned row.
        memory_mb_S: the largest memory of the process so far, once the policies up to each size are there.
        room_ms: the update that finds the largest table full and makes room, all of its items new; None where no
            table is full.
    """

    layout: str
    sizes: tuple[int, ...]
    decision_ms_PS: Floats
    row_ms_PS: Floats
    memory_mb_S: Floats
    room_ms: float | None


class Ratio(NamedTuple):
    """Cost at the largest size over that at the smallest: its median over repeats, and its range between quartiles."""

    median: float
    spread: float


@one_thread()
def measure(
    layout: str,
    sizes: Sequence[int] = SIZES,
    repeats: int = REPEATS,
    settings: AgentSettings | None = None,
    timer: Callable[[], float] = time.process_time,
) -> Costs:
    """Measures all sizes with one layout.

    Args:
        layout: `numeric`, 32 features a side, or `text`, embeddings of 384.
        sizes: items, and users as well; ascending.
        repeats: of every measurement.
        settings: of the agent; the defaults where not given.
        timer: seconds from an arbitrary start; of this process's work where not given.

    Raises:
        BenchError: there is no such layout, a size does not fit, or there are too many repeats.
    """
    if layout not in LAYOUTS:
        msg = f"A layout must be one of {', '.join(LAYOUTS)}; got {layout!r}"
        raise BenchError(msg)
    if not 1 <= repeats <= MOST_REPEATS:
        msg = f"Repeats must be 1 to {MOST_REPEATS}; got {repeats}"
        raise BenchError(msg)
    settings = settings or AgentSettings()
    policies, memory_mb = [], []
    for one in filled(Traffic(LAYOUTS[layout], seed=0), sizes, settings):
        policies.append(one)
        memory_mb.append(_peak_mb())
    decision_ms_PS, row_ms_PS = np.zeros((2, repeats, len(sizes)))
    for one in policies:  # what is only done once is done before
        decide_all(one.learning.policy, [one.traffic.observation(one.keys)], impressions())
    for repeat in range(repeats):
        for index in np.roll(np.arange(len(sizes)), repeat).tolist():
            decision_ms_PS[repeat, index] = _decision_ms(policies[index], timer)
            row_ms_PS[repeat, index] = _row_ms(policies[index], timer)
    full = sizes[-1] == settings.expert.max_items
    room_ms = _room_ms(policies[-1], timer) if full else None
    return Costs(layout, tuple(sizes), decision_ms_PS, row_ms_PS, np.array(memory_mb), room_ms)


def ratio(cost_PS: Floats) -> Ratio:
    """How much more the largest size costs than the smallest.

    >>> ratio(np.array([[1.0, 1.5], [2.0, 2.0], [1.0, 2.0]]))
    Ratio(median=1.5, spread=0.5)
    """
    ratio_P = cost_PS[:, -1] / cost_PS[:, 0]
    low, middle, high = np.quantile(ratio_P, [0.25, 0.5, 0.75])
    return Ratio(float(middle), float(high - low))


def table(costs: Costs) -> str:
    """The measurement in Markdown: medians over repeats."""
    decision_S, row_S = (np.median(cost_PS, axis=0) for cost_PS in (costs.decision_ms_PS, costs.row_ms_PS))
    lines = [
        f"## {costs.layout}, {len(costs.decision_ms_PS)} repeats, one thread",
        "",
        "| items, and users as well | ms a decision | rows learned a second | MB of the process, with those above |",
        "| --- | --- | --- | --- |",
    ]
    for size, decision_ms, row_ms, memory_mb in zip(costs.sizes, decision_S, row_S, costs.memory_mb_S, strict=True):
        lines.append(f"| {size:,} | {decision_ms:.3f} | {1_000 / row_ms:,.0f} | {memory_mb:,.0f} |")
    for name, cost_PS in (("decision", costs.decision_ms_PS), ("learned row", costs.row_ms_PS)):
        found = ratio(cost_PS)
        growth = (
            f"{found.median:.2f} times as much at the last size as at the first, quartiles {found.spread:.2f} apart"
        )
        lines += ["", f"A {name} costs {growth}."]
    if costs.room_ms is not None:
        lines += ["", f"The update that finds the tables full and makes room for new items: {costs.room_ms:,.0f} ms."]
    return "\n".join(lines) + "\n"


def json_lines(costs: Costs) -> list[str]:
    """A line for decisions and one for learning; `ours` is the largest size and `theirs` the smallest."""
    units = {
        "decision": (costs.decision_ms_PS, "ms per decision"),
        "learning": (costs.row_ms_PS, "ms per row"),
    }
    return [_line(f"costs-{costs.layout}-{name}", *found) for name, found in units.items()]


def _line(name: str, cost_PS: Floats, unit: str) -> str:
    found = ratio(cost_PS)
    return json.dumps(
        {
            "name": name,
            "ratio": round(found.median, 3),
            "ours": round(float(np.median(cost_PS[:, -1])), 4),
            "theirs": round(float(np.median(cost_PS[:, 0])), 4),
            "unit": unit,
            "spread": round(found.spread, 3),
        }
    )


def decide_all(policy: Policy, batches: Sequence[Observation], shown: Sequence[Impression]) -> None:
    """Believes, explores and draws for batches of observations."""
    for observation in batches:
        belief = policy.believe(observation)
        decide(shown, belief, policy.explore, run_seed=0, version=policy.version)


def _decision_ms(one: Filled, timer: Callable[[], float]) -> float:
    batches = [one.traffic.observation(one.keys) for _ in range(_BATCHES)]
    shown, started_s = impressions(), timer()
    decide_all(one.learning.policy, batches, shown)
    return 1_000 * (timer() - started_s) / (_BATCHES * DECISIONS)


def _row_ms(one: Filled, timer: Callable[[], float]) -> float:
    updates = [one.traffic.rows(one.keys) for _ in range(_UPDATES)]
    started_s = timer()
    for rows in updates:
        one.learning.learn(rows)
    return 1_000 * (timer() - started_s) / (_UPDATES * UPDATE)


def _room_ms(one: Filled, timer: Callable[[], float]) -> float:
    rows = one.traffic.rows(one.traffic.keys(len(one.keys) + UPDATE)[-UPDATE:])
    started_s = timer()
    one.learning.learn(rows)
    return 1_000 * (timer() - started_s)


def _peak_mb() -> float:
    """The largest memory that this process has had."""
    unit = 1 if sys.platform == "darwin" else 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _MB
