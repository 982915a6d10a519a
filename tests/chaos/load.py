"""The load: impressions and clicks that follow from a seed alone, and what must become of each of them.

It writes JSON of its own and knows no code of the project, so that nothing it says can be wrong in the same way.
"""

import heapq
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

T0_MS = 1_700_000_000_000
DIMS = 4
WINDOW_MS = 4_000
OUT_OF_ORDER_MS = 1_000
CLOSE_MS = WINDOW_MS + 3 * OUT_OF_ORDER_MS  # event time after which every window has passed for certain
_EARLY_MS = 200
_AGES_MS = {"due": (10, 2_000), "edge": (2_001, WINDOW_MS), "outside": (WINDOW_MS, WINDOW_MS + 2_000)}


class Written(NamedTuple):
    """One record to write."""

    topic: str  # "impressions" or "clicks"
    user: str
    value: bytes


@dataclass
class Ledger:
    """What was handed to the writer, and what must become of it.

    Attributes:
        impressions: `on_time` must be decided exactly once; `late` at most once; by id.
        clicks: of an impression, on all its candidates: `due` must count, `edge` may, `outside` must not.
        planned: how many events of each kind there are.
        last_ms: the newest event time.
    """

    impressions: dict[str, str] = field(default_factory=dict)
    clicks: dict[str, str] = field(default_factory=dict)
    planned: Counter = field(default_factory=Counter)
    last_ms: int = 0


class Load:
    """An endless stream of events in the order of their emission; event time passes by `step_ms` per impression.

    Of the impressions 10 % are out of order, 2 % are written again (within their window and long after it), 1 % come
    after their window; of those on time 15 % are clicked: 12 % in time (some before their impression, some twice),
    1.5 % at the edge of the window and 1.5 % outside it. A click names every candidate, so whatever was shown is
    clicked, and all other clicks must not count.
    """

    def __init__(self, seed: int, step_ms: float) -> None:
        self._random = random.Random(seed)
        self._name, self._step_ms = f"s{seed}", step_ms
        self._due: list[tuple[float, int, Written]] = []
        self._ticket = count()
        self.ledger = Ledger()
        self.shown = 0

    def events(self) -> Iterator[Written]:
        """Everything, in order."""
        while True:
            now_ms = T0_MS + self.shown * self._step_ms
            while self._due and self._due[0][0] <= now_ms:
                yield heapq.heappop(self._due)[2]
            self._impression(int(now_ms))
            self.shown += 1
            self.ledger.last_ms = int(now_ms)

    def rest(self) -> Iterator[Written]:
        """What is still to come of the impressions that were shown."""
        while self._due:
            at_ms, _, event = heapq.heappop(self._due)
            self.ledger.last_ms = max(self.ledger.last_ms, int(at_ms))
            yield event

    def _impression(self, now_ms: int) -> None:
        draw = self._random
        name, user = f"{self._name}-{self.shown}", f"u{draw.randrange(500)}"
        late, early_click = draw.random() < 0.01, draw.random() < 0.02
        delay_ms = draw.randrange(1, 800) if draw.random() < 0.1 else 0
        if late:
            delay_ms = WINDOW_MS + OUT_OF_ORDER_MS + draw.randrange(4_000, 8_000)
        ts_ms = max(1, now_ms - delay_ms)
        items = [f"i{place}" for place in range(draw.randrange(2, 5))]
        slots = 2 if draw.random() < 0.1 else 1
        event = Written("impressions", user, _impression_json(draw, name, user, ts_ms, items, slots))
        emitted_ms = now_ms + _EARLY_MS if early_click and not late else now_ms
        self._emit(emitted_ms, event)
        self.ledger.impressions[name] = "late" if late else "on_time"
        self.ledger.planned["late" if late else "on_time"] += 1
        if draw.random() < 0.02:
            self._emit(emitted_ms + draw.choice((50, 1_000, 3 * WINDOW_MS)), event)
            self.ledger.planned["repeated"] += 1
        if not late and (early_click or draw.random() < 0.15):
            self._clicks(name, user, ts_ms, items, emitted_ms, early=early_click)

    def _clicks(self, name: str, user: str, ts_ms: int, items: list[str], emitted_ms: int, *, early: bool) -> None:
        draw = self._random
        kind = "due" if early else draw.choices(("due", "edge", "outside"), (80, 10, 10))[0]
        click_ms = ts_ms + (10 if early else draw.randrange(*_AGES_MS[kind]))
        at_ms = emitted_ms - _EARLY_MS + 20 if early else max(emitted_ms, click_ms)
        self.ledger.clicks[name] = kind
        twice = draw.random() < 0.1
        for item in items:
            fields = {"impression_id": name, "user_id": user, "item_id": item, "ts_ms": click_ms}
            event = Written("clicks", user, json.dumps({**fields, "click_id": click_id(name, item)}).encode())
            for _ in range(2 if twice else 1):
                self._emit(at_ms, event)
        self.ledger.planned[f"clicked_{kind}"] += 1
        self.ledger.planned["clicked_early"] += early
        self.ledger.planned["clicked_twice"] += twice

    def _emit(self, at_ms: float, event: Written) -> None:
        heapq.heappush(self._due, (at_ms, next(self._ticket), event))


def click_id(impression: str, item: str) -> str:
    """The id of the one click on an item of an impression."""
    return f"{impression}/{item}"


def closing(ts_ms: int) -> Written:
    """An event that does nothing but say how late it is: a click on what nobody was shown."""
    fields = {"impression_id": "nothing", "user_id": "nobody", "item_id": "nothing", "ts_ms": ts_ms}
    return Written("clicks", "nobody", json.dumps(fields).encode())


def _impression_json(draw: random.Random, name: str, user: str, ts_ms: int, items: list[str], slots: int) -> bytes:
    def features() -> list[float]:
        return [round(draw.gauss(0, 1), 3) for _ in range(DIMS)]

    candidates = [{"item_id": item, "features": features()} for item in items]
    fields = {"impression_id": name, "user_id": user, "ts_ms": ts_ms, "candidates": candidates, "slots": slots}
    return json.dumps({**fields, "context": {"features": features()}}).encode()
