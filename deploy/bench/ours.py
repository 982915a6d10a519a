"""The default policy as a player of the benchmark: the same policy and learning as in the loop, without its events."""

from collections.abc import Callable
from hashlib import blake2b

import numpy as np

from agent.decide import exploring
from agent.delay import Delays, OpenRows
from agent.draw import split
from agent.explore import probabilities, sigmoid
from agent.interests import InterestStore
from agent.learning import Learning
from agent.policy import Policy
from agent.settings import AgentSettings
from deploy.bench.rounds import Features, Floats, Ints, Learned, Open, Seen, World
from envs.exploring import lost_reward
from envs.features import Layout
from envs.observation import Observation, user_vectors
from envs.rows import Rows

_ROUND_MS = 1_000


class DefaultPolicy:
    """`Policy` and `Learning`, with what users clicked remembered where they return.

    Attributes:
        settings: of the agent.
        interests: what is known of users, where they return.
        known_RU: what was known of the users of rounds that did not close yet.
        told_R4: level, expected cost, weight and score of the same rounds, see `envs.exploring`.

    Args:
        world: what is played.
        seed: of the draws.
        settings: of the agent; the defaults where not given.
    """

    def __init__(self, world: World, seed: int, settings: AgentSettings | None = None) -> None:
        self.name = "streambandit"
        self._world = world
        self._random = np.random.default_rng([seed, 7])
        self.settings = settings or AgentSettings()
        self._learning: Learning | None = None
        self._layout = Layout(world.text, 0, 0)
        self.interests = InterestStore(self.settings.interests)
        self.known_RU = np.zeros((0, 0), np.float32)
        self.told_R4 = np.zeros((0, 4))

    def decide(self, seen: Seen) -> tuple[Ints, Floats]:
        """The action of each round, and the probability with which it was chosen."""
        policy = self._ready(seen).policy
        belief = policy.believe(self._observe(seen))
        shares_N = probabilities(policy.explore, belief)
        shares_BK = np.stack(split(shares_N, belief.counts_B))
        draw_B1 = self._random.random((len(shares_BK), 1))
        action_B = np.minimum((shares_BK.cumsum(axis=1) <= draw_B1).sum(axis=1), shares_BK.shape[1] - 1)
        propensity_B = shares_BK[np.arange(len(action_B)), action_B]
        told_BX = [(each.level, each.cost, each.greedy) for each in exploring(belief, shares_N)]
        level_B, cost_B, greedy_B = np.array(told_BX).T
        score_B = sigmoid(belief.logit_N[belief.starts_B + action_B])
        told_B4 = np.stack([level_B, cost_B, (greedy_B == action_B) / propensity_B, score_B], axis=1)
        self.told_R4 = np.concatenate([self.told_R4, told_B4])
        return action_B, propensity_B

    def learn(self, closed: Learned, still_open: Open | None) -> None:
        """Takes in what closed, and lets decisions read what is open."""
        if self._learning is None:
            return
        if len(closed.action_R):
            window = float(max(self._world.window, 1))
            delays = Delays(closed.delay_R.astype(np.float64), np.full(len(closed.action_R), window))
            self._learning.learn(self._rows(closed), delays)
            self._remember(closed)
            self.known_RU = self.known_RU[len(closed.action_R) :]
            self.told_R4 = self.told_R4[len(closed.action_R) :]
        if still_open is not None and len(still_open.action_R):
            age_R = still_open.age_R.astype(np.float64)
            rows = self._rows(still_open)
            self._learning.provide(OpenRows(rows, age_R, np.ones(len(rows)), window_ms=still_open.window))

    @property
    def changes_noticed(self) -> int:
        """Changes that were taken for real so far."""
        return int(self._learning.policy.change.count) if self._learning is not None else 0

    def _ready(self, seen: Seen) -> Learning:
        if self._learning is None:
            text = self._world.text
            context, candidate = seen.context_BC.shape[1] - text, seen.candidate_BKD.shape[2] - text
            self._layout = Layout(text, context, candidate)
            self._learning = Learning(Policy(self.settings, self._layout))
        return self._learning

    def _observe(self, seen: Seen) -> Observation:
        rounds, candidates = seen.item_BK.shape
        return Observation(
            context_BC=seen.context_BC,
            user_BU=self._users(seen),
            candidates_ND=seen.candidate_BKD.reshape(rounds * candidates, -1),
            counts_B=np.full(rounds, candidates, dtype=np.int64),
            item_N=seen.item_BK.reshape(-1),
            user_B=seen.user_B,
            group_B=self._groups(seen.context_BC),
            knew=(),
        )

    def _users(self, seen: Seen) -> Features:
        """What is known of each user, kept until the round closes: rows are learned with what was known then."""
        layout = self._layout
        known_BU = np.zeros((len(seen.user_B), layout.user_total), np.float32)
        for index, user in enumerate(seen.user_B.tolist() if self._world.returning else ()):
            about_E = seen.context_BC[index, : layout.text]
            knew = self.interests.read(str(user), (seen.start + index) * _ROUND_MS, about_E)
            known_BU[index] = user_vectors([knew], layout.interest)[0]
        self.known_RU = np.concatenate([self.known_RU, known_BU]) if len(self.known_RU) else known_BU
        return known_BU

    def _rows(self, rounds: Learned | Open) -> Rows:
        shown = (np.arange(len(rounds.action_R)), rounds.action_R)
        level_R, cost_R, weight_R, score_R = self.told_R4[: len(rounds.action_R)].T
        lost_R = lost_reward(cost_R, weight_R, rounds.reward_R - score_R)
        return Rows(
            context_RC=rounds.context_RC,
            user_RU=self.known_RU[: len(rounds.action_R)],
            candidate_RD=rounds.candidate_RKD[shown],
            item_R=rounds.item_RK[shown],
            user_R=rounds.user_R,
            reward_R=rounds.reward_R.astype(np.float32),
            propensity_R=rounds.propensity_R,
            slot_R=np.zeros(len(rounds.action_R), np.int64),
            alike_R=np.zeros(len(rounds.action_R), np.float32),
            weight_R=np.ones(len(rounds.action_R), np.float32),
            group_R=self._groups(rounds.context_RC),
            exploring_R3=np.stack([level_R, cost_R, lost_R], axis=1),
        )

    def _groups(self, context_BC: Features) -> Ints:
        """A key of each context's text, as `envs.keys.groups_of` has it; 0 in worlds without texts."""
        if not self._layout.text:
            return np.zeros(len(context_BC), np.int64)
        digests = [blake2b(text_E.tobytes(), digest_size=8).digest() for text_E in context_BC[:, : self._layout.text]]
        return np.frombuffer(b"".join(digests), dtype=np.int64).copy()

    def _remember(self, closed: Learned) -> None:
        if not self._world.returning:
            return
        for index, action in enumerate(closed.action_R.tolist()):
            item_E = closed.candidate_RKD[index, action, : self._layout.text or None]
            clicks = [(0, item_E)] if closed.reward_R[index] > 0 else []
            self.interests.closed(str(closed.user_R[index]), "", clicks)


OURS: dict[str, Callable[[World, int], DefaultPolicy]] = {"streambandit": DefaultPolicy}
