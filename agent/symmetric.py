"""Quadratic forms in crossed features, at a quarter of their price.

A form (a x b)' V (a x b), V symmetric, is a sum over pairs of components of a and pairs of b. A pair and the same pair
the other way round stand for one product, so each side has W (W + 1) / 2 of them and not W^2. The same holds the other
way: sums of (a x b) (a x b)' over rows are made of sums over such pairs.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[Any]
Places = NDArray[np.int64]


def pairs(side_WN: Array) -> Array:
    """The products [W (W + 1) / 2, N] of each two components, in the order of `np.triu_indices`.

    >>> pairs(np.array([[2.0], [3.0]])).ravel().tolist()
    [4.0, 6.0, 9.0]
    """
    one_H, other_H = _ends(len(side_WN))
    pair_HN: Array = side_WN.take(one_H, axis=0)
    pair_HN *= side_WN.take(other_H, axis=0)
    return pair_HN


def folded(form_cc: Array, width: int, height: int) -> Array:
    """What to multiply pairs with, [pairs of a, pairs of b]: a form [c, c] of crossed features, c = width * height.

    >>> a_I, b_J = np.array([[1.0], [2.0]]), np.array([[1.0], [3.0], [5.0]])
    >>> form_cc = np.arange(36.0).reshape(6, 6) + np.arange(36.0).reshape(6, 6).T
    >>> crossed_c = np.outer(a_I, b_J).ravel()
    >>> float(crossed_c @ form_cc @ crossed_c), float(pairs(a_I)[:, 0] @ folded(form_cc, 2, 3) @ pairs(b_J)[:, 0])
    (35154.0, 35154.0)
    """
    straight_HK, swapped_HK = _places(width, height)
    flat = np.ascontiguousarray(form_cc).ravel()
    folded_HK: Array = np.take(flat, straight_HK)
    folded_HK += np.take(flat, swapped_HK)
    folded_HK *= _times(width)[:, None]
    folded_HK *= 2.0 * _times(height)
    return folded_HK.astype(form_cc.dtype, copy=False)


def unfolded(sum_HK: Array, width: int, height: int) -> Array:
    """The matrix [c, c] of crossed features whose entries are sums over pairs of a and pairs of b.

    >>> a_I, b_J = np.array([[1.0], [2.0]]), np.array([[1.0], [3.0], [5.0]])
    >>> crossed_c = np.outer(a_I, b_J).ravel()
    >>> bool((unfolded(pairs(a_I) @ pairs(b_J).T, 2, 3) == np.outer(crossed_c, crossed_c)).all())
    True
    """
    matrix_cc: Array = np.take(np.ascontiguousarray(sum_HK).ravel(), _whole(width, height))
    return matrix_cc


def product(one_XY: Array, other_YN: Array) -> Array:
    """The product of two matrices by torch, whose library is the faster one for large ones."""
    return (torch.from_numpy(one_XY) @ torch.from_numpy(other_YN)).numpy()


@lru_cache
def _ends(width: int) -> tuple[Places, Places]:
    """Both components of each pair."""
    one_H, other_H = np.triu_indices(width)
    return one_H, other_H


@lru_cache
def _times(width: int) -> NDArray[np.float32]:
    """How often each pair counts, of the two ways round: half where both components are one."""
    one_H, other_H = _ends(width)
    return np.where(one_H == other_H, np.float32(0.5), np.float32(1.0))


@lru_cache
def _places(width: int, height: int) -> tuple[Places, Places]:
    """Where the entries of a form [c, c] lie that a pair of a and a pair of b share: V_ij,i'j' and V_i'j,ij'."""
    i_H, k_H = (each[:, None] for each in _ends(width))
    j_K, l_K = _ends(height)
    crossed = width * height
    return (i_H * height + j_K) * crossed + k_H * height + l_K, (k_H * height + j_K) * crossed + i_H * height + l_K


@lru_cache
def _whole(width: int, height: int) -> Places:
    """Where the sum lies that each entry of a matrix [c, c] is."""
    of_II, of_JJ = _number(width), _number(height)
    place_IJIJ = of_II[:, None, :, None] * (height * (height + 1) // 2) + of_JJ[None, :, None, :]
    return place_IJIJ.reshape(width * height, width * height)


def _number(width: int) -> Places:
    """Which pair each two components are."""
    number_WW = np.zeros((width, width), np.int64)
    one_H, other_H = _ends(width)
    number_WW[one_H, other_H] = number_WW[other_H, one_H] = np.arange(len(one_H))
    return number_WW
