"""The cache of embeddings: what is known is not asked again, what is new is asked once, and it is bounded."""

import numpy as np
import pytest

from agent.encoder.cache import CachedEncoder
from stream.meter import Tally


class CountingEncoder:
    """An `Encoder` that remembers what it was asked, and refuses to be asked twice in one call."""

    dim, version = 2, "counting"

    def __init__(self):
        self.asked = []

    def encode(self, texts):
        assert len(texts) == len(set(texts)) > 0
        self.asked.append(list(texts))
        return np.array([[len(text), text.count("a")] for text in texts], np.float32)


@pytest.fixture
def inner():
    return CountingEncoder()


def cached(inner, capacity=100):
    return CachedEncoder(lambda: inner, capacity, Tally())


def counted(encoder):
    return {label: count for (_, label), count in encoder.meter.counters.items()}


def test_vectors_come_in_the_order_of_the_texts_whatever_was_known(inner):
    encoder = cached(inner)
    encoder.encode(["aa"])
    assert encoder.encode(["b", "aa", "", "b"]).tolist() == [[1, 0], [2, 2], [0, 0], [1, 0]]


def test_every_unknown_text_is_asked_once(inner):
    encoder = cached(inner)
    encoder.encode(["a", "b", "a"])
    encoder.encode(["b", "c", "a"])
    encoder.encode(["c"])
    assert inner.asked == [["a", "b"], ["c"]]
    assert counted(encoder) == {"miss": 3, "hit": 1 + 2 + 1}


def test_the_least_recently_used_text_goes_first(inner):
    encoder = cached(inner, capacity=2)
    encoder.encode(["a", "b"])
    encoder.encode(["a"])
    encoder.encode(["c"])  # b goes
    encoder.encode(["a"])
    encoder.encode(["b"])
    assert inner.asked == [["a", "b"], ["c"], ["b"]]
    assert len(encoder) == 2


def test_a_batch_larger_than_the_cache_is_still_answered_and_asked_once(inner):
    encoder = cached(inner, capacity=2)
    encoder.encode(["x", "y"])
    texts = [f"{'a' * number}" for number in range(5)] + ["x"]
    assert encoder.encode(texts)[:, 0].tolist() == [0, 1, 2, 3, 4, 1]
    assert inner.asked[1:] == [texts[:5]]
    assert len(encoder) == 2


def test_no_texts_are_no_vectors_of_the_right_length(inner):
    assert cached(inner).encode([]).shape == (0, 2)
    assert inner.asked == []


def test_the_encoder_is_opened_when_it_is_first_needed_and_once(inner):
    opened = []
    encoder = CachedEncoder(lambda: opened.append(1) or inner, 10)
    assert opened == []
    encoder.encode(["a"])
    assert (encoder.dim, encoder.version, opened) == (2, "counting", [1])


def test_what_is_handed_out_can_be_changed_without_changing_what_is_kept(inner):
    encoder = cached(inner)
    for _ in range(2):
        vectors = encoder.encode(["aa"])
        assert vectors.tolist() == [[2, 2]]
        vectors[:] = 0


def test_texts_that_look_alike_are_not_the_same(inner):
    encoder = cached(inner)
    encoder.encode(["\u00e9", "e\u0301", "E", "e"])  # an é in one character and in two
    assert len(encoder) == 4


def test_a_long_text_is_known_again_and_does_not_stay_in_memory(inner):
    encoder = cached(inner)
    text = "a" * 1_000_000
    for _ in range(2):
        assert encoder.encode(["a", text]).tolist() == [[1, 1], [1_000_000, 1_000_000]]
    assert inner.asked == [["a", text]]
    assert counted(encoder) == {"miss": 2, "hit": 2}
    assert max(map(len, encoder._row_of)) < 100


def test_memory_follows_what_is_known_up_to_the_capacity(inner):
    encoder = cached(inner, capacity=3_000)
    sizes = []
    for start in (0, 1_000, 2_000, 3_000, 4_000):
        encoder.encode([f"a{number}" for number in range(start, start + 1_000)])
        sizes.append(len(encoder._table_XE))
    assert sizes == [1_024, 2_048, 3_000, 3_000, 3_000]
    assert encoder.encode(["a4999", "a2000"]).tolist() == [[5, 1], [5, 1]]
    assert len(inner.asked) == 5
