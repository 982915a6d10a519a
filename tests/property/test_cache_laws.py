"""The cache of embeddings is a list ordered by use: the same answers, the same questions, the same ones forgotten."""

from collections import OrderedDict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.encoder.cache import CachedEncoder
from agent.encoder.recency import Recency

TEXTS = [f"text {number}" for number in range(8)] + ["long " * 100, "long " * 100 + "too"]


class Asked:
    """An `Encoder` that remembers what it was asked."""

    dim, version = 2, "asked"

    def __init__(self):
        self.calls = []

    def encode(self, texts):
        self.calls.append(list(texts))
        return np.array([[len(text), TEXTS.index(text)] for text in texts], np.float32)


def by_a_list(batches, capacity):
    """What a cache as an ordered list would have asked, and what it would know in the end, the oldest first."""
    known, calls = OrderedDict(), []
    for batch in batches:
        missing = [text for text in dict.fromkeys(batch) if text not in known]
        if missing:
            calls.append(missing)
        for text in batch:
            if text in known:
                known.move_to_end(text)
        known |= dict.fromkeys(missing)
        while len(known) > capacity:
            known.popitem(last=False)
    return calls, list(known)


@given(st.lists(st.lists(st.sampled_from(TEXTS), max_size=12), max_size=12), st.integers(1, 9))
def test_it_asks_and_forgets_like_a_list_ordered_by_use(batches, capacity):
    inner = Asked()
    encoder = CachedEncoder(lambda: inner, capacity)
    for batch in batches:
        found = encoder.encode(batch)
        assert found.tolist() == [[len(text), TEXTS.index(text)] for text in batch]
        assert len(encoder) <= capacity
    calls, known = by_a_list(batches, capacity)
    assert inner.calls == calls
    assert len(encoder) == len(known)


@given(st.lists(st.tuples(st.lists(st.integers(0, 199), min_size=1, max_size=30), st.integers(1, 200)), max_size=20))
def test_the_oldest_rows_are_those_that_were_used_before_all_others(steps):
    recency, order = Recency(200), OrderedDict.fromkeys(range(200))
    recency.use(np.arange(200))
    for rows, count in steps:
        recency.use(np.array(rows))
        for row in rows:
            order.move_to_end(row)
        assert recency.oldest(count).tolist() == list(order)[:count]
