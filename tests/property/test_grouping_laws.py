"""Texts that go through the model together: each once, in order, in groups that nothing cheaper can replace."""

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from agent.encoder.grouping import _RUN_TOKENS, groups_of

Lengths = st.lists(st.integers(2, 64), max_size=40).map(sorted)


def cost(groups, lengths):
    return sum((stop - start) * lengths[stop - 1] + _RUN_TOKENS for start, stop in groups)


@given(Lengths, st.integers(1, 8))
def test_every_text_is_in_one_group_of_at_most_so_many(lengths, most):
    groups = groups_of(lengths, most)
    assert [place for start, stop in groups for place in range(start, stop)] == list(range(len(lengths)))
    assert all(0 < stop - start <= most for start, stop in groups)


@given(st.lists(st.integers(2, 64), min_size=1, max_size=8).map(sorted))
def test_no_other_cut_of_a_batch_is_cheaper(lengths):
    inner = range(1, len(lengths))
    cuts = (cut for count in range(len(lengths)) for cut in combinations(inner, count))
    best = min(cost(list(pairwise((0, *cut, len(lengths)))), lengths) for cut in cuts)
    assert cost(groups_of(lengths, len(lengths)), lengths) == best
