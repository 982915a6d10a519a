"""A benchmark world in the event loop: its rounds as impressions on a log, and clicks on what was chosen.

**Time.** A round is a second of event time, and the attribution window is that of the world. Where the world has none,
rounds come in lots of 256, with a pause as long as the window between two lots: so within a lot all stay open, and the
first round of the next lot closes them all, as the in-process player's update does.

**Pacing.** The world does not run ahead of the learner. Without a window no more rounds come while one has closed that
the deciding weights have not learned: the first round of a lot is decided with the weights of the lot before, all
others with weights that have learned every earlier lot. With a window the weights may lag up to 256 closed rounds
behind. The in-process player updates every 256 rounds; the loop updates as rounds close, and also reads the clicks and
the age of what is open.
"""

import heapq
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from deploy.bench.harness import UPDATE
from deploy.bench.rounds import Floats, Ints, Rounds, World
from envs.tally import WorldTally
from stream.events import Candidate, Click, Context, Impression, Recommendation
from stream.log import WorldLog

ROUND_MS = 1_000
_START_MS = 1_700_000_000_000


class _Waiting(NamedTuple):
    """An impression without its recommendation, and its truth: probability [K], draw [K] and delay of a click."""

    number: int
    impression: Impression
    probability_K: Floats
    draw_K: Floats
    delay_ms: int


def window_ms(world: World) -> int:
    """The attribution window of a world; a click in its last round still counts."""
    return ROUND_MS * (world.window or UPDATE) + 1


class LoopWorld:
    """Shows the rounds of a world on a log, as far as the learner has kept up.

    A click becomes known when event time has passed its delay; whether there is one follows from the world alone, so
    players and loops on the same world and seed meet the same clicks.

    Args:
        world: a fresh one; without texts.
        log: the world's side of a log with one partition.
        rounds: how many are shown.
        learned: rows that the deciding weights have learned.
        pause: called where the learner is behind, before the loop looks again.

    Attributes:
        tally: true click probabilities of what was chosen, of a uniform and of the best choice.
    """

    def __init__(
        self, world: World, log: WorldLog, rounds: int, learned: Callable[[], int], pause: Callable[[], None]
    ) -> None:
        self.tally = WorldTally()
        self._world, self._log, self._rounds, self._learned, self._pause = world, log, rounds, learned, pause
        self._window_ms = window_ms(world)
        self._lag = UPDATE if world.window else 1
        self._ts_ms_N = _times_ms(world, rounds)
        self._shown = 0
        self._lot: Rounds | None = None
        self._waiting: dict[str, _Waiting] = {}
        self._due: list[tuple[int, int, Click]] = []

    def supply(self, limit: int) -> int:
        """Shows up to `limit` rounds with the clicks due before each; see `Parts.supply`.

        Returns:
            0 when all rounds were shown and decided. Else more will come, even where none came now.
        """
        for recommendation in self._log.recommendations(self._rounds, 0):
            self._take(recommendation)
        if self._shown == self._rounds:
            return 0
        now_ms = int(self._ts_ms_N[max(self._shown - 1, 0)])
        self._click(now_ms)
        if self._closed(now_ms) - self._learned() >= self._lag:
            self._pause()
            return 1
        ahead = UPDATE - self._shown % UPDATE  # to the end of the lot
        for _ in range(1 if ahead == UPDATE else min(limit, ahead, self._rounds - self._shown)):
            self._show()
        return limit

    def _closed(self, now_ms: int) -> int:
        """Rounds whose window has passed."""
        return int(np.searchsorted(self._ts_ms_N[: self._shown], now_ms - self._window_ms, side="right"))

    def _show(self) -> None:
        index, place = self._shown, self._shown % UPDATE
        if place == 0 or self._lot is None:
            self._lot = self._world.rounds(index, min(index + UPDATE, self._rounds))
        impression = _impression(self._lot, place, int(self._ts_ms_N[index]))
        self._click(impression.ts_ms)
        self._log.append(impression)
        self._waiting[impression.impression_id] = _Waiting(
            number=index,
            impression=impression,
            probability_K=self._lot.probability_BK[place],
            draw_K=self._lot.draw_BK[place],
            delay_ms=ROUND_MS * int(self._lot.delay_B[place]),
        )
        self._shown += 1

    def _take(self, recommendation: Recommendation) -> None:
        """Notes what was chosen, and when it will be clicked."""
        number, impression, probability_K, draw_K, delay_ms = self._waiting.pop(recommendation.impression_id)
        chosen = recommendation.slate[0].item_id
        action = [candidate.item_id for candidate in impression.candidates].index(chosen)
        self.tally.add(number, float(probability_K[action]), float(probability_K.mean()), float(probability_K.max()))
        if draw_K[action] < probability_K[action]:
            click = Click(
                impression_id=impression.impression_id,
                user_id=impression.user_id,
                item_id=chosen,
                ts_ms=impression.ts_ms + delay_ms,
            )
            heapq.heappush(self._due, (click.ts_ms, number, click))

    def _click(self, until_ms: int) -> None:
        while self._due and self._due[0][0] <= until_ms:
            self._log.append(heapq.heappop(self._due)[2])


def _times_ms(world: World, rounds: int) -> Ints:
    """Event time of each round, ascending."""
    number_N = np.arange(rounds)
    pause_N = 0 if world.window else (number_N // UPDATE) * window_ms(world)
    return np.asarray(_START_MS + ROUND_MS * number_N + pause_N, dtype=np.int64)


def _impression(lot: Rounds, place: int, ts_ms: int) -> Impression:
    seen = lot.seen
    candidates = zip(seen.item_BK[place].tolist(), seen.candidate_BKD[place].tolist(), strict=True)
    return Impression(
        impression_id=f"w{seen.start + place}",
        user_id=f"u{seen.user_B[place]}",
        ts_ms=ts_ms,
        context=Context(features=tuple(seen.context_BC[place].tolist())),
        candidates=tuple(Candidate(item_id=f"i{item}", features=tuple(feature_D)) for item, feature_D in candidates),
    )
