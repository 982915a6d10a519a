"""Training rows in columns: R resolved slots with what was seen and what came of it."""

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.errors import FeatureError
from envs.protocols import Floats


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of equal length R.

    Attributes:
        context_RC: context vectors at decision time.
        user_RU: user vectors at decision time, as logged.
        candidate_RD: vectors of the shown items.
        item_R: key of each shown item, see `envs.keys`.
        user_R: key of each row's user.
        reward_R: rewards in [0, 1].
        propensity_R: propensities of the shown items; NaN where unknown.
        slot_R: the slot that each item was shown in, 0 the first.
        alike_R: how much each item resembles those above it in its slate, the largest cosine; 0 in the first slot.
        weight_R: how many rows each counts for; with the mean of their rewards one can stand for many.
        group_R: key of what each row's context shares with others, see `envs.keys`; 0 where it shares nothing.
        exploring_R3: level of exploring, its expected cost, and lost reward, see `envs.exploring`; NaN where untold.

    Raises:
        FeatureError: the columns differ in length.
    """

    context_RC: Floats
    user_RU: Floats
    candidate_RD: Floats
    item_R: NDArray[np.int64]
    user_R: NDArray[np.int64]
    reward_R: Floats
    propensity_R: NDArray[np.float64]
    slot_R: NDArray[np.int64]
    alike_R: Floats
    weight_R: Floats
    group_R: NDArray[np.int64]
    exploring_R3: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 3)))

    def __post_init__(self) -> None:
        if not len(self.exploring_R3):
            object.__setattr__(self, "exploring_R3", np.full((len(self.reward_R), 3), np.nan))
        lengths = {name: len(column) for name, column in self.columns().items()}
        if len(set(lengths.values())) != 1:
            raise FeatureError(f"rows must have columns of equal length; got {lengths}")

    def __len__(self) -> int:
        return len(self.reward_R)

    def columns(self) -> dict[str, NDArray[Any]]:
        """The columns by name, as a learner's batch wants them."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def __getitem__(self, rows: slice) -> "Rows":
        return Rows(**{name: column[rows] for name, column in self.columns().items()})

    def where(self, keep_R: NDArray[np.bool_] | NDArray[np.int64]) -> "Rows":
        """The rows for which `keep_R` is true, or at such places."""
        return Rows(**{name: column[keep_R] for name, column in self.columns().items()})

    @staticmethod
    def concatenate(parts: "list[Rows]") -> "Rows":
        """All rows of one or more parts, in their order."""
        names = parts[0].columns()
        return Rows(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
