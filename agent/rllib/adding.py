"""Several learners added up: Ray actors that each sum a share of an update's rows at weights that all share.

The learner in the driver stays the only owner of what is learned. It linearises the rows, sends each worker its share,
works on the items meanwhile, adds the sums that come back and solves. Nothing is averaged: up to rounding the result is
that of one learner on all rows. A call carries its rows and only that call reads its answer, so no row counts twice.
"""

import logging
import os
from collections.abc import Callable
from functools import partial, reduce
from typing import Any, NamedTuple, Self

import numpy as np
import ray
import torch
from numpy.typing import NDArray
from ray.exceptions import GetTimeoutError, RayError

from agent.crossed_rows import CrossedRows, Sums
from agent.policy import Policy
from agent.row_sums import WeightedRows
from envs.protocols import Floats
from stream.meter import Meter

_DEADLINE_S = 10.0
_log = logging.getLogger("streambandit.learner")


class Share(NamedTuple):
    """What a worker reads of R rows; sides in single precision, as the policy makes them."""

    context_IR: Floats
    item_JR: Floats
    similarity_SR: Floats
    curvature_R: NDArray[np.float64]
    pull_R: NDArray[np.float64]

    @classmethod
    def of(cls, rows: WeightedRows) -> Self:
        """The share as arrays."""
        context_IR, item_JR, similarity_SR = (side.astype(np.float32) for side in rows.rows.sides)
        return cls(context_IR, item_JR, similarity_SR, rows.curvature_R, rows.pull_R)


class SummingWorker:
    """Adds up shares, with one thread and nothing kept in between."""

    def __init__(self) -> None:
        torch.set_num_threads(1)

    def ready(self) -> int:
        """The id of its process."""
        return os.getpid()

    def sums(self, share: Share) -> Sums:
        """The sums of a share, in double precision."""
        rows = CrossedRows(*(side.astype(np.float64) for side in share[:3]))
        return WeightedRows(rows, share.curvature_R, share.pull_R).sums()


class Workers:
    """An `Adding` that gives each of n workers one share of the rows.

    A worker that died, failed or did not answer in time has its share added up here. It is asked for a sign of life
    from then on, and for shares again once it gave one; one that did not answer in time is ended first, and Ray starts
    it anew. A copy of the policy uses the same workers.

    Args:
        count: n.
        meter: counts `learner_shares` by who added them up.
        deadline_s: time to answer for a share.
    """

    def __init__(self, count: int, meter: Meter, deadline_s: float = _DEADLINE_S) -> None:
        actor: Any = ray.remote(num_cpus=0, max_restarts=-1, scheduling_strategy="SPREAD")(SummingWorker)
        self._actors: list[Any] = [actor.remote() for _ in range(count)]
        self._signs: list[Any] = [each.ready.remote() for each in self._actors]
        self._meter, self._deadline_s = meter, deadline_s

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __call__(self, rows: WeightedRows) -> Callable[[], Sums]:
        """Sends the shares off."""
        shares = rows.shares(len(self._actors))
        return partial(self._together, [_Asked(i, share, self._ask(i, share)) for i, share in enumerate(shares)])

    def serve(self, policy: Policy) -> None:
        """Adds up for the experts of a policy from now on."""
        policy.expert.adding = policy.recent.adding = self

    def present(self) -> list[int]:
        """Which workers give signs of life, by their index."""
        return [index for index in range(len(self._actors)) if self._alive(index)]

    def close(self) -> None:
        """Ends the workers."""
        for each in self._actors:
            ray.kill(each)

    def _ask(self, index: int, share: WeightedRows) -> Any:
        """The answer to come; None where the worker is not there."""
        if not self._alive(index):
            return None
        try:
            return self._actors[index].sums.remote(Share.of(share))
        except RayError as error:
            self._lose(index, error)
            return None

    def _together(self, asked: "list[_Asked]") -> Sums:
        waiting = [one.answer for one in asked if one.answer is not None]
        if waiting:
            ray.wait(waiting, num_returns=len(waiting), timeout=self._deadline_s)
        return reduce(Sums.plus, map(self._sums, asked))

    def _sums(self, asked: "_Asked") -> Sums:
        sums = None if asked.answer is None else self._read(asked)
        self._meter.count("learner_shares", label="learner" if sums is None else "worker")
        return asked.share.sums() if sums is None else sums

    def _read(self, asked: "_Asked") -> Sums | None:
        try:
            sums: Sums = ray.get(asked.answer, timeout=0)
        except RayError as error:
            self._lose(asked.worker, error)
            return None
        return sums

    def _lose(self, index: int, error: RayError) -> None:
        late = isinstance(error, GetTimeoutError)
        reason = f"no answer within {self._deadline_s:g} s" if late else type(error).__name__
        _log.warning("learner worker %d is lost, its rows are added up by the learner: %s", index, reason)
        if late:
            ray.kill(self._actors[index], no_restart=False)
        self._signs[index] = self._actors[index].ready.remote()

    def _alive(self, index: int) -> bool:
        sign = self._signs[index]
        if sign is None:
            return True
        if not ray.wait([sign], timeout=0)[0]:
            return False
        try:
            ray.get(sign, timeout=0)
        except RayError:
            self._signs[index] = self._actors[index].ready.remote()
            return False
        self._signs[index] = None
        return True


class _Asked(NamedTuple):
    """A share, the worker that it belongs to, and the answer to come; None where it was not asked."""

    worker: int
    share: WeightedRows
    answer: Any
