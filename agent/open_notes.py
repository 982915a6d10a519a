"""Rows of decisions as they were just taken, kept until the next look at what is open, so that none is built twice."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from envs.alike import alike_above
from envs.decision import Decision
from envs.observation import USER_SCALARS, Observation
from envs.rows import Rows
from stream.events import Impression
from stream.identity import decision_key


class Noted(NamedTuple):
    """A noted decision: where its rows lie among all that are noted, and the time of its impression."""

    start: int
    stop: int
    ts_ms: int


class _Batch(NamedTuple):
    keys: list[bytes]
    ts_ms: list[int]
    slots: list[int]
    rows: Rows


class OpenNotes:
    """The last decisions as rows. Bounded: where nobody looks, the oldest go.

    Args:
        most: decisions, at most; a single larger batch is kept whole.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._batches: deque[_Batch] = deque()
        self._size = 0

    def __len__(self) -> int:
        """Decisions that are noted."""
        return self._size

    def add(self, impressions: Sequence[Impression], observation: Observation, decisions: Sequence[Decision]) -> None:
        """Notes a batch that was decided; a user goes by the id that the log knows."""
        if not decisions:
            return
        batch = _Batch(
            keys=[decision_key(impression.user_id, impression.impression_id) for impression in impressions],
            ts_ms=[impression.ts_ms for impression in impressions],
            slots=[len(decision.slate) for decision in decisions],
            rows=rows_shown(observation, decisions),
        )
        self._batches.append(batch)
        self._size += len(batch.keys)
        while self._size > self._most and len(self._batches) > 1:
            self._size -= len(self._batches.popleft().keys)

    def take(self) -> tuple[dict[bytes, Noted], Rows | None]:
        """All that is noted, by key, with its rows; nothing is noted then."""
        found, start = {}, 0
        for batch in self._batches:
            for key, ts_ms, slots in zip(batch.keys, batch.ts_ms, batch.slots, strict=True):
                found[key] = Noted(start, start + slots, ts_ms)
                start += slots
        rows = Rows.concatenate([batch.rows for batch in self._batches]) if self._batches else None
        self._batches.clear()
        self._size = 0
        return found, rows


def rows_shown(observation: Observation, decisions: Sequence[Decision]) -> Rows:
    """The shown slots of decisions as rows, with rewards of 0, as their outcomes will tell them.

    Args:
        observation: of the B impressions that were decided.
        decisions: one for each.
    """
    slots_B = np.array([len(decision.slate) for decision in decisions], dtype=np.int64)
    decision_R = np.repeat(np.arange(len(decisions)), slots_B)
    action_R = np.array([action for decision in decisions for action in decision.slate], dtype=np.int64)
    shown_R = observation.starts_B[decision_R] + action_R
    slot_R = np.arange(len(shown_R)) - np.repeat(np.cumsum(slots_B) - slots_B, slots_B)
    candidate_RD, interest = observation.candidates_ND[shown_R], observation.user_BU.shape[1] - USER_SCALARS
    propensities = [propensity for decision in decisions for propensity in decision.propensities]
    return Rows(
        context_RC=observation.context_BC[decision_R],
        user_RU=observation.user_BU[decision_R],
        candidate_RD=candidate_RD,
        item_R=observation.item_N[shown_R],
        user_R=observation.user_B[decision_R],
        reward_R=np.zeros(len(shown_R), np.float32),
        propensity_R=np.array([np.nan if p is None else p for p in propensities], dtype=np.float64),
        slot_R=slot_R,
        alike_R=alike_above(candidate_RD[:, :interest], slot_R),
        weight_R=np.ones(len(shown_R), np.float32),
        group_R=observation.group_B[decision_R],
    )
