"""What is known of users: a bounded store of interest vectors, updated with every joined click."""

from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np

from agent.settings import InterestSettings
from envs.protocols import Floats
from stream.events import Knew


@dataclass(slots=True)
class User:
    """One user: interest vectors of unit length with their weights (decayed clicks), counts, time of the last click."""

    vectors: list[Floats] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    clicks: int = 0
    decisions: int = 0
    last_click_ms: int | None = None


class InterestStore:
    """Online clusters of what each user clicked; the newest clicks weigh most.

    A click joins the nearest interest if its cosine is high enough, else it starts one in place of the lightest.
    Reading gives one vector: the interests, each by its weight and by how close it is to what is asked about.

    >>> store = InterestStore(InterestSettings())
    >>> store.clicked("u1", 1_000, np.array([1.0, 0.0], dtype=np.float32))
    >>> knew = store.read("u1", 61_000, np.zeros(2, dtype=np.float32))
    >>> knew.clicks, knew.idle_ms, np.frombuffer(knew.interest, "<f2").tolist()
    (1, 60000, [1.0, 0.0])
    """

    def __init__(self, settings: InterestSettings) -> None:
        self._settings = settings
        self.users: OrderedDict[str, User] = OrderedDict()
        self._decay = 0.5 ** (1.0 / settings.half_life_clicks)
        self.evicted = 0

    def __len__(self) -> int:
        return len(self.users)

    def read(self, user_id: str, ts_ms: int, about_E: Floats) -> Knew:
        """What is known of a user now; a user never seen is known by zeros."""
        user = self.users.get(user_id)
        if user is None:
            return Knew()
        idle_ms = None if user.last_click_ms is None else max(ts_ms - user.last_click_ms, 0)
        return Knew(
            clicks=user.clicks, decisions=user.decisions, idle_ms=idle_ms, interest=self._interest(user, about_E)
        )

    def clicked(self, user_id: str, ts_ms: int, item_E: Floats) -> None:
        """Takes in a joined click on an item with the vector `item_E` (of any length; its direction counts)."""
        user = self._touch(user_id)
        user.clicks += 1
        user.last_click_ms = max(ts_ms, user.last_click_ms or 0)
        wide_E = item_E.astype(np.float64)  # squares of legal features can leave float32
        length = float(np.linalg.norm(wide_E))
        if length == 0.0:
            return
        unit_E = (wide_E / length).astype(np.float32)
        user.weights = [weight * self._decay for weight in user.weights]
        cosines = [float(vector_E @ unit_E) for vector_E in user.vectors]
        nearest = int(np.argmax(cosines)) if cosines else -1
        if cosines and cosines[nearest] >= self._settings.same_interest:
            blended_E = user.weights[nearest] * user.vectors[nearest] + unit_E
            user.vectors[nearest] = (blended_E / np.linalg.norm(blended_E)).astype(np.float32)
            user.weights[nearest] += 1.0
        elif len(user.vectors) < self._settings.vectors:
            user.vectors.append(unit_E)
            user.weights.append(1.0)
        else:
            lightest = int(np.argmin(user.weights))
            user.vectors[lightest], user.weights[lightest] = unit_E, 1.0

    def passed(self, user_id: str, ts_ms: int) -> None:  # noqa: ARG002 - the protocol's time is not needed here
        """Takes in a decision that closed without a click."""
        self._touch(user_id).decisions += 1

    def _touch(self, user_id: str) -> User:
        user = self.users.setdefault(user_id, User())
        self.users.move_to_end(user_id)
        if len(self.users) > self._settings.max_users:
            self.users.popitem(last=False)
            self.evicted += 1
        return user

    def _interest(self, user: User, about_E: Floats) -> bytes | None:
        if not user.vectors:
            return None
        vectors_ME = np.stack(user.vectors)
        weights_M = np.array(user.weights)
        if len(about_E) == vectors_ME.shape[1]:
            weights_M = weights_M * np.exp(self._settings.attention * (vectors_ME @ about_E))
        blended_E = weights_M @ vectors_ME
        length = float(np.linalg.norm(blended_E))
        return (blended_E / length).astype("<f2").tobytes() if length > 0 else None
