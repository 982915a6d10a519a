"""Open decisions as rows, for the provisional part of learning: a function of what is open, so a replay finds it."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agent.delay import OpenRows
from agent.open_choice import Entry, choose
from agent.settings import DelaySettings
from envs.core import Core
from envs.reward import slot_rewards
from envs.rows import Rows
from stream.events import Outcome
from stream.join import ClickJoin, OpenDecision


@dataclass(frozen=True, slots=True)
class _Shown:
    """One open decision as rows, a row for each slot, and the time of its impression."""

    rows: Rows
    ts_ms: int


class OpenBook:
    """Keeps the rows of open decisions from one look to the next, so that only new ones are built.

    A look takes time in proportion to what is open, most of it for the `max_open` decisions that are read.

    Args:
        core: whose open decisions.
        settings: how many are read.
        seed: of the choice among more.
    """

    def __init__(self, core: Core, settings: DelaySettings, seed: int) -> None:
        self._core, self._settings, self._seed = core, settings, seed
        self._shown: dict[Entry, _Shown] = {}

    def read(self) -> OpenRows | None:
        """The open rows now, in the order of partition and arrival; None where there are none.

        A row's reward is what its clicks so far would give; it settles at the close. Ages reach up to the committed
        watermark: by then all clicks of that time have been joined.
        """
        joins = self._core.joins()
        keys = {number: join.open_keys() for number, join in joins.items()}
        shares = choose(keys, self._settings.max_open, self._seed) if keys else {}
        self._follow(shares, joins)
        if not self._shown:
            return None
        slots_M = np.array([len(shown.rows) for shown in self._shown.values()])
        watermark_ms = {number: self._watermark_ms(number) for number in joins}
        age_ms_M = np.array([watermark_ms[entry[0]] - shown.ts_ms for entry, shown in self._shown.items()], np.float64)
        share_M = np.array([shares[entry] for entry in self._shown])
        return OpenRows(
            rows=self._rows(joins, np.cumsum(slots_M) - slots_M),
            age_ms_R=np.repeat(age_ms_M, slots_M),
            share_R=np.repeat(share_M, slots_M),
            window_ms=self._core.settings.attribution.window_ms,
        )

    def _watermark_ms(self, number: int) -> int:
        progress = self._core.parts.log.progress(number)
        return progress.watermark_ms if progress is not None else 0

    def _follow(self, shares: dict[Entry, float], joins: dict[int, ClickJoin]) -> None:
        """Drops what is not to be read any more, and builds the rows of what is new."""
        new = [entry for entry in shares if entry not in self._shown]
        found = {entry: joins[entry[0]].open_decision(entry[1]) for entry in new}
        every = self._shown | self._build({entry: each for entry, each in found.items() if each is not None})
        self._shown = {entry: every[entry] for entry in shares if entry in every}

    def _build(self, found: dict[Entry, OpenDecision]) -> dict[Entry, _Shown]:
        if not found:
            return {}
        rows = self._core.parts.featurizer.rows([_as_outcome(each) for each in found.values()])
        built, start = {}, 0
        for entry, each in found.items():
            stop = start + len(each.shown.slate)
            built[entry] = _Shown(rows[start:stop], each.impression.ts_ms)
            start = stop
        return built

    def _rows(self, joins: dict[int, ClickJoin], starts_M: NDArray[np.int64]) -> Rows:
        """All rows, with the rewards that clicks would give now."""
        rows = Rows.concatenate([shown.rows for shown in self._shown.values()])
        reward_R = np.zeros(len(rows), np.float32)
        starts = dict(zip(self._shown, starts_M.tolist(), strict=True))
        clicked = ((number, key) for number, join in joins.items() for key in join.clicked_keys())
        for entry in clicked:
            found = joins[entry[0]].open_decision(entry[1]) if entry in starts else None
            if found is not None:
                rewards = slot_rewards(self._core.settings.reward, found.shown, found.clicks)
                reward_R[starts[entry] : starts[entry] + len(rewards)] = rewards
        return replace(rows, reward_R=reward_R)


def _as_outcome(found: OpenDecision) -> Outcome:
    """What makes rows of it: what was shown, and no reward yet."""
    return Outcome(
        impression=found.impression,
        recommendation=found.shown,
        rewards=(0.0,) * len(found.shown.slate),
        closed_ms=found.impression.ts_ms,
    )
