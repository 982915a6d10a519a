"""`BanditAgent`: the same policy and learning in process, without Ray or a log. For a notebook, a test, a harness."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from agent import snapshot as snapshots
from agent.decide import decide
from agent.interests import InterestStore
from agent.learning import Learning
from agent.policy import Policy
from agent.settings import AgentSettings
from envs.decision import LOGGED, recommendation
from envs.errors import FeatureError
from envs.features import Featurizer
from envs.protocols import Encoder
from stream.events import Candidate, Impression, Outcome, Recommendation

Floats = NDArray[np.float64]


class BanditAgent:
    """Decides and learns.

    Args:
        settings: of the agent; the defaults need no tuning.
        seed: every draw follows from it and the decision's id.
        encoder: of texts; by default the packaged BERT weights, loaded when the first text is read.

    >>> from stream.events import Impression, Candidate
    >>> agent = BanditAgent(seed=0)
    >>> candidates = (Candidate(item_id="a", features=(1.0,)), Candidate(item_id="b", features=(0.0,)))
    >>> shown, = agent.decide([Impression(impression_id="i1", user_id="u1", ts_ms=1, candidates=candidates)])
    >>> shown.probabilities
    (0.5, 0.5)
    """

    def __init__(self, settings: AgentSettings | None = None, *, seed: int = 0, encoder: Encoder | None = None) -> None:
        self.settings = settings or AgentSettings()
        self.seed = seed
        if encoder is None:
            from agent.encoder.local import local_encoder  # noqa: PLC0415 - transformers load only if texts may come

            encoder = local_encoder(self.settings.encoder)
        self.interests = InterestStore(self.settings.interests)
        self._featurizer = Featurizer(self.settings.features, encoder)
        self._learning: Learning | None = None

    def decide(self, impressions: Sequence[Impression]) -> list[Recommendation]:
        """One recommendation for each impression.

        Raises:
            FeatureError: numeric features do not fit those seen before.
        """
        if not impressions:
            return []
        if not self._featurizer.reads_numbers:
            self._featurizer.check(impressions)
        users = [(self.interests, impression.user_id) for impression in impressions]
        observation = self._featurizer.observe(impressions, users)
        policy = self._learner().policy
        belief = policy.believe(observation)
        decisions = decide(impressions, belief, policy.explore, run_seed=self.seed, version=policy.version)
        encoder_version = self._featurizer.encoder_version
        return [
            recommendation(
                impression,
                decision,
                knew=knew,
                encoder_version=encoder_version,
                max_probabilities=len(impression.candidates),
            )
            for impression, decision, knew in zip(impressions, decisions, observation.knew, strict=True)
        ]

    def check(self, outcomes: Sequence[Outcome]) -> None:
        """Settles the layout of the features by outcomes that all fit it, if it is not settled.

        Raises:
            FeatureError: one does not fit.
        """
        self._featurizer.check([outcome.impression for outcome in outcomes])
        for outcome in outcomes:
            _clicked(outcome)

    def learn(self, outcomes: Sequence[Outcome]) -> dict[str, float]:
        """Learns closed decisions, each once: the caller hands every outcome over a single time.

        Where another policy decided (strategy `logged`), nobody noted what was known of the user. Then what is known
        now is read, before these outcomes are taken in.

        Returns:
            `loss`, `rows` and `refreshed`, as `Learning.learn`.

        Raises:
            FeatureError, LearnError: an outcome does not fit; nothing was learned.
        """
        if not outcomes:
            return {}
        self._featurizer.check([outcome.impression for outcome in outcomes])
        clicked = [_clicked(outcome) for outcome in outcomes]
        metrics = self._learner().learn(self._featurizer.rows(self._informed(outcomes)))
        for outcome, items in zip(outcomes, clicked, strict=True):
            clicks = [(ts_ms, self._featurizer.item_vector(item)) for item, ts_ms in items]
            self.interests.closed(outcome.impression.user_id, outcome.recommendation.decision_id, clicks)
        return metrics

    def examined(self) -> Floats:
        """How often each slot is seen, in comparison to the first, as learned so far; empty before any decision."""
        if self._learning is None:
            return np.zeros(0)
        return self._learning.policy.slates.examination.examined_L.numpy().copy()

    def save(self, path: str | Path, positions: Mapping[int, int] | None = None) -> None:
        """Writes a snapshot folder: weights, kept rows, users and settings. It holds no code.

        Args:
            path: the folder.
            positions: the next outcome to learn of each partition, where a topic was learned; a run that starts from
                the snapshot goes on there.
        """
        users, arrays = snapshots.users_of(self.interests.users)
        if self._learning is not None:
            arrays |= snapshots.tensors_of(self._learning.policy)
            arrays |= {f"rows.{name}": column for name, column in self._learning.get_state().items()}
        layout = asdict(self._featurizer.layout) if self._learning is not None else None
        state = snapshots.Snapshot(
            settings=self.settings.model_dump(mode="json"),
            seed=self.seed,
            layout=layout,
            users=users,
            encoder_version=self._featurizer.encoder_version,
            positions=dict(positions or {}),
        )
        snapshots.write(Path(path), state, arrays)

    @classmethod
    def load(cls, path: str | Path, *, encoder: Encoder | None = None) -> "BanditAgent":
        """The agent of a snapshot; acts like the one that was saved, in a new epoch.

        Raises:
            SnapshotError: the folder holds no snapshot that can be read.
        """
        with snapshots.reading(Path(path)):
            snapshot, settings, arrays = snapshots.read(Path(path))
            agent = cls(settings, seed=snapshot.seed, encoder=encoder)
            layout = snapshots.layout_from(snapshot)
            if layout is not None:
                agent._featurizer.fix(layout)
                learning = agent._learner()
                learning.policy.load_state_dict(snapshots.tensors_from(arrays))
                learning.set_state({n.removeprefix("rows."): a for n, a in arrays.items() if n.startswith("rows.")})
                learning.policy.epoch.add_(1)
            interest = layout.interest if layout is not None else 0
            agent.interests.users.update(snapshots.users_from(snapshot.users, arrays, interest))
        return agent

    def _informed(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        """The same, with what is known of the users of others' decisions."""
        others = [o for o in outcomes if o.recommendation.strategy == LOGGED and o.recommendation.knew is None]
        if not any(outcome.impression.user_id in self.interests.users for outcome in others):
            return outcomes
        users = [(self.interests, outcome.impression.user_id) for outcome in others]
        knew = self._featurizer.knew([outcome.impression for outcome in others], users)
        told = {id(outcome): each for outcome, each in zip(others, knew, strict=True)}
        return [
            replace(o, recommendation=replace(o.recommendation, knew=told[id(o)])) if id(o) in told else o
            for o in outcomes
        ]

    def _learner(self) -> Learning:
        if self._learning is None:
            self._learning = Learning(Policy(self.settings, self._featurizer.layout))
        return self._learning


def _clicked(outcome: Outcome) -> list[tuple[Candidate, int]]:
    """What was clicked, and when; where no clicks are told, what was rewarded, at the close."""
    slate = zip(outcome.recommendation.slate, outcome.rewards, strict=True)
    told = [(click.item_id, click.ts_ms) for click in outcome.clicks]
    clicked = told or [(slot.item_id, outcome.closed_ms) for slot, reward in slate if reward > 0]
    if not clicked:
        return []
    candidates = {candidate.item_id: candidate for candidate in outcome.impression.candidates}
    for item_id, _ in clicked:
        if item_id not in candidates:
            raise FeatureError(f"outcome click must be on a candidate of its impression; got {item_id!r}")
    return [(candidates[item_id], ts_ms) for item_id, ts_ms in clicked]
