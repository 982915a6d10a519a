"""From events to vectors: text embeddings and numeric features side by side, in a layout fixed once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from envs.alike import alike_above
from envs.errors import FeatureError
from envs.exploring import UNTOLD, exploring_of
from envs.keys import groups_of, keys_of
from envs.observation import USER_SCALARS, Observation, user_vector
from envs.protocols import Encoder, Floats, Known
from envs.rows import Rows
from stream.events import Candidate, Context, Impression, Knew, Outcome
from stream.settings import Section


class FeatureSettings(Section):
    """What of an event becomes a feature. `None` and `auto` are settled by the first impressions seen."""

    text: Literal["auto", "on", "off"] = Field("auto", description="whether texts are encoded")
    context_dim: int | None = Field(None, ge=0, description="numeric features of a context")
    candidate_dim: int | None = Field(None, ge=0, description="numeric features of a candidate")


@dataclass(frozen=True, slots=True)
class Layout:
    """The lengths of the blocks: text embedding E, numeric features of context and of candidate."""

    text: int
    context: int
    candidate: int

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
        return self.text + self.candidate


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
        for impression in impressions:
            _check("context.features", impression.context.features, layout.context)
            for candidate in impression.candidates:
                if candidate.features is not None and len(candidate.features) != layout.candidate:
                    _check(f"candidate {candidate.item_id!r} features", candidate.features, layout.candidate)
        self._layout = layout

    def observe(self, impressions: Sequence[Impression], users: Sequence[tuple[Known, str]]) -> Observation:
        """The observation of B impressions; `users` tells of each who knows its user, and by which key."""
        layout = self.settle(impressions)
        context_BC = self._contexts([impression.context for impression in impressions])
        candidates_ND = self._candidates([c for impression in impressions for c in impression.candidates])
        knew = self._knew(impressions, users, context_BC)
        return Observation(
            context_BC=context_BC,
            user_BU=_stack([user_vector(k, layout.interest) for k in knew], layout.user_total),
            candidates_ND=candidates_ND,
            counts_B=np.array([len(impression.candidates) for impression in impressions], dtype=np.int64),
            item_N=keys_of(c.item_id for impression in impressions for c in impression.candidates),
            user_B=keys_of(user for _, user in users),
            group_B=groups_of([impression.context for impression in impressions]),
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
        slots = [(outcome, index) for outcome in outcomes for index in range(len(outcome.recommendation.slate))]
        shown = [_shown(outcome, index) for outcome, index in slots]
        knew = [outcome.recommendation.knew for outcome, _ in slots]
        propensities = [outcome.recommendation.slate[index].propensity for outcome, index in slots]
        slot_R = np.array([index for _, index in slots], dtype=np.int64)
        candidate_RD = self._candidates(shown)
        return Rows(
            context_RC=self._contexts([outcome.impression.context for outcome, _ in slots]),
            user_RU=_stack([user_vector(k, layout.interest) for k in knew], layout.user_total),
            candidate_RD=candidate_RD,
            item_R=keys_of(candidate.item_id for candidate in shown),
            user_R=keys_of(outcome.impression.user_id for outcome, _ in slots),
            reward_R=np.array([outcome.rewards[index] for outcome, index in slots], dtype=np.float32),
            propensity_R=np.array([np.nan if p is None else p for p in propensities], dtype=np.float64),
            slot_R=slot_R,
            alike_R=alike_above(candidate_RD[:, : layout.interest], slot_R),
            weight_R=np.ones(len(slots), np.float32),
            group_R=groups_of([outcome.impression.context for outcome, _ in slots]),
            exploring_R3=_exploring(slots),
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
            known.read(user, impression.ts_ms, about_E)
            for (known, user), impression, about_E in zip(users, impressions, about_BE, strict=True)
        )

    def _lay_out(self, impressions: Sequence[Impression]) -> Layout:
        candidates = [candidate for impression in impressions for candidate in impression.candidates]
        contexts = [impression.context for impression in impressions]
        return Layout(
            text=self._text_dim([*contexts, *candidates]),
            context=_numeric_dim(self._settings.context_dim, contexts),
            candidate=_numeric_dim(self._settings.candidate_dim, candidates),
        )

    def _text_dim(self, parts: Iterable[Context | Candidate]) -> int:
        reads = self._settings.text == "on" or (self._settings.text == "auto" and any(part.text for part in parts))
        if reads and self._encoder is None:
            raise FeatureError("features.text needs an encoder; got none")
        return self._encoder.dim if reads and self._encoder is not None else 0

    def _contexts(self, contexts: Sequence[Context]) -> Floats:
        return self._vectors(contexts, self.layout.context)

    def _candidates(self, candidates: Sequence[Candidate]) -> Floats:
        return self._vectors(candidates, self.layout.candidate)

    def _vectors(self, parts: Sequence[Context | Candidate], numeric: int) -> Floats:
        text = self.layout.text
        vectors = np.zeros((len(parts), text + numeric), dtype=np.float32)
        if text and self._encoder is not None:
            vectors[:, :text] = self._encoder.encode([part.text or "" for part in parts])
        if numeric:
            for row, part in enumerate(parts):
                if part.features:
                    _check("features", part.features, numeric)
                    vectors[row, text:] = part.features
        return vectors


def _shown(outcome: Outcome, index: int) -> Candidate:
    item_id = outcome.recommendation.slate[index].item_id
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


def _check(name: str, features: tuple[float, ...] | None, length: int) -> None:
    if features is not None and len(features) != length:
        raise FeatureError(f"{name} must have {length} values; got {len(features)}")


def _stack(vectors: Sequence[Floats], length: int) -> Floats:
    return np.stack(vectors) if vectors else np.zeros((0, length), np.float32)
