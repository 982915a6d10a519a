"""A policy that holds as many items and users as wanted, and what it decides and learns: the ground of `costs`.

Axes: B decisions, K candidates, R rows, V vectors of the pool, M keys; C, U, D of context, user and candidate.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from agent.learning import Learning
from agent.policy import Policy
from agent.settings import AgentSettings
from agent.table import Table
from deploy.bench.errors import BenchError
from deploy.bench.rounds import Features, Floats, Ints
from deploy.bench.world_features import mixing
from envs.features import Layout
from envs.observation import USER_SCALARS, Observation
from envs.rows import Rows
from stream.events import Candidate, Impression

DECISIONS, CANDIDATES, UPDATE = 32, 20, 256
LAYOUTS = {"numeric": Layout(0, 32, 32), "text": Layout(384, 0, 0)}
_UPDATES = 17  # rows that every policy learns first: those of the third refresh, and one update more
_POOL = 4_096
_AT_ONCE = 65_536
_BASE_LOGIT, _LOGIT_SD = -3.0, 1.0


class Traffic:
    """Contexts, users and items with features like real ones, and clicks that follow from them.

    Item i has the features of vector i modulo 4,096, whenever it comes.

    Args:
        layout: lengths of the feature blocks.
        seed: of all of it.
    """

    def __init__(self, layout: Layout, seed: int) -> None:
        self.layout = layout
        self.random = np.random.default_rng([seed, 11])
        self._context_mix = mixing(self.random, layout.context_total)
        self.item_VD = self._vectors(mixing(self.random, layout.candidate_total), _POOL)
        weight_CD = self.random.standard_normal((layout.context_total, layout.candidate_total))
        probe_VC = self._vectors(self._context_mix, _POOL)
        worth_V = ((probe_VC @ weight_CD) * self.item_VD).sum(axis=1)
        self._weight_CD = weight_CD * (_LOGIT_SD / worth_V.std())

    def keys(self, count: int) -> Ints:
        """So many different keys, spread over all 64 bits as those of ids are."""
        odd = np.uint64(0x9E3779B97F4A7C15)  # a multiplication by an odd number maps no two numbers on one
        return (np.arange(1, count + 1, dtype=np.uint64) * odd).view(np.int64)

    def observation(self, keys: Ints, users: Ints | None = None, candidates: int = CANDIDATES) -> Observation:
        """32 decisions of 20 candidates, or of another number, of any known items and users.

        Args:
            keys: of the items, and of the users where theirs are not given.
            users: of the users.
            candidates: of each decision.
        """
        users = keys if users is None else users
        item_BK = self.random.integers(len(keys), size=(DECISIONS, candidates))
        user_B = self.random.integers(len(users), size=DECISIONS)
        return Observation(
            context_BC=self.contexts(DECISIONS),
            user_BU=self._users(user_B),
            candidates_ND=self.item_VD[item_BK.ravel() % _POOL],
            counts_B=np.full(DECISIONS, candidates, dtype=np.int64),
            item_N=keys[item_BK.ravel()],
            user_B=users[user_B],
            group_B=users[user_B],
            knew=(),
        )

    def rows(self, keys: Ints) -> Rows:
        """256 rows of any known items and users."""
        item_R, user_R = self.random.integers(len(keys), size=(2, UPDATE))
        context_RC, candidate_RD = self.contexts(UPDATE), self.item_VD[item_R % _POOL]
        clicked_R = self.clicked(context_RC, candidate_RD)
        return Rows(
            context_RC=context_RC,
            user_RU=self._users(user_R),
            candidate_RD=candidate_RD,
            item_R=keys[item_R],
            user_R=keys[user_R],
            reward_R=clicked_R.astype(np.float32),
            propensity_R=np.full(UPDATE, 1.0 / CANDIDATES),
            slot_R=np.zeros(UPDATE, np.int64),
            alike_R=np.zeros(UPDATE, np.float32),
            weight_R=np.ones(UPDATE, np.float32),
            group_R=keys[user_R],
        )

    def contexts(self, count: int) -> Features:
        """So many contexts."""
        return self._vectors(self._context_mix, count)

    def clicked(self, context_RC: Features, candidate_RD: Features) -> NDArray[np.bool_]:
        """Whether R candidates are clicked in R contexts."""
        logit_R = _BASE_LOGIT + ((context_RC @ self._weight_CD) * candidate_RD).sum(axis=1)
        clicked_R: NDArray[np.bool_] = self.random.random(len(logit_R)) < 1.0 / (1.0 + np.exp(-logit_R))
        return clicked_R

    def _vectors(self, mix: Floats, count: int) -> Features:
        """Vectors of correlated columns; of length 1 where they stand for texts."""
        vector_VD = self.random.standard_normal((count, len(mix))) @ mix
        if self.layout.text:
            vector_VD /= np.linalg.norm(vector_VD, axis=1, keepdims=True)
        return np.asarray(vector_VD, dtype=np.float32)

    def _users(self, user_B: Ints) -> Features:
        """What was known of users: an interest of length 1, and the three scalars."""
        interest_BE = self.item_VD[user_B % _POOL, : self.layout.interest]
        interest_BE = interest_BE / np.linalg.norm(interest_BE, axis=1, keepdims=True)
        scalar_B3 = self.random.random((len(user_B), USER_SCALARS))
        return np.concatenate([interest_BE, scalar_B3], axis=1).astype(np.float32)


@dataclass(frozen=True)
class Filled:
    """A policy that holds N items and N users.

    Attributes:
        learning: with the policy.
        keys: of the items, and of the users as well.
        traffic: what it decides and learns.
    """

    learning: Learning
    keys: Ints
    traffic: Traffic


def impressions(count: int = CANDIDATES) -> list[Impression]:
    """32 impressions of so many candidates, of which a decision reads no more than ids and slots."""
    candidates = tuple(Candidate(item_id=f"i{number}") for number in range(count))
    return [
        Impression(impression_id=f"w{number}", user_id=f"u{number}", ts_ms=1, candidates=candidates)
        for number in range(DECISIONS)
    ]


def filled(traffic: Traffic, sizes: Sequence[int], settings: AgentSettings) -> Iterator[Filled]:
    """One policy for each size, all of which have learned the same 4,352 rows, of the items of the smallest size.

    The other rows of the tables are written: each repeats what was learned of one of those items or users, with the
    features of its own item. So every size costs what a table costs that was filled by learning.

    Args:
        traffic: what they learn first.
        sizes: items and users of each, ascending.
        settings: of the agent.

    Raises:
        BenchError: a size does not fit the tables, or they do not ascend.
    """
    most = min(settings.expert.max_items, settings.expert.max_users)
    if not sizes or list(sizes) != sorted(sizes) or not 1 <= sizes[0] <= sizes[-1] <= most:
        msg = f"Sizes must ascend from 1 to {most:,}, what the tables hold; got {list(sizes)}"
        raise BenchError(msg)
    learning = taught(traffic, sizes[0], settings)
    for size in sizes:
        yield grown(deepcopy(learning), traffic, size, size)


def taught(traffic: Traffic, size: int, settings: AgentSettings) -> Learning:
    """What has learned 4,352 rows, of so many items and users."""
    learning = Learning(Policy(settings, traffic.layout))
    for _ in range(_UPDATES):
        learning.learn(traffic.rows(traffic.keys(size)))
    return learning


def grown(learning: Learning, traffic: Traffic, items: int, users: int) -> Filled:
    """The same with rows for so many items and users, see `filled`."""
    policy, keys = learning.policy, traffic.keys(max(items, users))
    rows_V1 = policy.item_side(torch.from_numpy(traffic.item_VD))
    side_VJ = torch.cat([rows_V1.new_ones(len(rows_V1), 1), rows_V1], dim=1)
    now = float(policy.expert.clock)
    item_table, user_table = policy.expert.items.table, policy.users.table
    learned_items, learned_users = len(item_table), len(user_table)
    for start in range(0, items, _AT_ONCE):
        number_M = torch.arange(start, min(start + _AT_ONCE, items))
        key_M = torch.from_numpy(keys[start : min(start + _AT_ONCE, items)])
        _write(item_table, key_M, learned_items, now, {"item": side_VJ[number_M % _POOL]})
    for start in range(0, users, _AT_ONCE):
        key_M = torch.from_numpy(keys[start : min(start + _AT_ONCE, users)])
        _write(user_table, key_M, learned_users, now, {})
    return Filled(learning, keys, traffic)


def _write(table: Table, key_M: torch.Tensor, learned: int, now: float, own: dict[str, torch.Tensor]) -> None:
    """Gives keys without a row that of one of the `learned` first ones, but for the columns of their own."""
    new_M = table.find(key_M) < 0
    values = table.read(torch.arange(int(new_M.sum())) % learned)
    del values["touched"]
    places = table.place(key_M[new_M], now)
    table.write(places, values | {name: column[new_M] for name, column in own.items()}, now)
