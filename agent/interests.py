"""What is known of the users of one partition: interests that closed decisions settle and clicks move at once."""

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agent.settings import InterestSettings
from envs.protocols import Floats
from stream.events import Knew

Doubles = NDArray[np.float64]

_NOTHING = Knew()
_OPEN_CLICKS = 64  # of a user; of a thousand clicks within one window the older ones say nothing new


@dataclass(slots=True)
class User:
    """One user: interest vectors of unit length with their weights (decayed clicks), counts, time of the last click.

    `told` is the interest as it was told last, where no context selects among the vectors; until the next click.
    """

    vectors: list[Floats] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    clicks: int = 0
    decisions: int = 0
    last_click_ms: int | None = None
    told: bytes | None = field(default=None, repr=False)

    def copy(self) -> "User":
        """Another user who knows the same; vectors are never changed in place, so they are shared."""
        return User(list(self.vectors), list(self.weights), self.clicks, self.decisions, self.last_click_ms)

    def click(self, settings: InterestSettings, ts_ms: int, item_E: Floats) -> None:
        """Takes in a click on an item with the vector `item_E` (of any length; its direction counts)."""
        self.clicks += 1
        self.told = None
        self.last_click_ms = max(ts_ms, self.last_click_ms or 0)
        wide_E = item_E.astype(np.float64)  # squares of legal features can leave float32
        length = float(np.linalg.norm(wide_E))
        if length == 0.0:
            return
        unit_E = (wide_E / length).astype(np.float32)
        decay = 0.5 ** (1.0 / settings.half_life_clicks)
        self.weights = [weight * decay for weight in self.weights]
        cosines = [float(vector_E @ unit_E) for vector_E in self.vectors]
        nearest = int(np.argmax(cosines)) if cosines else -1
        if cosines and cosines[nearest] >= settings.same_interest:
            blended_E = self.weights[nearest] * self.vectors[nearest] + unit_E
            self.vectors[nearest] = (blended_E / np.linalg.norm(blended_E)).astype(np.float32)
            self.weights[nearest] += 1.0
        elif len(self.vectors) < settings.vectors:
            self.vectors.append(unit_E)
            self.weights.append(1.0)
        else:
            lightest = int(np.argmin(self.weights))
            self.vectors[lightest], self.weights[lightest] = unit_E, 1.0


class InterestStore:
    """Online clusters of what each user clicked; the newest clicks weigh most.

    A click joins the nearest interest if its cosine is high enough, else it starts one in place of the lightest.
    Reading gives one vector: the interests, each by its weight and by how close it is to what is asked about.

    Settled is what closed decisions taught, in the order of their outcomes: a fold over the log, which a restart
    repeats. Clicks of decisions that are still open count at once, on top of it, and are never saved.

    Attributes:
        users: what is settled, the least recently seen first.

    >>> store = InterestStore(InterestSettings())
    >>> _ = store.clicked("u1", "decision 1", 1_000, np.array([1.0, 0.0], dtype=np.float32))
    >>> knew = store.read("u1", 61_000, np.zeros(2, dtype=np.float32))
    >>> knew.clicks, knew.idle_ms, np.frombuffer(knew.interest, "<f2").tolist()
    (1, 60000, [1.0, 0.0])
    >>> len(store)                  # nothing is settled before the decision closes
    0
    """

    def __init__(self, settings: InterestSettings) -> None:
        self._settings = settings
        self.users: OrderedDict[str, User] = OrderedDict()
        self._open: dict[str, list[tuple[str, int, Floats]]] = {}  # decision, time and item of clicks, by user
        self._live: dict[str, User] = {}  # users with open clicks, as they are with them

    def __len__(self) -> int:
        return len(self.users)

    def read(self, user: str, ts_ms: int, about_E: Floats) -> Knew:
        """What is known of a user now; a user never seen is known by zeros."""
        known = self._live.get(user) or self.users.get(user)
        if known is None:
            return _NOTHING
        idle_ms = None if known.last_click_ms is None else max(ts_ms - known.last_click_ms, 0)
        return Knew(
            clicks=known.clicks, decisions=known.decisions, idle_ms=idle_ms, interest=self._interest(known, about_E)
        )

    def clicked(self, user: str, decision: str, ts_ms: int, item_E: Floats) -> int:
        """Takes in a click that was joined to an open decision.

        Returns:
            How many older clicks of the user had to make room; they count again once their decisions close.
        """
        clicks = self._open.setdefault(user, [])
        clicks.append((decision, ts_ms, item_E))
        past = max(0, len(clicks) - _OPEN_CLICKS)
        del clicks[:past]
        if user not in self._live:
            self._live[user] = self.users[user].copy() if user in self.users else User()
        self._live[user].click(self._settings, ts_ms, item_E)
        return past

    def closed(self, user: str, decision: str, clicks: Sequence[tuple[int, Floats]]) -> int:
        """Settles a decision: its clicks, by time, as (time, item), or that there was none.

        Returns:
            How many users had to be forgotten for it, because more than `max_users` came: the least recently seen.
        """
        settled = self.users.get(user)
        if settled is None:
            settled = self.users[user] = User()
        before = len(self.users)
        self.users.move_to_end(user)
        while len(self.users) > self._settings.max_users:
            self.users.popitem(last=False)
        for ts_ms, item_E in clicks:
            settled.click(self._settings, ts_ms, item_E)
        if not clicks:
            settled.decisions += 1
        if user in self._open:
            self._lay_over(user, [each for each in self._open[user] if each[0] != decision])
        return before - len(self.users)

    def _lay_over(self, user: str, clicks: list[tuple[str, int, Floats]]) -> None:
        if not clicks:
            del self._open[user], self._live[user]
            return
        self._open[user] = clicks
        self._live[user] = self.users[user].copy()
        for _, ts_ms, item_E in clicks:
            self._live[user].click(self._settings, ts_ms, item_E)

    def _interest(self, user: User, about_E: Floats) -> bytes | None:
        if not user.vectors:
            return None
        if len(user.vectors) > 1 and len(about_E) == len(user.vectors[0]):
            vectors_ME = np.array(user.vectors)
            near_M = np.exp(self._settings.attention * (vectors_ME @ about_E))
            return _told((np.array(user.weights) * near_M) @ vectors_ME)
        if user.told is None:
            one = len(user.vectors) == 1
            blended_E = user.vectors[0].astype(np.float64) if one else np.array(user.weights) @ np.array(user.vectors)
            user.told = _told(blended_E)
        return user.told


def _told(interest_E: Doubles) -> bytes | None:
    length = math.sqrt(interest_E @ interest_E)
    return (interest_E / length).astype("<f2").tobytes() if length > 0 else None
