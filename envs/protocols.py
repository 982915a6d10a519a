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
        """The embeddings [N, E] of N texts, each of unit length; of an empty text the zero vector.

        Where the encoder reads the manner of texts, that stands behind the embeddings: [N, E + W], see `manner_of`.
        """
        ...


def manner_of(encoder: Encoder) -> int:
    """W, how many numbers tell how a text is written, beside what it says: an encoder's `manner`, 0 without one."""
    return int(getattr(encoder, "manner", 0))


class Known(Protocol):
    """Tells what is known of users."""

    def read(self, user: str, ts_ms: int, about_E: Floats) -> Knew:
        """What is known of a user now, with the interest that is closest to `about_E` weighing most."""
        ...


class Interests(Known, Protocol):
    """What is known of the users of one partition. Users and decisions go by the keys that are used inside."""

    def clicked(self, user: str, decision: str, ts_ms: int, item_E: Floats) -> int:
        """Takes in a click that was joined to an open decision; it counts at once, until the decision closes.

        Returns:
            How many older clicks had to make room to stay within the bound.
        """
        ...

    def closed(self, user: str, decision: str, clicks: Sequence[tuple[int, Floats]]) -> int:
        """Settles a decision: its clicks, by time, as (time, item), or that there was none.

        Returns:
            How many users had to be forgotten to stay within the bound.
        """
        ...

    def __len__(self) -> int:
        """Users that something is settled of."""
        ...


class UserStores(Protocol):
    """Where the users of each partition are found when a runner gets it, and kept while it has it."""

    def open(self, partition: int, end: int, space: str) -> tuple[Interests, int]:
        """The users of a partition as last saved, and the first outcome that they do not hold yet.

        Args:
            partition: its number.
            end: the offset after the last outcome of the partition; what was saved beyond it is left out.
            space: names the space of the interest vectors; what was saved in another one is left out.
        """
        ...

    def committed(self, partition: int, interests: Interests, outcomes_next: int, space: str) -> None:
        """Told after each commit: the users as they are with all outcomes before `outcomes_next`; may save them."""
        ...

    def close(self) -> None:
        """Saves what was told last and is not saved yet; safe to call twice."""
        ...
