"""Which texts go through a model together: as few runs as possible, and as little padding."""

from collections.abc import Sequence

_RUN_TOKENS = 12  # what a run costs beside its tokens, in tokens: fitted to MiniLM, 1 to 32 texts of 6 to 30 tokens


def groups_of(lengths: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Cuts texts, ordered by length, into groups of at most `most`: (start, stop) of each.

    A group of n texts costs as many tokens as n times its longest, and a run. Of every `most` texts in a row the
    cheapest cut is found; it lies where the length changes.

    Args:
        lengths: tokens of each text, ascending.
        most: texts in a group.

    >>> groups_of([4, 4, 4, 4, 30], most=32), groups_of([4, 4, 5], most=32), groups_of([4, 4, 5], most=2)
    ([(0, 4), (4, 5)], [(0, 3)], [(0, 2), (2, 3)])
    """
    found = []
    for start in range(0, len(lengths), most):
        part = lengths[start : start + most]
        found += [(start + first, start + last) for first, last in _cheapest(part)]
    return found


def _cheapest(lengths: Sequence[int]) -> list[tuple[int, int]]:
    ends = [place for place in range(1, len(lengths)) if lengths[place] > lengths[place - 1]] + [len(lengths)]
    cost, came = {0: 0}, {0: 0}  # of the cheapest groups up to each end, and where the last of them begins
    for end in ends:
        longest = lengths[end - 1]
        cost[end], came[end] = min((cost[first] + (end - first) * longest + _RUN_TOKENS, first) for first in cost)
    groups, end = [], len(lengths)
    while end:
        groups.append((came[end], end))
        end = came[end]
    return groups[::-1]
