"""Names that follow from an event: the decision's id and the seed of its draw. Both are the same on every machine."""

from hashlib import blake2b


def decision_id(user_id: str, impression_id: str) -> str:
    """The id of the one decision for this impression of this user, 32 hexadecimal digits.

    >>> decision_id("u1", "i1") == decision_id("u1", "i1") != decision_id("u1i", "1")
    True
    """
    return _hash(user_id, impression_id).hexdigest()


def decision_seed(run_seed: int, decision: str) -> int:
    """The seed of a decision's draw, a whole number in [0, 2**53), exact in any JSON reader."""
    return int.from_bytes(_hash(str(run_seed), decision).digest()[:8], "big") >> 11


def _hash(*parts: str) -> blake2b:
    state = blake2b(digest_size=16)
    for part in parts:
        content = part.encode()
        state.update(len(content).to_bytes(8, "big") + content)
    return state
