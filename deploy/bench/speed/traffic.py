"""What the transport benchmarks send: impressions of known items with texts, and clicks on what readers like best.

Items have titles of the packaged corpus, contexts a text out of a pool. Event time runs evenly and far behind the
clock, so that how fast windows close depends on what was sent, not on how fast it is read.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from envs.corpus import load_corpus
from stream.events import Candidate, Click, Context, Impression

_ITEMS, _CANDIDATES, _USERS = 1_000, 20, 2_000
_CLICK_SHARE = 0.2
_PAST_MS = 7 * 24 * 3_600_000  # behind the clock, so that no burst of a run reaches it


@dataclass(frozen=True)
class TrafficSettings:
    """What is sent.

    Attributes:
        contexts: different texts of contexts.
        gap_ms: event time between two impressions.
        cold: whether each context has a text that nobody has read before.
        seed: of all choices.
    """

    contexts: int = 1_000
    gap_ms: int = 2
    cold: bool = False
    seed: int = 0


class Traffic:
    """Goes on where the last call ended: ids never come twice, event time only grows.

    Args:
        settings: what is sent.
        now_ms: by the clock; event time begins a week earlier.
        name: begins the ids of impressions.
    """

    def __init__(self, settings: TrafficSettings, now_ms: int, name: str = "impression") -> None:
        titles = load_corpus().titles
        self._settings, self._name = settings, name
        self._rng = np.random.default_rng(settings.seed)
        self._items = [
            Candidate(item_id=f"item-{n}", text=titles[n % len(titles)] + " again" * (n // len(titles)))
            for n in range(_ITEMS)
        ]
        self._appeal_M = self._rng.random(_ITEMS)
        self._titles = titles
        self._ts_ms = now_ms - _PAST_MS
        self._sent = 0

    def impression(self, ts_ms: int | None = None) -> tuple[Impression, Click | None]:
        """The next impression, and the click that its reader makes if the best item is shown.

        Args:
            ts_ms: its event time; a little after the last one's where not given.
        """
        number, self._sent = self._sent, self._sent + 1
        self._ts_ms = self._ts_ms + self._settings.gap_ms if ts_ms is None else ts_ms
        chosen_K = self._rng.choice(_ITEMS, _CANDIDATES, replace=False)
        impression = Impression(
            impression_id=f"{self._name}-{number}",
            user_id=f"user-{int(self._rng.integers(_USERS))}",
            ts_ms=self._ts_ms,
            context=Context(text=self._context(number)),
            candidates=tuple(self._items[item] for item in chosen_K.tolist()),
        )
        if self._rng.random() >= _CLICK_SHARE:
            return impression, None
        best = self._items[int(chosen_K[np.argmax(self._appeal_M[chosen_K])])]
        click = Click(
            impression_id=impression.impression_id,
            user_id=impression.user_id,
            item_id=best.item_id,
            ts_ms=self._ts_ms + int(self._rng.integers(50, 1_000)),
        )
        return impression, click

    def burst(self, impressions: int) -> Iterator[Impression | Click]:
        """So many impressions and their clicks, in the order of their times."""
        waiting: list[tuple[int, int, Click]] = []
        for _ in range(impressions):
            impression, click = self.impression()
            waiting.sort()
            while waiting and waiting[0][0] <= impression.ts_ms:
                yield waiting.pop(0)[2]
            yield impression
            if click is not None:
                waiting.append((click.ts_ms, self._sent, click))
        yield from (click for _, _, click in sorted(waiting))

    def _context(self, number: int) -> str:
        if self._settings.cold:
            return f"{self._titles[number % len(self._titles)]}, told for the {number}th time"
        place = int(self._rng.integers(self._settings.contexts))
        return f"{self._titles[place % len(self._titles)]}, part {place // len(self._titles) + 1}"
