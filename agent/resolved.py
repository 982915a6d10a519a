"""Closed outcomes as training rows that know where they come from."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.errors import FeatureError
from envs.features import Featurizer
from envs.rows import Rows
from stream.events import Outcome
from stream.meter import Meter

_log = logging.getLogger("streambandit.learner")


class Span(NamedTuple):
    """A stretch of one partition of the outcomes: everything in it that is an outcome was handed over.

    Attributes:
        partition: which one.
        start: its first offset. What lies before was there before this stretch began.
        stop: the offset after its last. Transaction markers take offsets, so the next stretch may begin with one.
    """

    partition: int
    start: int
    stop: int


@dataclass(frozen=True)
class Resolved:
    """Closed outcomes as training rows, with the position of each row's outcome in the log, after its commit."""

    rows: Rows
    partition_R: NDArray[np.int64]
    offset_R: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: slice) -> "Resolved":
        return Resolved(self.rows[index], self.partition_R[index], self.offset_R[index])

    def where(self, keep_R: NDArray[np.bool_]) -> "Resolved":
        """The rows for which `keep_R` is true."""
        return Resolved(self.rows.where(keep_R), self.partition_R[keep_R], self.offset_R[keep_R])

    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Partition and offset of each row's outcome."""
        return self.partition_R, self.offset_R

    @staticmethod
    def concatenate(parts: "list[Resolved]") -> "Resolved":
        """All of one or more parts, in their order."""
        return Resolved(
            Rows.concatenate([part.rows for part in parts]),
            np.concatenate([part.partition_R for part in parts]),
            np.concatenate([part.offset_R for part in parts]),
        )


class Placed(NamedTuple):
    """An outcome and where it lies."""

    outcome: Outcome
    partition: int
    offset: int


def resolve(featurizer: Featurizer, placed: Sequence[Placed], meter: Meter) -> Resolved:
    """The rows of outcomes, in their order; those that do not fit the features are left out.

    That happens where the settings had another layout of features when they were decided.

    Args:
        featurizer: makes the rows.
        placed: the outcomes.
        meter: counts `outcomes_missed` with the label `unfit`.

    Raises:
        EncoderError: the encoder did not answer.
    """
    try:
        return _resolve(featurizer, placed)
    except FeatureError:
        fitting = [each for each in placed if _fits(featurizer, each)]
        meter.count("outcomes_missed", len(placed) - len(fitting), label="unfit")
        return _resolve(featurizer, fitting)


def _resolve(featurizer: Featurizer, placed: Sequence[Placed]) -> Resolved:
    slots = [len(each.outcome.rewards) for each in placed]
    return Resolved(
        featurizer.rows([each.outcome for each in placed]),
        np.repeat(np.array([each.partition for each in placed], dtype=np.int64), slots),
        np.repeat(np.array([each.offset for each in placed], dtype=np.int64), slots),
    )


def _fits(featurizer: Featurizer, placed: Placed) -> bool:
    try:
        featurizer.rows([placed.outcome])
    except FeatureError as error:
        _log.warning("outcomes[%d]@%d does not fit the features: %s", placed.partition, placed.offset, error)
        return False
    return True
