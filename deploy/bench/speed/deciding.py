"""Deciding and learning in process, beside Vowpal Wabbit on the same decisions.

Ours: `BanditAgent.decide` on batches of 32 impressions, from `Impression` to `Recommendation`, and `BanditAgent.learn`
on 256 outcomes, from `Outcome` to updated weights. Theirs, as the library's users have it from Python: each impression
is written in its text format, `predict` gives probabilities, one candidate is drawn; each outcome is written with its
label, and `learn` updates. Both decide the same impressions and learn the same outcomes, those of what ours showed, in
turns within each repeat. 20 candidates, 32 numeric features of the context and 32 of each candidate, one thread each.

Vowpal Wabbit runs as `--cb_explore_adf --squarecb`: once so, where it reads context and candidate side by side
(`vw-flat`), and once with `-q ui`, which crosses them as ours does and without which no context changes what is best.
Lines of `parsed` count what is left of its time where examples were written and parsed beforehand: no stream of events
has that, but it tells the price of the model from that of its input.

Time is that of the processor, so that others who work on the machine move it little.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial

from agent import BanditAgent
from agent.threads import one_thread
from deploy.bench.cost_filling import DECISIONS, UPDATE
from deploy.bench.speed.decisions import Decisions
from deploy.bench.speed.figure import Figure, Goal, figure
from deploy.bench.speed.vowpal_wabbit import VowpalWabbit
from stream.events import Impression, Recommendation

_WARM_UPDATES = 17  # behind the third refresh, so that none falls into what is measured
_GOAL = Goal(3.0)
_OURS = "ours"
_PEERS = {"vw": "-q ui", "vw-flat": ""}

Rates = dict[tuple[str, str], float]
Work = tuple[str, Callable[[], object]]


@one_thread()
def measure(quick: bool, say: Callable[[str], None]) -> list[Figure]:
    """How many times Vowpal Wabbit's decisions and examples a second."""
    repeats = 3 if quick else 15
    sides = _Sides()
    for _ in range(_WARM_UPDATES):
        sides.warm()
    found = [sides.rates(turn=bool(repeat % 2)) for repeat in range(repeats)]
    say(f"{repeats} repeats of {UPDATE} decisions and {UPDATE} outcomes")
    figures = []
    for work, unit in (("deciding", "decisions/s"), ("learning", "examples/s")):
        ours = [each[work, _OURS] for each in found]
        for peer in _PEERS:
            for name, goal in ((peer, _GOAL), (f"{peer}-parsed", None)):
                figures.append(figure(f"{work}-{name}", ours, [each[work, name] for each in found], unit, goal))
    return figures


class _Sides:
    """Our agent and its peers, who have all learned the same."""

    def __init__(self) -> None:
        self._decisions, self._agent = Decisions(seed=0), BanditAgent(seed=0)
        self._peers = {name: VowpalWabbit(command) for name, command in _PEERS.items()}

    def warm(self) -> None:
        """Decides and learns 256 impressions."""
        impressions = self._decisions.impressions(UPDATE)
        outcomes = self._decisions.outcomes(impressions, self._decide(impressions))
        self._agent.learn(outcomes)
        for peer in self._peers.values():
            peer.learn(outcomes)

    def rates(self, *, turn: bool) -> Rates:
        """Decides and learns 256 impressions on all sides; how many of them a second, by what was done and by whom."""
        impressions, shown = self._decisions.impressions(UPDATE), list[Recommendation]()
        rates: Rates = {}
        works: list[Work] = [(_OURS, lambda: shown.extend(self._decide(impressions)))]
        for name, peer in self._peers.items():
            works.append((name, partial(peer.decide, impressions)))
            works.append((f"{name}-parsed", partial(peer.decide_parsed, peer.parsed(impressions))))
        for name, work in reversed(works) if turn else works:
            rates["deciding", name] = _rate(work)
        outcomes = self._decisions.outcomes(impressions, shown)
        works = [(_OURS, partial(self._agent.learn, outcomes))]
        for name, peer in self._peers.items():
            works.append((name, partial(peer.learn, outcomes)))
            works.append((f"{name}-parsed", partial(peer.learn_parsed, peer.parsed(impressions, outcomes))))
        for name, work in reversed(works) if turn else works:
            rates["learning", name] = _rate(work)
        return rates

    def _decide(self, impressions: Sequence[Impression]) -> list[Recommendation]:
        starts = range(0, UPDATE, DECISIONS)
        return [each for start in starts for each in self._agent.decide(impressions[start : start + DECISIONS])]


def _rate(work: Callable[[], object]) -> float:
    started_s = time.process_time()
    work()
    return UPDATE / (time.process_time() - started_s)
