"""Keys by place, against a dict: put, moved, removed, and put again."""

import numpy as np
import pytest

from agent.key_index import KeyIndex


def keys(random, count, spread):
    return np.unique(random.integers(-spread, spread, 2 * count))[:count]


@pytest.mark.parametrize("spread", [300, 2**62])
@pytest.mark.parametrize("seed", range(5))
def test_it_holds_what_a_dict_holds(spread, seed):
    random, index, held = np.random.default_rng(seed), KeyIndex(), {}
    for _ in range(60):
        put_M = random.permutation(keys(random, int(random.integers(0, 90)), spread))
        place_M = random.integers(0, 10_000, len(put_M))
        index.put(put_M, place_M)
        held |= dict(zip(put_M.tolist(), place_M.tolist(), strict=True))
        gone = random.permutation(np.array(sorted(held), dtype=np.int64))[: int(random.integers(0, 60))]
        index.remove(gone)
        held = {key: place for key, place in held.items() if key not in set(gone.tolist())}
        asked = np.concatenate([keys(random, 50, spread), gone, np.array(list(held), dtype=np.int64), [0]])
        assert index.find(asked).tolist() == [held.get(key, -1) for key in asked.tolist()]
        assert len(index) == len(held)
    index.clear()
    assert (index.find(asked) == -1).all()
    assert len(index) == 0


def test_keys_that_all_want_one_bucket_lie_in_the_next_ones():
    index, inverse = KeyIndex(), pow(0x9E3779B97F4A7C15, -1, 1 << 64)  # keys that multiply to 1, 2, 3 ...
    same = np.array([number * inverse % (1 << 64) for number in range(1, 31)], dtype=np.uint64).view(np.int64)
    index.put(same, np.arange(30))
    assert index.find(same).tolist() == list(range(30))
    index.remove(same[::2])
    assert index.find(same).tolist() == [-1 if place % 2 == 0 else place for place in range(30)]
    index.put(same[:1], np.array([77]))
    assert index.find(same[:2]).tolist() == [77, 1]


def test_many_keys_come_and_go_and_the_room_stays():
    index = KeyIndex()
    for start in range(0, 50_000, 50):
        index.put(np.arange(start, start + 50), np.arange(50))
        index.remove(np.arange(start, start + 50))
    assert len(index) == 0
    assert len(index._key_S) <= 2_048


def test_a_full_table_that_evicts_is_never_built_anew():
    index, random = KeyIndex(), np.random.default_rng(3)
    key_M = keys(random, 16_000, 2**62)
    for part in range(0, 16_000, 100):
        index.put(key_M[part : part + 100], np.arange(part, part + 100))
    built = index.built
    assert built == 8  # 512 slots have room for the first 100 keys, 65,536 for all
    for _ in range(100):  # a sixteenth goes at a time, as in `Table`: 100,000 keys in all
        gone = random.permutation(16_000)[:1_000]
        index.remove(key_M[gone])
        key_M[gone] = keys(random, 1_000, 2**62)
        index.put(key_M[gone], gone)
    assert index.built == built
    assert index.find(key_M).tolist() == list(range(16_000))
    assert int((index._place_S >= 0).sum()) == len(index) == 16_000  # and no other slot is taken
