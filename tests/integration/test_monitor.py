"""Through the whole loop in memory: wrong draws and wrong propensities are noticed, right ones are not."""

import numpy as np
import pytest
from msgspec.structs import replace

import agent.deciding
from agent.decide import decide
from agent.deciding import DecidingLoop, Ending
from agent.draw import draw_slate
from agent.explore import Belief
from agent.monitor import PropensityMonitor
from agent.settings import AgentSettings, ExploreSettings
from agent.user_snapshots import UserStores
from deploy.compose import settle, supply_of
from envs.core import Core
from envs.features import Featurizer
from envs.parts import CoreSettings, Parts
from envs.readers import ReaderScene, ReaderSettings
from envs.session import Session
from envs.world import World, WorldSettings
from stream.memory import MemoryLog
from stream.meter import Tally

DECISIONS = 50_000
READERS = ReaderSettings(features="numeric", candidates_min=4, candidates_max=6)
STRATEGIES = {
    "inverse_gap_weighting": ExploreSettings(gap_scale=100.0),
    "epsilon_greedy": ExploreSettings(strategy="epsilon_greedy", epsilon=0.2),
}


class Opinion:
    """A `Believer` whose logits follow from the candidates' features, and never change."""

    version = "0.0"

    def __init__(self, explore):
        self.explore = explore

    def believe(self, observation):
        logit_N = observation.candidates_ND.sum(axis=1, dtype=np.float64)
        return Belief(logit_N, np.zeros(len(logit_N)), observation.counts_B, rows=0)


def sharper(probabilities_K):
    return probabilities_K**1.05


def a_tenth_to_the_best(probabilities_K):
    """A tenth of what the others have goes to the best."""
    drawn_K = 0.9 * probabilities_K
    drawn_K[np.argmax(probabilities_K)] += 0.1
    return drawn_K


def a_tenth_from_the_best(probabilities_K):
    """A tenth of what the best has is spread over all, evenly."""
    drawn_K = probabilities_K.copy()
    best = np.argmax(probabilities_K)
    drawn_K[best] *= 0.9
    return drawn_K + 0.1 * probabilities_K[best] / len(drawn_K)


def drawing_from(other):
    """Decisions whose slate is drawn from other probabilities than those that are logged for it."""

    def decided(decision):
        ((index,), _) = draw_slate(other(np.array(decision.probabilities)), 1, decision.seed)
        return replace(decision, slate=(index,), propensities=(decision.probabilities[index],))

    return lambda *args, **kwargs: [decided(each) for each in decide(*args, **kwargs)]


def logging(factor):
    """Right decisions, logged with a propensity that is too high or too low by a factor."""

    def decided(decision):
        return replace(decision, propensities=(min(factor * decision.propensities[0], 1.0),))

    return lambda *args, **kwargs: [decided(each) for each in decide(*args, **kwargs)]


def decided_until_alarm(explore, seed=0):
    """Decisions until the monitor, as the driver asks it, raises the alarm; None where it never does."""
    log = MemoryLog(capacity=DECISIONS * 3)
    scene = ReaderScene(READERS, seed)
    world = World(scene, log, WorldSettings(impressions=DECISIONS), seed)
    settings = AgentSettings(explore=explore)
    settled, layout = settle(settings, encoder_dim=0, numeric=scene.feature_dim)
    meter, featurizer = Tally(), Featurizer(settled.features, None)
    featurizer.fix(layout)
    parts = Parts(log, featurizer, UserStores(settled.interests), meter, clock=lambda: 0, supply=supply_of(world))
    session = Session(Core(CoreSettings(max_batch=512), parts), close=log.close, timer=lambda: 0.0)
    loop = DecidingLoop(session, Opinion(explore), seed, Ending(max_decisions=DECISIONS))
    monitor, decided = PropensityMonitor(), 0.0
    while not loop.ended:
        loop.advance()
        tally = meter.take()
        decided += tally.total("propensity_decisions")
        if monitor.absorb(tally, now_s=0.0):
            return decided
    assert decided == DECISIONS
    return None


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_choices_that_follow_what_is_logged_raise_no_alarm(strategy):
    assert decided_until_alarm(STRATEGIES[strategy]) is None


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("other", [sharper, a_tenth_to_the_best, a_tenth_from_the_best])
def test_choices_from_other_probabilities_are_noticed(strategy, other, monkeypatch):
    monkeypatch.setattr(agent.deciding, "decide", drawing_from(other))
    assert decided_until_alarm(STRATEGIES[strategy]) is not None


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_propensity_off_by_a_tenth_is_noticed_at_once(factor, monkeypatch):
    monkeypatch.setattr(agent.deciding, "decide", logging(factor))
    assert decided_until_alarm(STRATEGIES["epsilon_greedy"]) < 5_000
