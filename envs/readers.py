"""Simulated readers of a corpus of titles: a few hundred people whose interests drift, with a mood of the moment.

A reader is reading one title (the context) and is offered others. The click probability of a candidate is

    sigmoid(base + interest · interest_of[reader, topic] + mood · [topic is the mood's] + appeal · appeal_of[title])

so the context tells the mood, clicks tell the interests, and repeated showing tells the appeal; none suffices alone.
Interests move with the reader's visits only, never with what was shown.
"""

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from envs.corpus import Corpus, load_corpus
from envs.errors import WorldError
from envs.world import Arrival, View
from stream.events import Candidate, Context, Impression
from stream.settings import Section

Array = NDArray[np.float64]
_BLOCK = 256  # impressions whose random numbers are drawn at once


class ReaderSettings(Section):
    """Who the readers are. The weights are in log-odds; with the defaults a uniform choice is clicked in about 5 %."""

    readers: int = Field(default=200, ge=1, description="readers; their activity is log-normal")
    candidates_min: int = Field(default=20, ge=1, description="fewest candidates of an impression")
    candidates_max: int = Field(default=20, ge=1, description="most candidates of an impression")
    slots: int = Field(default=1, ge=1, description="items to show")
    features: Literal["text", "numeric", "both"] = Field(default="text", description="what the agent sees of a title")
    feature_noise: float = Field(default=0.2, ge=0, description="spread of the noise on each numeric feature")
    base: float = Field(default=-4.4, description="log-odds of a click on what nothing speaks for")
    interest: float = Field(default=2.4, ge=0, description="weight of the reader's interest in a topic")
    taste_noise: float = Field(default=0.2, ge=0, description="spread of a reader's interest around its favourites")
    mood: float = Field(default=1.2, ge=0, description="weight of a topic that is the one being read")
    mood_of_interest: float = Field(
        default=0.5, ge=0, le=1, description="share of moods that follow the reader's interests"
    )
    appeal: float = Field(default=0.5, ge=0, description="weight of a title's appeal, which is standard normal")
    drift: float = Field(default=0.02, ge=0, le=1, description="share by which taste is renewed at each visit")
    jump: float = Field(
        default=0.003, ge=0, le=1, description="probability per visit that one favourite topic is replaced"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.candidates_min > self.candidates_max:
            raise ValueError(f"candidates_min must be at most candidates_max; got {self.candidates_min}")
        if self.slots > self.candidates_min:
            raise ValueError(f"slots must be at most candidates_min; got {self.slots}")
        return self


class ReaderScene:
    """The scene of these readers; endless, so the world's settings end it.

    Args:
        settings: who they are.
        seed: of everything about them: interests, moods, candidates, appeal, noise of features.
        corpus: what they read; the packaged one without.

    Raises:
        WorldError: the corpus is too small for these settings.

    >>> scene = ReaderScene(ReaderSettings(candidates_min=2, candidates_max=2), seed=0)
    >>> view = scene.emit(Arrival(0, "w0", 1_700_000_000_000))
    >>> view.impression.candidates[0].text
    'Watch: folding dumplings with two very patient aunts'
    >>> view.rates_K.round(2).tolist()
    [0.06, 0.1]
    """

    def __init__(self, settings: ReaderSettings | None = None, seed: int = 0, corpus: Corpus | None = None) -> None:
        self._settings = settings or ReaderSettings()
        self._corpus = corpus or load_corpus()
        _require_enough(self._corpus, self._settings)
        self._random = np.random.default_rng([seed, 1])
        readers, topics = self._settings.readers, len(self._corpus.topic_names)
        activity_U = self._random.lognormal(0.0, 0.5, readers)
        self._activity_U = activity_U / activity_U.sum()
        self.favourites_UT = np.stack([self._favourites(topics) for _ in range(readers)])
        self._taste_UT = self._random.normal(0.0, self._settings.taste_noise, (readers, topics))
        self.appeal_M = self._random.normal(0.0, self._settings.appeal, len(self._corpus.titles))
        self._candidates, self._contexts = self._encode_titles()
        self._titles_of = [np.flatnonzero(self._corpus.topics_M == topic) for topic in range(topics)]
        self._readers: list[int] = []

    @property
    def feature_dim(self) -> int:
        """Numeric features of a context or a candidate: one a topic, and appeal; 0 where only text is shown."""
        return 0 if self._settings.features == "text" else len(self._corpus.topic_names) + 1

    def emit(self, arrival: Arrival) -> View:
        """The next reader, what they read, and candidates other than that."""
        settings, random = self._settings, self._random
        if not self._readers:
            self._readers = random.choice(settings.readers, _BLOCK, p=self._activity_U).tolist()
        reader = self._readers.pop()
        self._move(reader)
        mood = self._mood(reader)
        reading = int(random.choice(self._titles_of[mood]))
        chosen_K = self._sample(reading)
        topics_K = self._corpus.topics_M[chosen_K]
        interest_T = settings.interest * self.interest(reader)
        interest_T[mood] += settings.mood
        odds_K = settings.base + interest_T[topics_K] + self.appeal_M[chosen_K]
        impression = Impression(
            impression_id=arrival.impression_id,
            user_id=f"reader-{reader}",
            ts_ms=arrival.ts_ms,
            context=self._contexts[reading],
            candidates=tuple([self._candidates[title] for title in chosen_K.tolist()]),
            slots=settings.slots,
        )
        return View(impression, 1.0 / (1.0 + np.exp(-odds_K)))

    def clicked(self, view: View, action: int, uniform: float) -> bool:
        """Whether the uniform number lies under the candidate's true probability."""
        return uniform < float(view.rates_K[action])

    def interest(self, reader: int) -> Array:
        """A reader's interest in every topic [T] now; a favourite's is about 1, any other's about 0."""
        return np.asarray(self.favourites_UT[reader] + self._taste_UT[reader])

    def _favourites(self, topics: int) -> Array:
        weights_T = np.zeros(topics)
        chosen = self._random.choice(topics, int(self._random.integers(2, 4)), replace=False)
        weights_T[chosen] = self._random.uniform(0.7, 1.2, len(chosen))
        return weights_T

    def _move(self, reader: int) -> None:
        settings, random = self._settings, self._random
        taste_T, keep = self._taste_UT[reader], 1.0 - settings.drift
        fresh = settings.taste_noise * (1.0 - keep**2) ** 0.5  # keeps the spread of taste as it is
        taste_T *= keep
        taste_T += random.normal(0.0, fresh, len(taste_T))
        if random.random() < settings.jump:
            weights_T = self.favourites_UT[reader]
            old, new = random.choice(np.flatnonzero(weights_T)), random.choice(np.flatnonzero(weights_T == 0))
            weights_T[new], weights_T[old] = weights_T[old], 0.0

    def _mood(self, reader: int) -> int:
        weights_T = self.favourites_UT[reader]
        if self._random.random() >= self._settings.mood_of_interest:
            return int(self._random.integers(len(weights_T)))
        bounds_T = np.cumsum(weights_T)
        return int(np.searchsorted(bounds_T, self._random.random() * bounds_T[-1], side="right"))

    def _sample(self, reading: int) -> NDArray[np.int64]:
        least, most = self._settings.candidates_min, self._settings.candidates_max
        size = least if least == most else int(self._random.integers(least, most + 1))
        keys_M = self._random.random(len(self._candidates))
        keys_M[reading] = 2.0
        return np.argpartition(keys_M, size)[:size]

    def _encode_titles(self) -> tuple[list[Candidate], list[Context]]:
        """Every title once as a candidate and once as a context; features: noisy topic [T], then noisy appeal."""
        corpus, kind = self._corpus, self._settings.features
        known_MD = np.column_stack([np.eye(len(corpus.topic_names))[corpus.topics_M], self.appeal_M])
        known_MD += self._random.normal(0.0, self._settings.feature_noise, known_MD.shape)
        candidates, contexts = [], []
        for title, (text, features_D) in enumerate(zip(corpus.titles, known_MD.round(4).tolist(), strict=True)):
            shown_text = text if kind != "numeric" else None
            shown_features = tuple(features_D) if kind != "text" else None
            name = f"{corpus.topic_names[corpus.topics_M[title]].replace(' ', '-')}-{title:03d}"
            candidates.append(Candidate(item_id=name, text=shown_text, features=shown_features))
            contexts.append(Context(text=shown_text, features=shown_features))
        return candidates, contexts


def _require_enough(corpus: Corpus, settings: ReaderSettings) -> None:
    if len(corpus.titles) <= settings.candidates_max:
        raise WorldError(f"corpus must have more titles than candidates_max; got {len(corpus.titles)}")
    if len(corpus.topic_names) < 4:
        raise WorldError(f"corpus must have at least 4 topics; got {len(corpus.topic_names)}")
