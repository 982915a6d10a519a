"""What the environment needs of the outside, passed in by whoever composes it."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stream.events import Knew

Floats = NDArray[np.float32]


class Encoder(Protocol):
    """Turns texts into vectors of unit length. `version` names weights, pooling, length and engine."""

    @property
    def dim(self) -> int:
        """E, the length of an embedding."""
        ...

    @property
    def version(self) -> str:
        """A short hash that changes whenever an embedding could."""
        ...

    def encode(self, texts: Sequence[str]) -> Floats:
        """The embeddings [N, E] of N texts, each of unit length; of an empty text the zero vector."""
        ...


class Interests(Protocol):
    """What is known of users: a bounded store, updated with every joined click and every close."""

    def read(self, user_id: str, ts_ms: int, about_E: Floats) -> Knew:
        """What is known of a user now, with the interest that is closest to `about_E` weighing most."""
        ...

    def clicked(self, user_id: str, ts_ms: int, item_E: Floats) -> None:
        """Takes in a joined click."""
        ...

    def passed(self, user_id: str, ts_ms: int) -> None:
        """Takes in a decision that closed without a click."""
        ...
