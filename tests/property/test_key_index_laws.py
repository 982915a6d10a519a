"""Laws of the index of keys: it says what a dict says, and nothing of a key that was removed stays in it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.key_index import KeyIndex

LAW = settings(deadline=None, max_examples=200)  # a busy machine breaks no law
INVERSE = pow(0x9E3779B97F4A7C15, -1, 1 << 64)


def multiplied(number):
    """The key that is multiplied to a number: a small one wants the first bucket, a small negative one the last."""
    return int(np.uint64(number * INVERSE % (1 << 64)).view(np.int64))


CROWD = [multiplied(-number) for number in range(1, 25)]  # fill the last bucket, the first and the second
KEYS = st.one_of(st.sampled_from(CROWD), st.integers(0, 9).map(multiplied), st.integers(-(2**63), 2**63 - 1))
BATCHES = st.one_of(st.lists(KEYS, unique=True, max_size=24), st.integers(0, 24).map(lambda size: CROWD[:size]))
STEPS = st.lists(st.tuples(st.booleans(), BATCHES), max_size=12)


def as_keys(numbers):
    return np.array(numbers, dtype=np.int64)


@LAW
@given(steps=STEPS, asked=st.lists(KEYS, max_size=12))
def test_it_says_what_a_dict_says(steps, asked):
    index, held, met = KeyIndex(), {}, set()
    for turn, (adds, keys) in enumerate(steps):
        if adds:
            places = range(100 * turn, 100 * turn + len(keys))
            index.put(as_keys(keys), np.array(places))
            held |= dict(zip(keys, places, strict=True))
        else:
            gone = [key for key in keys if key in held]
            index.remove(as_keys(gone))
            held = {key: place for key, place in held.items() if key not in gone}
        met |= set(keys)
        everything = [*met, *asked]
        assert index.find(as_keys(everything)).tolist() == [held.get(key, -1) for key in everything]
        assert len(index) == len(held)


@LAW
@given(steps=STEPS)
def test_once_all_are_removed_it_is_as_it_was_when_it_had_the_room(steps):
    index = KeyIndex()
    index.put(np.arange(1, 17), np.arange(16))  # as full as 64 slots may be
    index.remove(np.arange(1, 17))
    held = set()
    for adds, keys in steps:
        these = [key for key in keys if (key in held) != adds]
        these = these[: 16 - len(held)] if adds else these
        (index.put(as_keys(these), np.arange(len(these))) if adds else index.remove(as_keys(these)))
        held = held | set(these) if adds else held - set(these)
    index.remove(as_keys(sorted(held)))
    fresh = KeyIndex()
    assert index.built == 0
    assert index._place_S.tolist() == fresh._place_S.tolist()
    assert index._key_S.tolist() == fresh._key_S.tolist()
