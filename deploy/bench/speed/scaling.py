"""What a decision costs with more candidates, open decisions, users and items.

Each figure is the cost at the largest number over that at the smallest. Candidates: cost of a candidate with 1,000 and
with 10, so that 1 is linear and less is better. Items and users: a decision of 20 candidates with 10^6 of them and with
10^3, each alone, the other at 10^3 (`bench costs` grows both, and measures learning too). Open decisions: what the join
does for one of them, from its arrival over what was decided to its close, with every fifth clicked, while 10^6 and 10^3
are open. Sizes take turns within each repeat; time is that of the processor. Quick goes to 10^5 open, items and users.
"""

import time
from collections.abc import Callable
from copy import deepcopy

from agent.learning import Learning
from agent.settings import AgentSettings
from agent.threads import one_thread
from deploy.bench.cost_filling import CANDIDATES, DECISIONS, LAYOUTS, Traffic, grown, impressions, taught
from deploy.bench.costs import decide_all
from deploy.bench.speed.figure import Figure, Goal, figure, paired
from deploy.bench.speed.open_decisions import OpenStream

_LEAST = 1_000
_BATCHES = 6
_OPENED = 2_000
_FLAT, _LINEAR = Goal(1.3, at_most=True), Goal(1.1, at_most=True)
_UNIT = "µs"


@one_thread()
def measure(quick: bool, say: Callable[[str], None]) -> list[Figure]:
    """Cost at the largest number over that at the smallest."""
    repeats, most = (3, 100_000) if quick else (11, 1_000_000)
    traffic = Traffic(LAYOUTS["numeric"], seed=0)
    learning = taught(traffic, _LEAST, AgentSettings())
    say(f"candidates: 10 and 1,000; items, users and open decisions: {_LEAST:,} and {most:,}; {repeats} repeats")
    figures = [_candidates(traffic, learning, repeats)]
    for name, items, users in (("items", most, _LEAST), ("users", _LEAST, most)):
        few, many = (_decision(traffic, learning, *sizes) for sizes in ((_LEAST, _LEAST), (items, users)))
        figures.append(figure(f"scaling-{name}", *paired(many, few, repeats), f"{_UNIT} a decision", _FLAT))
    few, many = (_opened(count) for count in (_LEAST, most))
    figures.append(figure("scaling-open", *paired(many, few, repeats), f"{_UNIT} an open decision", _FLAT))
    return figures


def _candidates(traffic: Traffic, learning: Learning, repeats: int) -> Figure:
    few, many = (_decision(traffic, learning, _LEAST, _LEAST, candidates) for candidates in (10, 1_000))
    many_P, few_P = paired(many, few, repeats)
    return figure(
        "scaling-candidates", [us / 1_000 for us in many_P], [us / 10 for us in few_P], f"{_UNIT} a candidate", _LINEAR
    )


def _decision(
    traffic: Traffic, learning: Learning, items: int, users: int, candidates: int = CANDIDATES
) -> Callable[[], float]:
    """What measures a decision among so many items, for so many users."""
    one, keys = grown(deepcopy(learning), traffic, items, users), traffic.keys(max(items, users))
    shown = impressions(candidates)

    def decision_us() -> float:
        batches = [traffic.observation(keys[:items], keys[:users], candidates) for _ in range(_BATCHES)]
        return _us(lambda: decide_all(one.learning.policy, batches, shown)) / (_BATCHES * DECISIONS)

    decision_us()  # what is only done once is done before
    return decision_us


def _opened(count: int) -> Callable[[], float]:
    """What measures an open decision while so many are open."""
    stream = OpenStream(count)
    stream.fill()
    return lambda: _us(lambda: stream.go_on(_OPENED)) / _OPENED


def _us(work: Callable[[], object]) -> float:
    started_s = time.process_time()
    work()
    return 1e6 * (time.process_time() - started_s)
