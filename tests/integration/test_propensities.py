"""Choices agree with the propensities that were *published*, for every explorer, over 100,000 decisions each."""

from collections.abc import Iterator

import msgspec
import pytest

from agent.certificate import Certificate, certify
from agent.deterministic import DeterministicLoop
from agent.draw import draw_slate
from agent.policy import Policy
from agent.settings import AgentSettings, ExploreSettings
from agent.user_snapshots import UserStores
from deploy.compose import settle, supply_of
from envs.core import Core
from envs.features import Featurizer
from envs.parts import CoreSettings, Parts
from envs.readers import ReaderScene, ReaderSettings
from envs.session import Session
from envs.world import World, WorldSettings
from stream.codec import JsonCodec
from stream.events import Event, Impression, Recommendation
from stream.log import INPUT_TOPICS
from stream.memory import MemoryLog
from stream.meter import Tally

DECISIONS = 100_000
READERS = ReaderSettings(features="numeric", candidates_min=4, candidates_max=6)


class PlantedError(JsonCodec):
    """A codec that publishes slightly sharper probabilities than those that were drawn from."""

    def encode(self, event: Event) -> bytes:
        if isinstance(event, Recommendation) and event.probabilities is not None:
            sharper = [p**1.05 for p in event.probabilities]
            published = tuple(p / sum(sharper) for p in sharper)
            index = event.probabilities.index(event.slate[0].propensity)
            slot = msgspec.structs.replace(event.slate[0], propensity=published[index])
            event = msgspec.structs.replace(event, probabilities=published, slate=(slot,))
        return super().encode(event)


def play(explore: ExploreSettings, decisions: int, codec: JsonCodec | None = None, seed: int = 0) -> "Keeping":
    """A whole run by the deterministic schedule; returns its log with all that was published."""
    log = MemoryLog(capacity=decisions * 3, codec=codec)
    scene = ReaderScene(READERS, seed)
    world = World(scene, log, WorldSettings(impressions=decisions), seed)
    settings = AgentSettings(explore=explore, update_rows=min(2_048, decisions // 10))
    agent, layout = settle(settings, encoder_dim=0, numeric=scene.feature_dim)
    parts = Parts(
        log=Keeping(log),
        featurizer=Featurizer(agent.features, None),
        users=UserStores(agent.interests),
        meter=Tally(),
        clock=lambda: 0,
        supply=supply_of(world),
        codec=codec or JsonCodec(),
    )
    core = Core(CoreSettings(max_batch=512), parts)
    session = Session(core=core, close=log.close, timer=lambda: 0.0)
    DeterministicLoop(session, Policy(agent, layout), run_seed=seed).run()
    return parts.log


class Keeping:
    """An event log that keeps its input records as well, so that what was published can be held against them."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self.inputs: list[bytes] = []

    def __getattr__(self, name: str):
        return getattr(self._log, name)

    def poll(self, max_records: int, timeout_ms: int):
        records = self._log.poll(max_records, timeout_ms)
        self.inputs += [record.value for record in records if record.topic == INPUT_TOPICS[0]]
        return records

    def published(self) -> Iterator[tuple[Impression, Recommendation]]:
        codec = JsonCodec()
        impressions = (codec.decode(value, Impression) for value in self.inputs)
        by_id = {impression.impression_id: impression for impression in impressions}
        for record in self._log.read("recommendations", 0, 0, self._log.end("recommendations", 0)):
            shown = codec.decode(record.value, Recommendation, record.headers)
            yield by_id[shown.impression_id], shown


STRATEGIES = {
    "inverse_gap_weighting": ExploreSettings(gap_scale=20.0),
    "boltzmann": ExploreSettings(strategy="boltzmann", inverse_temperature=1.5),
    "epsilon_greedy": ExploreSettings(strategy="epsilon_greedy", epsilon=0.3),
}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_choices_agree_with_what_was_published(strategy: str) -> None:
    log = play(STRATEGIES[strategy], DECISIONS)
    certificate = certify(log.published())
    assert certificate.decisions == DECISIONS
    assert len(certificate.z) >= 4
    assert certificate.holds, certificate


def test_a_planted_error_in_the_publishing_path_is_caught() -> None:
    certificate: Certificate = certify(play(STRATEGIES["boltzmann"], 50_000, PlantedError()).published())
    assert not certificate.holds, certificate


def test_the_draw_can_be_repeated_from_the_record() -> None:
    for impression, shown in play(STRATEGIES["boltzmann"], 500).published():
        indices, propensities = draw_slate(list(shown.probabilities), impression.slots, shown.seed)
        assert [impression.candidates[index].item_id for index in indices] == [slot.item_id for slot in shown.slate]
        assert propensities == pytest.approx([slot.propensity for slot in shown.slate], rel=1e-12)


def test_the_same_seed_and_log_give_the_same_decisions() -> None:
    one, other, another_seed = (
        [shown for _, shown in play(ExploreSettings(), 3_000, seed=seed).published()] for seed in (5, 5, 6)
    )
    assert one == other
    assert [r.slate for r in one] != [r.slate for r in another_seed]
    assert len({shown.policy_version for shown in one}) > 1
