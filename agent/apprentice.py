"""Beside an incumbent: what the policy would have done where another one decided, told by metrics and never kept.

A logged impression is judged when it closes, before its row is learned, by the weights that decide then. What was known
of its user is read as learning reads it, from the recommendation, so that neither its own clicks nor those of later
days tell. Of several slots the first is judged, as though shown alone.

    judge(closed, believer, featurizer, meter)      # the deciding side, after each commit
    standing(tally)                                 # the driver
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agent.belief import Belief
from agent.errors import EncoderError
from agent.evaluation.estimate import Estimate
from agent.evaluation.running import RunningSums
from agent.explore import probabilities, sigmoid
from agent.settings import ExploreSettings
from envs.decision import LOGGED
from envs.errors import FeatureError
from envs.features import Featurizer
from envs.observation import Observation
from envs.protocols import Floats
from stream.events import Knew, Outcome
from stream.meter import Meter, Tally

MOST = 256  # judged at once; where more close together, after a pause, evenly spread ones are
_SUM = "apprentice_sum"
_log = logging.getLogger("streambandit.runner")


class Believing(Protocol):
    """A policy that says what it believes and how it explores."""

    @property
    def explore(self) -> ExploreSettings:
        """How to explore."""
        ...

    def believe(self, observation: Observation) -> Belief:
        """What it believes of the candidates."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """How the policy stands beside the incumbent.

    Attributes:
        decisions: of the incumbent that were judged.
        agreement: mean probability with which the policy would have shown what the incumbent did.
        same: share of the decisions in which that is the policy's favourite.
        earned: mean reward of the judged decisions.
        weighted: decisions whose propensity is logged, from which the estimates are.
        incumbent: what the incumbent earned in these; the estimates are None where there are none.
        snips: what the policy would have earned in them, by self-normalised inverse propensity scoring.
        dr: the same, doubly robust.
        gain: `dr` less what the incumbent earned.
    """

    decisions: int
    agreement: float
    same: float
    earned: float
    weighted: int
    incumbent: Estimate | None
    snips: Estimate | None
    dr: Estimate | None
    gain: Estimate | None

    def estimates(self) -> dict[str, Estimate]:
        """Those that there are, by name."""
        found = {"incumbent": self.incumbent, "snips": self.snips, "dr": self.dr, "gain": self.gain}
        return {name: estimate for name, estimate in found.items() if estimate is not None}


def judge(closed: Sequence[Outcome], believer: Believing, featurizer: Featurizer, meter: Meter) -> None:
    """Counts what the policy would have done in the incumbent's decisions among closed ones, none of them learned yet.

    Args:
        closed: outcomes; those of the policy's own decisions are passed over.
        believer: the policy.
        featurizer: makes observations.
        meter: counts `apprentice_decisions`, `apprentice_agreement`, `apprentice_same`, `apprentice_reward` and, of
            decisions with a logged propensity, `apprentice_sum` by the name of the sum; `apprentice_passed` decisions
            are not judged: because of their number, or because they cannot be read.
    """
    logged = [outcome for outcome in closed if outcome.recommendation.strategy == LOGGED]
    if not logged:
        return
    fitting = _fitting(logged, featurizer)
    chosen = fitting[:: -(-len(fitting) // MOST)] if fitting else []
    if len(chosen) < len(logged):
        meter.count("apprentice_passed", len(logged) - len(chosen))
    if not chosen:
        return
    try:
        observation = _observation(chosen, featurizer)
    except EncoderError as error:
        _log.warning("decisions of the incumbent are not judged: %s", error)
        meter.count("apprentice_passed", len(chosen))
        return
    belief = believer.believe(observation)
    _count(chosen, belief, probabilities(believer.explore, belief), meter)


def standing(tally: Tally) -> Standing | None:
    """How the policy stands by what was counted, of any number of processes; None where nothing was judged."""
    decisions = tally.total("apprentice_decisions")
    if not decisions:
        return None
    sums = RunningSums.named({label: amount for (name, label), amount in tally.counters.items() if name == _SUM})
    return Standing(
        decisions=int(decisions),
        agreement=tally.total("apprentice_agreement") / decisions,
        same=tally.total("apprentice_same") / decisions,
        earned=tally.total("apprentice_reward") / decisions,
        weighted=int(sums.decisions),
        incumbent=sums.logging(),
        snips=sums.snips(),
        dr=sums.dr(),
        gain=sums.gain(),
    )


def _fitting(outcomes: Sequence[Outcome], featurizer: Featurizer) -> list[Outcome]:
    """Those that the layout of the features fits; it may have been another one when they came."""
    fitting = []
    for outcome in outcomes:
        try:
            featurizer.check([outcome.impression])
        except FeatureError:
            continue
        fitting.append(outcome)
    return fitting


@dataclass(frozen=True, slots=True)
class _AsLogged:
    """What the policy knew of a user when a decision was taken; nothing where that is not logged."""

    knew: Knew | None

    def read(self, user: str, ts_ms: int, about_E: Floats) -> Knew:  # noqa: ARG002 - whoever it is, and whenever
        return self.knew or Knew()


def _observation(outcomes: Sequence[Outcome], featurizer: Featurizer) -> Observation:
    users = [(_AsLogged(outcome.recommendation.knew), outcome.impression.user_id) for outcome in outcomes]
    return featurizer.observe([outcome.impression for outcome in outcomes], users)


def _count(outcomes: Sequence[Outcome], belief: Belief, share_N: NDArray[np.float64], meter: Meter) -> None:
    shown_B = belief.starts_B + [_shown(outcome) for outcome in outcomes]
    pi_B, q_N = share_N[shown_B], sigmoid(belief.logit_N)
    reward_B = np.array([outcome.rewards[0] for outcome in outcomes])
    propensity_B = np.array([outcome.recommendation.slate[0].propensity or np.nan for outcome in outcomes])
    meter.count("apprentice_decisions", len(outcomes))
    meter.count("apprentice_agreement", float(pi_B.sum()))
    meter.count("apprentice_same", int((belief.greedy_B == shown_B).sum()))
    meter.count("apprentice_reward", float(reward_B.sum()))
    told_B = np.isfinite(propensity_B)
    columns = (reward_B, propensity_B, pi_B, q_N[shown_B], belief.total(share_N * q_N))
    sums = RunningSums.of(*(column_B[told_B] for column_B in columns))
    for name, amount in sums.by_name().items() if sums.decisions else ():
        meter.count(_SUM, amount, label=name)


def _shown(outcome: Outcome) -> int:
    """The index of what was shown first."""
    item_id = outcome.recommendation.slate[0].item_id
    return [candidate.item_id for candidate in outcome.impression.candidates].index(item_id)
