"""Names that follow from an event: the id of a decision, the seed of its draw, the key of a user. The same anywhere."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import TypeVar

import msgspec

from stream.events import Click, Impression, Recommendation

_LAST = 4_096  # decisions: an id is asked for to draw, to record and to note a decision, soon after one another
U = TypeVar("U", Impression, Recommendation, Click)


@lru_cache(_LAST)
def decision_id(user_id: str, impression_id: str) -> str:
    """The id of the one decision for this impression of this user, 32 hexadecimal digits.

    >>> decision_id("u1", "i1") == decision_id("u1", "i1") != decision_id("u1i", "1")
    True
    """
    one, other = user_id.encode(), impression_id.encode()
    told = len(one).to_bytes(8, "big") + one + len(other).to_bytes(8, "big") + other
    return blake2b(told, digest_size=16).hexdigest()


def decision_key(user_id: str, impression_id: str) -> bytes:
    """What tells decisions apart in memory, 16 bytes; made for every event, so in fewer steps than the id.

    >>> decision_key("u1", "i1") == decision_key("u1", "i1") != decision_key("u1i", "1")
    True
    """
    return blake2b(f"{len(user_id)}:{user_id}{impression_id}".encode(), digest_size=16).digest()


def decision_seed(run_seed: int, decision: str) -> int:
    """The seed of a decision's draw, a whole number in [0, 2**53), exact in any JSON reader."""
    return decision_seeds(run_seed, [decision])[0]


def decision_seeds(run_seed: int, decisions: Sequence[str]) -> list[int]:
    """The seeds of the draws of several decisions."""
    run = str(run_seed).encode()
    begun = len(run).to_bytes(8, "big") + run
    told = [begun + len(each).to_bytes(8, "big") + each for each in map(str.encode, decisions)]
    return [int.from_bytes(blake2b(each, digest_size=16).digest()[:8], "big") >> 11 for each in told]


class Pseudonyms:
    """The key by which a user goes inside: the id itself, or, with a secret key, a keyed hash of it.

    Raw ids then stand in the inputs, the recommendations and the dead letters alone. Whoever has the key can find the
    pseudonym of a known id; nobody can find the id of a pseudonym without trying ids with the key.

    Args:
        secret: the key; None leaves ids as they are.

    >>> Pseudonyms(None)("u1")
    'u1'
    >>> Pseudonyms(b"k")("u1") == Pseudonyms(b"k")("u1") != Pseudonyms(b"other")("u1")
    True

    References:
        BLAKE2 in its keyed mode: RFC 7693, section 2.9.
    """

    def __init__(self, secret: bytes | None) -> None:
        # The hash takes keys of up to 64 bytes; a longer secret counts in full.
        self._key = None if secret is None else blake2b(secret, digest_size=32, person=b"users").digest()
        self.name = "raw" if self._key is None else blake2b(b"name", key=self._key, digest_size=4).hexdigest()

    def __call__(self, user_id: str) -> str:
        """The key of a user, 32 hexadecimal digits where it is a pseudonym."""
        if self._key is None:
            return user_id
        return blake2b(user_id.encode(), key=self._key, digest_size=16).hexdigest()

    def of_impression(self, impression: Impression) -> Impression:
        """The impression with the user's key in place of the id."""
        return impression if self._key is None else _renamed(impression, self(impression.user_id))

    def of_recommendation(self, recommendation: Recommendation) -> Recommendation:
        """The recommendation with the user's key in place of the id."""
        return recommendation if self._key is None else _renamed(recommendation, self(recommendation.user_id))

    def of_clicks(self, clicks: Sequence[Click]) -> tuple[Click, ...]:
        """The clicks with the user's key in place of the id."""
        return tuple(clicks if self._key is None else (_renamed(click, self(click.user_id)) for click in clicks))


def _renamed(event: U, user: str) -> U:
    return msgspec.structs.replace(event, user_id=user)
