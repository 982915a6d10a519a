"""Numeric features as real ones are: correlated columns, a few directions that hold most of the variance."""

import numpy as np

from deploy.bench.rounds import Features, Floats

_DECAY = 1.5


def mixing(rng: np.random.Generator, columns: int) -> Floats:
    """A matrix M [D, D] that turns independent normals g into features g·M of unit variance.

    The variance of the j-th direction is proportional to j^-1.5, as in the spectra of real tables.
    """
    rotation_DD, _ = np.linalg.qr(rng.standard_normal((columns, columns)))
    spread_D = np.arange(1, columns + 1) ** (-0.5 * _DECAY)
    mixed_DD = spread_D[:, None] * rotation_DD
    return np.asarray(mixed_DD / np.linalg.norm(mixed_DD, axis=0), dtype=np.float64)


class HeavyTails:
    """Turns features of unit variance into raw ones: wide tails, and scales from 0.001 to 10,000.

    A third of the columns stays normal (with an offset), a third becomes lognormal, a third gets the tails of
    Student's t with 3 degrees of freedom: each value is divided by its own random magnitude.

    Args:
        rng: draws the scales and offsets.
        columns: D.
    """

    def __init__(self, rng: np.random.Generator, columns: int) -> None:
        self._scale_D = 10.0 ** rng.uniform(-3.0, 4.0, columns)
        self._offset_D = rng.normal(0.0, 3.0, columns)
        self._kind_D = rng.permutation(np.arange(columns) % 3)

    def raw(self, latent_ND: Features, normal_N3D: Floats) -> Features:
        """The raw features [N, D] of N latent ones; three independent normals make the magnitude of each value."""
        value_ND = latent_ND.astype(np.float64)
        magnitude_ND = np.sqrt((normal_N3D**2).mean(axis=1))
        value_ND = np.where(self._kind_D == 0, value_ND + self._offset_D, value_ND)
        value_ND = np.where(self._kind_D == 1, np.exp(value_ND), value_ND)
        value_ND = np.where(self._kind_D == 2, value_ND / magnitude_ND, value_ND)
        return (value_ND * self._scale_D).astype(np.float32)
