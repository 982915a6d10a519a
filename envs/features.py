"""From events to vectors: text embeddings and numeric features side by side, in a layout fixed once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from envs.alike import alike_above
from envs.errors import FeatureError
from envs.exploring import UNTOLD, exploring_of
from envs.keys import groups_of, keys_of
from envs.observation import USER_SCALARS, Observation, user_vectors
from envs.protocols import Encoder, Floats, Known, manner_of
from envs.rows import Rows
from stream.events import Candidate, Context, Impression, Knew, Outcome
from stream.settings import Section

_WRITE = msgspec.msgpack.Encoder().encode
_FLOAT, _IS_FLOAT = np.dtype([("type", "u1"), ("value", ">f8")]), 0xCB


class FeatureSettings(Section):
    """What of an event becomes a feature. `None` and `auto` are settled by the first impressions seen."""

    text: Literal["auto", "on", "off"] = Field("auto", description="whether texts are encoded")
    context_dim: int | None = Field(None, ge=0, description="numeric features of a context")
    candidate_dim: int | None = Field(None, ge=0, description="numeric features of a candidate")


@dataclass(frozen=True, slots=True)
class Layout:
    """The lengths of the blocks: text embedding E, numeric features of context and of candidate, manner of a text W.

    The manner is read of candidates alone and stands behind all else, see `envs.protocols.manner_of`.
    """

    text: int
    context: int
    candidate: int
    manner: int = 0

    @property
    def interest(self) -> int:
        """An interest lives in the space of texts, or of numeric candidates where there are no texts."""
        return self.text or self.candidate

    @property
    def context_total(self) -> int:
        """C, the length of a context vector."""
        return self.text + self.context

    @property
    def user_total(self) -> int:
        """U, the length of a user vector."""
        return self.interest + USER_SCALARS

    @property
    def candidate_total(self) -> int:
        """D, the length of a candidate vector."""
        return self.text + self.candidate + self.manner


class Featurizer:
    """Builds observations from impressions and training rows from outcomes, by the same code."""

    def __init__(self, settings: FeatureSettings, encoder: Encoder | None) -> None:
        self._settings = settings
        self._encoder = encoder
        self._layout: Layout | None = None

    @property
    def encoder_version(self) -> str:
        """The version of the encoder; empty where no text is read."""
        reads_text = self._layout is not None and self._layout.text
        return self._encoder.version if self._encoder is not None and reads_text else ""

    @property
    def layout(self) -> Layout:
        """The layout, once settled.

        Raises:
            FeatureError: no impression was seen, and the settings leave it open.
        """
        if self._layout is None:
            raise FeatureError("features layout must be settled by settings or a first impression; got neither")
        return self._layout

    def fix(self, layout: Layout) -> None:
        """Fixes the layout to that of a snapshot."""
        self._layout = layout

    def settle(self, impressions: Sequence[Impression]) -> Layout:
        """Fixes what the settings leave open by the first impressions; later calls change nothing."""
        if self._layout is None:
            self._layout = self._lay_out(impressions)
        return self._layout

    def check(self, impressions: Sequence[Impression]) -> None:
        """Settles the layout by impressions that all fit it.

        Raises:
            FeatureError: numeric features of one of them do not fit; nothing is settled by them.
        """
        layout = self._layout or self._lay_out(impressions)
        _require_fit([impression.context for impression in impressions], layout.context)
        _require_fit(candidates_of(impressions), layout.candidate)
        self._layout = layout

    @property
    def reads_numbers(self) -> bool:
        """Whether all numeric features that come are read, so that `observe` finds by itself what does not fit."""
        return self._layout is not None and self._layout.context > 0 and self._layout.candidate > 0

    def observe(self, impressions: Sequence[Impression], users: Sequence[tuple[Known, str]]) -> Observation:
        """The observation of B impressions; `users` tells of each who knows its user, and by which key.

        Raises:
            FeatureError: numeric features that are read do not fit the layout.
        """
        layout = self.settle(impressions)
        contexts = [impression.context for impression in impressions]
        candidates = candidates_of(impressions)
        context_BC = self._contexts(contexts)
        knew = self._knew(impressions, users, context_BC)
        return Observation(
            context_BC=context_BC,
            user_BU=user_vectors(knew, layout.interest),
            candidates_ND=self._candidates(candidates),
            counts_B=np.array([len(impression.candidates) for impression in impressions], dtype=np.int64),
            item_N=keys_of([candidate.item_id for candidate in candidates]),
            user_B=keys_of([user for _, user in users]),
            group_B=groups_of(contexts),
            knew=knew,
        )

    def knew(self, impressions: Sequence[Impression], users: Sequence[tuple[Known, str]]) -> tuple[Knew, ...]:
        """What is known of the users of B impressions, as `observe` reads it."""
        self.settle(impressions)
        return self._knew(impressions, users, self._contexts([impression.context for impression in impressions]))

    def rows(self, outcomes: Sequence[Outcome]) -> Rows:
        """One training row for each shown slot, from what was logged at decision time.

        Raises:
            FeatureError: an outcome does not fit the layout.
        """
        layout = self.settle([outcome.impression for outcome in outcomes])
        slots = [
            (outcome, slot, index) for outcome in outcomes for index, slot in enumerate(outcome.recommendation.slate)
        ]
        shown = [_shown(outcome, slot.item_id) for outcome, slot, _ in slots]
        impressions = [outcome.impression for outcome, _, _ in slots]
        contexts = [impression.context for impression in impressions]
        propensities = [np.nan if slot.propensity is None else slot.propensity for _, slot, _ in slots]
        slot_R = np.array([index for _, _, index in slots], dtype=np.int64)
        candidate_RD = self._candidates(shown)
        return Rows(
            context_RC=self._contexts(contexts),
            user_RU=user_vectors([outcome.recommendation.knew for outcome, _, _ in slots], layout.interest),
            candidate_RD=candidate_RD,
            item_R=keys_of([candidate.item_id for candidate in shown]),
            user_R=keys_of([impression.user_id for impression in impressions]),
            reward_R=np.array([outcome.rewards[index] for outcome, _, index in slots], dtype=np.float32),
            propensity_R=np.array(propensities, dtype=np.float64),
            slot_R=slot_R,
            alike_R=alike_above(candidate_RD[:, : layout.interest], slot_R),
            weight_R=np.ones(len(slots), np.float32),
            group_R=groups_of(contexts),
            exploring_R3=_exploring([(outcome, index) for outcome, _, index in slots]),
        )

    @property
    def interest_space(self) -> str:
        """Names the space of interest vectors: encoder and length. Vectors of two spaces must not be mixed."""
        layout = self._layout or self._lay_out([])
        read = self._encoder.version if self._encoder is not None and layout.text else "features"
        return f"{read}/{layout.interest}"

    def item_vector(self, candidate: Candidate) -> Floats:
        """The vector of an item in the space of interests.

        Raises:
            FeatureError: its numeric features do not fit the layout.
        """
        layout = self.layout
        vector_D: Floats = self._candidates([candidate])[0]
        return vector_D[: layout.text] if layout.text else vector_D

    def _knew(
        self, impressions: Sequence[Impression], users: Sequence[tuple[Known, str]], context_BC: Floats
    ) -> tuple[Knew, ...]:
        about_BE = context_BC[:, : self.layout.text]
        return tuple(
            [
                known.read(user, impression.ts_ms, about_E)
                for (known, user), impression, about_E in zip(users, impressions, about_BE, strict=True)
            ]
        )

    def _lay_out(self, impressions: Sequence[Impression]) -> Layout:
        candidates = candidates_of(impressions)
        contexts = [impression.context for impression in impressions]
        text = self._text_dim([*contexts, *candidates])
        return Layout(
            text=text,
            context=_numeric_dim(self._settings.context_dim, contexts),
            candidate=_numeric_dim(self._settings.candidate_dim, candidates),
            manner=manner_of(self._encoder) if text and self._encoder is not None else 0,
        )

    def _text_dim(self, parts: Iterable[Context | Candidate]) -> int:
        reads = self._settings.text == "on" or (self._settings.text == "auto" and any(part.text for part in parts))
        if reads and self._encoder is None:
            raise FeatureError("features.text needs an encoder; got none")
        return self._encoder.dim if reads and self._encoder is not None else 0

    def _contexts(self, contexts: Sequence[Context]) -> Floats:
        vectors_BX = self._vectors(contexts, self.layout.context)
        return vectors_BX if not self.layout.manner else vectors_BX[:, : self.layout.context_total]

    def _candidates(self, candidates: Sequence[Candidate]) -> Floats:
        return self._vectors(candidates, self.layout.candidate)

    def _vectors(self, parts: Sequence[Context | Candidate], numeric: int) -> Floats:
        """Text, numeric features and manner of each, [R, E + numeric + W]."""
        blocks = [np.zeros((len(parts), 0), dtype=np.float32)]
        if self.layout.text and self._encoder is not None:
            blocks.append(self._encoder.encode([part.text or "" for part in parts]))
        if numeric:
            blocks.append(_numbers(parts, numeric))
        if numeric and self.layout.manner:
            read_RX, text = blocks[1], self.layout.text
            blocks[1:] = [read_RX[:, :text], blocks[2], read_RX[:, text:]]
        return blocks[-1] if len(blocks) < 3 else np.concatenate(blocks, axis=1)


def candidates_of(impressions: Sequence[Impression]) -> list[Candidate]:
    """The candidates of all impressions, one after the other."""
    candidates: list[Candidate] = []
    for impression in impressions:
        candidates += impression.candidates
    return candidates


def _require_fit(parts: Sequence[Context | Candidate], length: int) -> None:
    """Raises FeatureError where numeric features are told that are not so many."""
    features = [part.features for part in parts if part.features is not None]
    if set(map(len, features)) - {length}:
        told = next(part for part in parts if part.features is not None and len(part.features) != length)
        name = f"candidate {told.item_id!r} features" if isinstance(told, Candidate) else "context.features"
        raise FeatureError(f"{name} must have {length} values; got {len(told.features or ())}")


def _numbers(parts: Sequence[Context | Candidate], length: int) -> Floats:
    """Numeric features [R, length], zeros where there are none."""
    features = [part.features for part in parts]
    told = features if all(features) else [(0.0,) * length if each is None else each for each in features]
    found = _written(told, length)
    if found is None:
        _require_fit(parts, length)
        found = np.array(told, dtype=np.float32).reshape(len(parts), length)
    return found


def _written(features: Sequence[tuple[float, ...] | None], length: int) -> Floats | None:
    """The same where all are floats and so many, else None: written in C and read as an array, a fifth of the price.

    In MessagePack a float is a byte that says so and its eight bytes; so they stand at even distances, and what is
    of another type or in a row of another length does not.
    """
    try:
        written = _WRITE(features)
    except (TypeError, OverflowError):  # floats of other libraries, large integers
        return None
    first, before = _size_of_head(len(features)), _size_of_head(length)
    if not features or len(written) != first + len(features) * (before + length * _FLOAT.itemsize):
        return None
    distances = (before + length * _FLOAT.itemsize, _FLOAT.itemsize)
    floats = np.ndarray((len(features), length), _FLOAT, written, first + before, distances)
    return floats["value"].astype(np.float32) if (floats["type"] == _IS_FLOAT).all() else None


def _size_of_head(count: int) -> int:
    """The bytes that say how long a list is."""
    return 1 if count < 16 else 3 if count < 65_536 else 5


def _shown(outcome: Outcome, item_id: str) -> Candidate:
    for candidate in outcome.impression.candidates:
        if candidate.item_id == item_id:
            return candidate
    raise FeatureError(f"outcome slate item must be a candidate of its impression; got {item_id!r}")


def _exploring(slots: Sequence[tuple[Outcome, int]]) -> NDArray[np.float64]:
    told = [exploring_of(outcome) if index == 0 else UNTOLD for outcome, index in slots]
    return np.array(told, dtype=np.float64).reshape(len(slots), 3)


def _numeric_dim(fixed: int | None, parts: Sequence[Context | Candidate]) -> int:
    if fixed is not None:
        return fixed
    return next((len(part.features) for part in parts if part.features), 0)
