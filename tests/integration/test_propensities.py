"""Choices agree with the propensities that were *published*, for every strategy, over 100,000 decisions each.

Every event takes its whole way: from the log through the core to the decision, and back from the log for the test. What
a strategy reads moves with every batch. That a learning policy fills it in as well is shown on fewer decisions.
"""

import math
from dataclasses import replace
from typing import get_args

import msgspec
import numpy as np
import pytest

from agent.belief import Resemblance
from agent.certificate import Certificate, certify
from agent.deciding import DecidingLoop, Ending
from agent.deterministic import DeterministicLoop
from agent.draw import draw_slate
from agent.explore import Belief
from agent.policy import Policy
from agent.settings import AgentSettings, ExploreSettings
from agent.user_snapshots import UserStores
from deploy.compose import settle, supply_of
from envs.core import Core
from envs.features import FeatureSettings, Featurizer
from envs.parts import CoreSettings, Parts
from envs.readers import ReaderScene, ReaderSettings
from envs.session import Session
from envs.world import World, WorldSettings
from stream.codec import JsonCodec
from stream.events import Candidate, Context, Event, Impression, Recommendation
from stream.memory import MemoryLog
from stream.meter import Tally
from stream.settings import AttributionSettings

DECISIONS = 100_000
FEATURES = FeatureSettings(text="off", context_dim=1, candidate_dim=2)
NEVER = AttributionSettings(window_ms=10**9)  # decisions stay open: their outcomes would be half of the work
READERS = ReaderSettings(features="numeric", candidates_min=4, candidates_max=6)

EXPLORERS = {
    "inverse_gap_weighting": ExploreSettings(gap_scale=1.0, evaluable=0.05),
    "greedy": ExploreSettings(strategy="greedy", floor=0.1),
    "epsilon_greedy": ExploreSettings(strategy="epsilon_greedy", epsilon=0.3),
    "boltzmann": ExploreSettings(strategy="boltzmann", value_rows=50.0),
    "linucb": ExploreSettings(strategy="linucb"),
    "thompson": ExploreSettings(strategy="thompson"),
    "neural_thompson": ExploreSettings(strategy="neural_thompson", samples=16),
}
SLOTS = {"boltzmann": 2, "thompson": 3}  # one for the others


class Moving:
    """A `Believer` whose beliefs move with every batch, as a learner's would."""

    def __init__(self, explore: ExploreSettings) -> None:
        self.explore, self._random, self._batches = explore, np.random.default_rng(1), 0

    @property
    def version(self) -> str:
        return f"0.{self._batches}"

    def believe(self, observation) -> Belief:
        self._batches += 1
        random, N = self._random, len(observation.candidates_ND)
        logit_N = observation.candidates_ND.astype(float) @ [math.sin(self._batches / 9), math.cos(self._batches / 9)]
        sd_N = random.uniform(0.2, 1.0, N)
        return Belief(
            logit_N,
            sd_N,
            observation.counts_B,
            rows=200 * self._batches,
            samples_MN=logit_N + sd_N * random.normal(size=(self.explore.samples, N)),
            item_rows_N=random.integers(0, 100, N).astype(float),
            item_reward_N=random.uniform(0.0, 1.0, N),
        )


class Resembling(Moving):
    """The same with candidates that change each other, by weights that move as well."""

    def believe(self, observation) -> Belief:
        belief = super().believe(observation)
        weight_F = np.array([-2.0, -1.0, -1.0]) * math.sin(self._batches / 5)
        return replace(belief, resemblance=Resemblance(observation.candidates_ND, weight_F))


class Crowd:
    """A source of impressions, four to six of 60 items each."""

    def __init__(self, log: MemoryLog, slots: int) -> None:
        self._log, self._slots, self._random = log, slots, np.random.default_rng(0)
        features_MD = self._random.normal(0.0, 1.0, (60, 2)).round(3).tolist()
        self._items = [Candidate(item_id=f"a{i}", features=tuple(row)) for i, row in enumerate(features_MD)]
        self.shown: list[Impression] = []

    def supply(self, impressions: int) -> int:
        for _ in range(impressions):
            number, start = len(self.shown), int(self._random.integers(54))
            impression = Impression(
                impression_id=f"i{number}",
                user_id=f"u{number % 500}",
                ts_ms=1_700_000_000_000 + number,
                context=Context(features=(0.5,)),
                candidates=tuple(self._items[start : start + 4 + number % 3]),
                slots=self._slots,
            )
            self._log.append(impression)
            self.shown.append(impression)
        return impressions


class PlantedError(JsonCodec):
    """A codec that publishes slightly sharper probabilities than those that were drawn from, and all that follows."""

    def encode(self, event: Event) -> bytes:
        if isinstance(event, Recommendation) and event.probabilities is not None:
            sharper = [p**1.05 for p in event.probabilities]
            published = tuple(p / sum(sharper) for p in sharper)
            slate, left = [], 1.0
            for slot, index in zip(event.slate, replayed(event), strict=True):
                slate.append(msgspec.structs.replace(slot, propensity=published[index] / left))
                left -= published[index]
            product = math.prod(slot.propensity for slot in slate)
            event = msgspec.structs.replace(
                event, probabilities=published, slate=tuple(slate), slate_propensity=product
            )
        return super().encode(event)


def replayed(shown: Recommendation) -> list[int]:
    """The indices of a slate, drawn again from the record."""
    return draw_slate(np.array(shown.probabilities), len(shown.slate), shown.seed).indices


def published(log: MemoryLog, impressions: list[Impression]) -> list[tuple[Impression, Recommendation]]:
    """What stands in the log, each recommendation with its impression."""
    codec, by_id = JsonCodec(), {impression.impression_id: impression for impression in impressions}
    records = log.read("recommendations", 0, 0, log.end("recommendations", 0))
    shown = (codec.decode(record.value, Recommendation, record.headers) for record in records)
    return [(by_id[each.impression_id], each) for each in shown]


def stream(
    strategy: str, decisions: int = DECISIONS, codec: JsonCodec | None = None, believer: type[Moving] = Moving
) -> Certificate:
    """Decides so many impressions under moving beliefs, and certifies what was published."""
    log = MemoryLog(capacity=decisions + 1_000, codec=codec)
    crowd = Crowd(log, 3 if believer is Resembling else SLOTS.get(strategy, 1))
    users = UserStores(AgentSettings().interests)
    parts = Parts(log, Featurizer(FEATURES, None), users, Tally(), lambda: 0, crowd.supply, codec or JsonCodec())
    core = Core(CoreSettings(max_batch=512, attribution=NEVER), parts)
    session = Session(core=core, close=log.close, timer=lambda: 0.0)
    loop = DecidingLoop(session, believer(EXPLORERS[strategy]), run_seed=0, ending=Ending(max_decisions=decisions))
    while not loop.ended:
        loop.step()
    return certify(published(log, crowd.shown))


def test_every_strategy_is_tested() -> None:
    assert set(EXPLORERS) == set(get_args(ExploreSettings.model_fields["strategy"].annotation))
    assert all(explore.strategy == name for name, explore in EXPLORERS.items())


@pytest.mark.parametrize("strategy", EXPLORERS)
def test_choices_agree_with_what_was_published(strategy: str) -> None:
    certificate = stream(strategy)
    assert certificate.decisions == DECISIONS
    assert [slot.freedom >= 2 for slot in certificate.slots] == [True] * SLOTS.get(strategy, 1)
    assert certificate.holds, certificate


def test_later_slots_that_are_explored_anew_agree_with_what_was_published() -> None:
    certificate = stream("inverse_gap_weighting", believer=Resembling)
    assert certificate.decisions == DECISIONS
    assert [slot.freedom for slot in certificate.slots] == [5, 4, 3]
    assert certificate.holds, certificate
    assert certificate.slate.p_value > 0.001, certificate


def test_a_planted_error_in_the_publishing_path_is_caught() -> None:
    certificate = stream("boltzmann", 40_000, PlantedError())
    assert (certificate.unexplained, certificate.misproducts) == (0, 0)
    assert not certificate.holds, certificate


# With a policy that learns, by the deterministic schedule


def learn(explore: ExploreSettings, decisions: int, seed: int = 0) -> list[tuple[Impression, Recommendation]]:
    """A whole run, clicks and updates included; returns all that was published."""
    log = Keeping(capacity=decisions * 3)
    scene = ReaderScene(READERS, seed)
    world = World(scene, log, WorldSettings(impressions=decisions), seed)
    settings = AgentSettings(explore=explore, update_rows=min(2_048, decisions // 10))
    agent, layout = settle(settings, encoder_dim=0, numeric=scene.feature_dim)
    users = UserStores(agent.interests)
    parts = Parts(log, Featurizer(agent.features, None), users, Tally(), lambda: 0, supply_of(world))
    session = Session(core=Core(CoreSettings(max_batch=512), parts), close=log.close, timer=lambda: 0.0)
    DeterministicLoop(session, Policy(agent, layout), run_seed=seed).run()
    return published(log, log.impressions)


class Keeping(MemoryLog):
    """A memory log that keeps its impressions, so that what was published can be held against them."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity=capacity)
        self.impressions: list[Impression] = []

    def append(self, event) -> None:
        super().append(event)
        if isinstance(event, Impression):
            self.impressions.append(event)


@pytest.mark.parametrize("strategy", EXPLORERS)
def test_a_learning_policy_agrees_with_what_it_published(strategy: str) -> None:
    shown = learn(EXPLORERS[strategy], 2_000)
    certificate = certify(shown)
    assert certificate.decisions == 2_000
    assert len({each.policy_version for _, each in shown}) > 1
    assert certificate.holds, certificate


def test_the_draw_can_be_repeated_from_the_record() -> None:
    for impression, shown in learn(EXPLORERS["inverse_gap_weighting"], 500):
        indices, propensities = draw_slate(np.array(shown.probabilities), impression.slots, shown.seed)
        assert [impression.candidates[index].item_id for index in indices] == [slot.item_id for slot in shown.slate]
        assert propensities == pytest.approx([slot.propensity for slot in shown.slate], rel=1e-12)


def test_the_same_seed_and_log_give_the_same_decisions() -> None:
    one, other, another_seed = ([shown for _, shown in learn(ExploreSettings(), 1_500, seed)] for seed in (5, 5, 6))
    assert one == other
    assert [r.slate for r in one] != [r.slate for r in another_seed]
    assert len({shown.policy_version for shown in one}) > 1
