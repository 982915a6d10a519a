"""Open decisions as rows, for the provisional part of learning: a function of what is open, so a replay finds it."""

import logging
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from agent.delay import Doubles, OpenRows
from agent.open_choice import choose
from agent.open_entries import Entries, Entry, Wholes
from agent.open_look import OpenLook, OpenTable
from agent.open_notes import OpenNotes
from agent.settings import DelaySettings
from envs.core import Core
from envs.decision import Decision
from envs.errors import FeatureError
from envs.observation import Observation
from envs.reward import slot_rewards
from envs.rows import Rows
from stream.events import Impression, Outcome
from stream.identity import Pseudonyms
from stream.join import ClickJoin, OpenDecision

_UNNAMED = Pseudonyms(None).name
_log = logging.getLogger("streambandit.runner")


class _Brought(NamedTuple):
    """Where the rows of an open decision are: their first number, how many, and the end of its window."""

    first: int
    slots: int
    expiry_ms: int


_NOT_BROUGHT = _Brought(0, 0, 0)  # a decision has a slot at least


class _Known(NamedTuple):
    """M open decisions whose rows were brought, in the order of partition and arrival, and where these are."""

    entries: Entries
    brought_M3: Wholes

    @classmethod
    def none(cls) -> "_Known":
        return cls(Entries.of({}), np.zeros((0, len(_NOT_BROUGHT)), np.int64))


class OpenBook:
    """Knows which rows of open decisions were brought before, so that a look builds only new ones.

    A look follows what the core holds open then, whatever happened in between: closes, late clicks, a failed commit,
    partitions that came or went. It takes time in proportion to what is open, most of it for what is read.

    Args:
        core: whose open decisions.
        settings: how many are read.
        seed: of the choice among more.
    """

    def __init__(self, core: Core, settings: DelaySettings, seed: int) -> None:
        self._core, self._most, self._seed = core, settings.max_open, seed
        self._known = _Known.none()
        self._new: dict[Entry, _Brought] = {}
        self._final: dict[Entry, tuple[float, ...]] = {}
        self._notes = OpenNotes(settings.max_open)
        self._looks = self._rows = 0
        self._table = OpenTable()

    def note(self, impressions: Sequence[Impression], observation: Observation, decisions: Sequence[Decision]) -> None:
        """Keeps decisions that were just taken as rows, which spares the next look to read them from the core.

        The core keeps open decisions by the users' raw ids; where users go by pseudonyms, these do not tell which.
        """
        if self._core.parts.pseudonyms.name == _UNNAMED:
            self._notes.add(impressions, observation, decisions)

    def forget(self) -> None:
        """Forgets all, as some of it may never have been committed; the next look tells anew what is open."""
        self._notes.take()
        self._known = _Known.none()
        self._final.clear()
        self._looks += 1

    def read(self) -> OpenRows | None:
        """The open rows now, in the order of partition and arrival; None where there are none.

        A row's reward is what its clicks so far would give; it settles at the close. Ages reach up to the committed
        watermark: by then all clicks of that time have been joined.
        """
        self._table.take(self.look(self._table.number))
        return self._table.rows({})

    def look(self, known: int, most_read: int | None = None) -> OpenLook:
        """What is open now.

        Args:
            known: the last look that whoever asks has; where it is not the last that was given, all is told anew.
            most_read: decisions that are read from the core and built now, at most; the others follow with later looks.

        Raises:
            EncoderError: the encoder did not answer; the next look tells all anew.
        """
        base, self._looks = (known if known == self._looks else 0), self._looks + 1
        if not base:
            self._known = _Known.none()
        first = self._rows
        joins = self._core.joins()
        entries = Entries.of({number: join.open_keys() for number, join in joins.items()})
        place_M, share_M = choose(entries, self._most, self._seed)
        chosen = entries.at(place_M)
        brought_M3, new = self._brought(chosen, joins, most_read)
        here_M = np.flatnonzero(brought_M3[:, 1])
        self._known = _Known(chosen.at(here_M), brought_M3[here_M])
        return self._told(base, first, new, share_M[here_M])

    def _told(self, base: int, first: int, new: Rows | None, share_M: Doubles) -> OpenLook:
        first_M, slots_M, expiry_ms_M = self._known.brought_M3.T
        start_M = np.cumsum(slots_M) - slots_M
        place_R = np.arange(slots_M.sum()) - np.repeat(start_M, slots_M)
        partition_R, expiry_ms_R = np.repeat(self._known.entries.partition_P, slots_M), np.repeat(expiry_ms_M, slots_M)
        window_ms = self._core.settings.attribution.window_ms
        return OpenLook(
            number=self._looks,
            base=base,
            new=new,
            first=first,
            row_R=np.repeat(first_M, slots_M) + place_R,
            partition_R=partition_R,
            expiry_ms_R=expiry_ms_R,
            age_ms_R=self._watermarks_ms(partition_R) + (window_ms - expiry_ms_R),
            reward_R=self._rewards(start_M, len(place_R)),
            share_R=np.repeat(share_M, slots_M),
            window_ms=window_ms,
        )

    def _watermarks_ms(self, partition_R: NDArray[np.int64]) -> NDArray[np.float64]:
        watermark_ms_R = np.zeros(len(partition_R))
        for number in self._core.joins():
            progress = self._core.parts.log.progress(number)
            watermark_ms_R[partition_R == number] = progress.watermark_ms if progress is not None else 0
        return watermark_ms_R

    def _brought(
        self, chosen: Entries, joins: Mapping[int, ClickJoin], most_read: int | None
    ) -> tuple[Wholes, Rows | None]:
        """Where the rows of each are, [M, 3], and those that are new."""
        place_M = chosen.places_in(self._known.entries)
        entries = [chosen.entry(place) for place in np.flatnonzero(place_M < 0).tolist()]
        self._new = {}
        rows = self._bring(entries, joins, most_read)
        brought_M3 = np.zeros((len(chosen), len(_NOT_BROUGHT)), np.int64)
        brought_M3[place_M >= 0] = self._known.brought_M3[place_M[place_M >= 0]]
        if entries:
            brought_M3[place_M < 0] = [self._new.get(entry, _NOT_BROUGHT) for entry in entries]
        return brought_M3, rows

    def _bring(self, entries: Sequence[Entry], joins: Mapping[int, ClickJoin], most_read: int | None) -> Rows | None:
        """The rows of decisions that are new: as noted, else read from the core."""
        noted, noted_rows = self._notes.take()
        parts = []
        chosen = [(entry, noted[entry[1]]) for entry in entries if entry[1] in noted]
        if chosen and noted_rows is not None:
            window_ms = self._core.settings.attribution.window_ms
            for entry, each in chosen:
                self._number(entry, each.stop - each.start, each.ts_ms + window_ms)
            parts.append(noted_rows.where(np.concatenate([np.arange(each.start, each.stop) for _, each in chosen])))
        unread = (entry for entry in reversed(entries) if entry[1] not in noted)  # the newest are read first
        wanted = list(islice(unread, most_read))[::-1]
        found = {entry: joins[entry[0]].open_decision(entry[1]) for entry in wanted}
        parts += self._build({entry: each for entry, each in found.items() if each is not None})
        return Rows.concatenate(parts) if parts else None

    def _build(self, found: Mapping[Entry, OpenDecision]) -> list[Rows]:
        """The rows of decisions; one that does not fit the features is left out, as its outcome will be."""
        if not found:
            return []
        outcomes = {entry: self._as_outcome(each) for entry, each in found.items()}
        featurizer = self._core.parts.featurizer
        try:
            built = [featurizer.rows(list(outcomes.values()))]
        except FeatureError as error:
            if len(found) == 1:
                _log.debug("an open decision does not fit the features: %s", error)
                return []
            return [rows for entry, each in found.items() for rows in self._build({entry: each})]
        for entry, outcome in outcomes.items():
            self._number(entry, len(outcome.rewards), outcome.closed_ms)
        return built

    def _number(self, entry: Entry, slots: int, expiry_ms: int) -> None:
        self._new[entry] = _Brought(self._rows, slots, expiry_ms)
        self._rows += slots

    def _rewards(self, start_M: NDArray[np.int64], size: int) -> NDArray[np.float32]:
        """What clicks would give now, for all rows; a reward that no further click can change is not computed again."""
        reward_R, joins = np.zeros(size, np.float32), self._core.joins()
        clicked = Entries.of({number: join.clicked_keys() for number, join in joins.items()})
        place_C = clicked.places_in(self._known.entries)
        rewards = {}
        for which in np.flatnonzero(place_C >= 0).tolist():
            entry, start = clicked.entry(which), start_M[place_C[which]]
            reward = rewards[entry] = self._final.get(entry) or self._reward(entry, joins)
            reward_R[start : start + len(reward)] = reward
        whole = self._core.settings.reward.aggregation == "max"
        self._final = {entry: reward for entry, reward in rewards.items() if whole and reward and min(reward) >= 1.0}
        return reward_R

    def _reward(self, entry: Entry, joins: Mapping[int, ClickJoin]) -> tuple[float, ...]:
        found = joins[entry[0]].open_decision(entry[1])
        return slot_rewards(self._core.settings.reward, found.shown, found.clicks) if found is not None else ()

    def _as_outcome(self, found: OpenDecision) -> Outcome:
        """What makes rows of it: what was shown, no reward yet, and not what exploring cost, which the close tells."""
        names = self._core.parts.pseudonyms
        return Outcome(
            impression=names.of_impression(found.impression),
            recommendation=replace(names.of_recommendation(found.shown), exploring=None),
            rewards=(0.0,) * len(found.shown.slate),
            closed_ms=found.impression.ts_ms + self._core.settings.attribution.window_ms,
        )
