"""Preprocessing: robust scales, clipping, and a projection onto a few components, fitted on resolved rows.

Each block of columns (text, numeric features, interest, ...) is scaled by itself and weighs as much as any other of
at least `rank` columns, so that 384 embedding columns do not drown 16 numeric ones, nor the other way round.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.symmetric import product
from envs.protocols import Floats

Doubles = NDArray[np.float64]
_CLIP = 5.0
_LONGEST = 2.0  # root mean square of a row's components, at most
_HEAVY_TAIL = 9.0
_MANY = 100_000
_COMMON_SCALE_RATIO = 10.0


@dataclass(frozen=True, slots=True)
class Rank:
    """How many components are kept: the fewest that explain a share of the variance, within bounds.

    `further` are those behind `most` that are kept apart.
    """

    least: int
    most: int
    explained: float
    further: int = 0


class _Read(NamedTuple):
    """What a projection is worked out from: its buffers as arrays, and the lengths that rows are shortened to."""

    center: Floats
    scale: Floats
    heavy: NDArray[np.int64]
    weights_XC: Floats
    offset: Floats
    longest: float
    longest_further: float


class Projection(nn.Module):
    """x -> components, with mean square 1 a component; zero before it is fitted. Shapes never change.

    Args:
        blocks: columns of each block; they lie one after the other.
        rank: bounds of the number of components; unused ones stay 0.

    Attributes:
        width: leading components.
        further: components behind them, see `both`.
        moves: how often the buffers have changed.
    """

    center: Tensor
    scale: Tensor
    heavy: Tensor
    weights: Tensor
    offset: Tensor
    active: Tensor

    def __init__(self, blocks: Sequence[int], rank: Rank) -> None:
        super().__init__()
        self._blocks = tuple(blocks)
        self._rank = rank
        columns = sum(blocks)
        self.width = min(rank.most, columns)
        self.further = min(rank.further, columns - self.width)
        every = self.width + self.further
        self.register_buffer("center", torch.zeros(columns))
        self.register_buffer("scale", torch.ones(columns))
        self.register_buffer("heavy", torch.zeros(columns, dtype=torch.bool))
        self.register_buffer("weights", torch.zeros(columns, every))
        self.register_buffer("offset", torch.zeros(every))
        self.register_buffer("active", torch.zeros(every, dtype=torch.bool))
        self.moves = 0
        self.moved()

    def moved(self) -> None:
        """Says that the buffers changed."""
        self.moves += 1
        ends = (slice(0, self.width), slice(self.width, None))
        self._read = _Read(
            self.center.numpy().copy(),
            self.scale.numpy().copy(),
            np.flatnonzero(self.heavy.numpy()),
            np.ascontiguousarray(self.weights.numpy().T),
            self.offset.numpy().copy(),
            *(_LONGEST * max(int(self.active[end].sum()), 1) ** 0.5 for end in ends),
        )

    def forward(self, values: Tensor) -> Tensor:
        """Leading components [R, width] of values [R, columns]."""
        return torch.from_numpy(self.leading(values.numpy()))

    def leading(self, values: Floats) -> Floats:
        """As `forward`, of arrays."""
        read, width = self._read, self.width
        components_XR = _times(read.weights_XC[:width], self._squash(values))
        components_XR -= read.offset[:width, None]
        _shorten(components_XR, read.longest)
        return components_XR.T

    def both(self, values: Floats) -> tuple[Floats, Floats]:
        """Leading components [R, width] and further ones, shortened where they lie far outside of what was fitted."""
        if not self.further:
            return self.leading(values), values[:, :0]
        read = self._read
        components_XR = _times(read.weights_XC, self._squash(values))
        components_XR -= read.offset[:, None]
        leading_XR, more_XR = components_XR[: self.width], components_XR[self.width :]
        _shorten(leading_XR, read.longest)
        _shorten(more_XR, read.longest_further)
        return leading_XR.T, more_XR.T

    def squash(self, values: Tensor) -> Tensor:
        """Centred, scaled and clipped columns; those with a heavy tail go through asinh."""
        return torch.from_numpy(self._squash(values.numpy()))

    def _squash(self, values: Floats) -> Floats:
        read = self._read
        z: Floats = values - read.center
        z /= read.scale
        tails = 1.1 * np.arcsinh(z[:, read.heavy]) if len(read.heavy) else None
        z.clip(-_CLIP, _CLIP, out=z)
        if tails is not None:
            z[:, read.heavy] = np.clip(tails, -4.0, 4.0)
        return z

    def fit(self, values: NDArray[np.float32]) -> None:
        """Fits scales and components to rows [R, columns]; a column that never varies is left out."""
        center, scale, heavy = _scales(values.astype(np.float64), self._blocks)
        self.center.copy_(torch.from_numpy(center))
        self.scale.copy_(torch.from_numpy(scale))
        self.heavy.copy_(torch.from_numpy(heavy))
        self.moved()
        squashed = self._squash(values).astype(np.float64)
        found, mean, kept = _components(squashed, self._blocks, self._rank)
        self.weights.zero_()
        self.offset.zero_()
        self.weights[:, : found.shape[1]] = torch.from_numpy(found)
        self.offset[: found.shape[1]] = torch.from_numpy(mean @ found)
        self.active.copy_(torch.arange(len(self.active)) < kept)
        self.moved()

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - torch's signature
        super()._load_from_state_dict(*args, **kwargs)
        self.moved()


def _scales(values: Doubles, blocks: Sequence[int]) -> tuple[Doubles, Doubles, NDArray[np.bool_]]:
    low, center, high, tail = np.quantile(np.ascontiguousarray(values.T), (0.25, 0.5, 0.75, 0.995), axis=1)
    deviation = values.std(axis=0)
    scale = (high - low) / 1.349
    scale = np.where(scale > 1e-3 * deviation, scale, deviation)  # a sparse column has no spread between its quartiles
    scale = np.where(scale > 0, scale, 1.0)
    for block in _slices(blocks):
        varying = scale[block][deviation[block] > 0]
        if not len(varying):
            continue
        # Deciles that are columns: of a narrow block the widest and the narrowest.
        wide, narrow = np.quantile(varying, 0.9, method="higher"), np.quantile(varying, 0.1, method="lower")
        if wide <= _COMMON_SCALE_RATIO * narrow:
            scale[block] = np.sqrt(np.mean(varying**2))
    heavy = (tail - center) / scale > _HEAVY_TAIL
    return center, scale, heavy


def _components(values: Doubles, blocks: Sequence[int], rank: Rank) -> tuple[Doubles, Doubles, int]:
    """Weights [columns, kept] of the leading and the further components, each scaled to a mean square of 1, and means.

    There are further ones only where as many leading ones are kept as may be.
    """
    mean = values.mean(axis=0)
    block_scale = np.zeros(values.shape[1])
    for block in _slices(blocks):
        variance = float(values[:, block].var(axis=0).sum())
        share = min(1.0, (block.stop - block.start) / rank.most)
        block_scale[block] = np.sqrt(share / variance) if variance > 0 else 0.0
    centred = (values - mean) * block_scale
    eigenvalues, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    eigenvalues, vectors = np.maximum(eigenvalues[::-1], 0.0), vectors[:, ::-1]
    total = eigenvalues.sum()
    if total <= 0:
        return np.zeros((values.shape[1], 0)), mean, 0
    enough = int(np.searchsorted(np.cumsum(eigenvalues) / total, rank.explained - 1e-12)) + 1
    real = int((eigenvalues > 1e-9 * eigenvalues[0]).sum())
    every = min(max(enough, rank.least), rank.most + rank.further, real)
    kept = min(every, rank.most)
    ends = [slice(0, kept), slice(kept, every)] if every > kept else [slice(0, kept)]
    scale = np.concatenate([np.full(end.stop - end.start, _unit(eigenvalues[end])) for end in ends])
    return block_scale[:, None] * vectors[:, :every] * scale, mean, every


def _unit(eigenvalues: Doubles) -> float:
    """What brings components of these variances to a mean square of 1 each."""
    return float(np.sqrt(len(eigenvalues) / eigenvalues.sum()))


def _times(weights_XC: Floats, z: Floats) -> Floats:
    """Components [X, R]; of many numbers by torch, which is up to twice as fast there and takes longer to begin."""
    components_XR: Floats = product(weights_XC, z.T) if z.size > _MANY else weights_XC @ z.T
    return components_XR


def _shorten(components_XR: Floats, longest: float) -> None:
    """Shortens rows that are too long, in place."""
    square_R = np.einsum("xr,xr->r", components_XR, components_XR)
    far_R = square_R > longest**2
    if far_R.any():
        components_XR[:, far_R] *= longest / np.sqrt(square_R[far_R])


def _slices(blocks: Sequence[int]) -> list[slice]:
    ends = np.cumsum(blocks)
    return [slice(int(end - width), int(end)) for width, end in zip(blocks, ends, strict=True) if width]
