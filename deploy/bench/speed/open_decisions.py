"""The join with as many open decisions as wanted: one comes and one closes in each millisecond of event time."""

from envs.decision import Decision, recommendation
from stream.codec import JsonCodec
from stream.events import Candidate, Click, Impression
from stream.join import ClickJoin
from stream.open_decisions import Origin
from stream.settings import AttributionSettings

_CANDIDATES = 20
_CLICKED = 5  # every fifth decision
_MOST_BYTES = 4 << 30
_FIRST_MS = 1_700_000_000_000


class OpenStream:
    """Impressions with 20 candidates by id, decided at once, clicked now and then, and closed after their window.

    Args:
        count: decisions that are open at a time.
    """

    def __init__(self, count: int) -> None:
        self._count, self._number = count, 0
        self._codec = JsonCodec()
        settings = AttributionSettings(window_ms=count, max_open_bytes=_MOST_BYTES)
        self._join = ClickJoin(settings, self._codec)
        self._candidates = tuple(Candidate(item_id=f"item-{number}") for number in range(_CANDIDATES))
        share = 1.0 / _CANDIDATES
        shares = (share,) * _CANDIDATES
        self._decision = Decision((3,), (share,), (0.1,), shares, share, "greedy", "0.1", seed=0)

    def __len__(self) -> int:
        return len(self._join)

    def fill(self) -> None:
        """Goes on until so many are open."""
        self.go_on(self._count)

    def go_on(self, decisions: int) -> int:
        """So many decisions come, and all whose window ends meanwhile close; returns how many those are."""
        closed = 0
        for _ in range(decisions):
            self._number += 1
            self._come(self._number)
            closed += len(self._join.advance(_FIRST_MS + self._number)[0])
        return closed

    def _come(self, number: int) -> None:
        ts_ms = _FIRST_MS + number
        name, user = f"impression-{number}", f"user-{number % 997}"
        impression = Impression(impression_id=name, user_id=user, ts_ms=ts_ms, candidates=self._candidates)
        self._join.arrive(impression, Origin(number))
        shown = recommendation(impression, self._decision, knew=None, encoder_version="", max_probabilities=_CANDIDATES)
        self._join.decide(shown)
        if number % _CLICKED == 0:
            self._join.click(Click(impression_id=name, user_id=user, item_id="item-3", ts_ms=ts_ms), number)
