"""Who has which weights: gives each runner what it lacks of the learner's."""

from collections.abc import Callable, Collection
from typing import Any

import ray

from agent.policy import Policy
from agent.rllib.staleness import Knows
from agent.rllib.weights import Revision, Weights, tables_of
from stream.meter import Tally

_WAIT_S = 10.0
_TAG = "weights"


class HandOut:
    """Runners answer each hand-out with the revision on which the next may build; the answer is read at the next.

    What all need lies in the object store once: since the earliest of their revisions, as a later one takes it as well.
    A runner that says none, or one that the policy no longer remembers, gets a whole.

    Args:
        group: RLlib's group of runners.
        policy: the learner's.
        tally: counts `weights_handed_out`, `weights_bytes` and `rows_evicted`.
        put: lays weights into the object store and returns where they lie.
    """

    def __init__(self, group: Any, policy: Policy, tally: Tally, put: Callable[[Weights], Any] = ray.put) -> None:
        self._group, self._policy, self._tally, self._store = group, policy, tally, put
        self._bases: dict[int, Revision] = {}
        self._evicted: dict[str, int] = {}

    def forget(self, index: int) -> None:
        """A runner has died: it has no weights."""
        self._bases.pop(index, None)

    def send(self, ended: Collection[int], knows: Knows | None = None) -> None:
        """Gives the weights of now, which hold some feedback, to all healthy runners but those that have ended."""
        answers = self._bases | dict(self._group.fetch_ready_async_reqs(tags=_TAG, timeout_seconds=_WAIT_S))
        self._bases = {index: base for index, base in answers.items() if base is not None}
        indices = [index for index in self._group.healthy_env_runner_ids() if index not in ended]
        known = {index: self._bases[index] for index in indices if self._remembers(self._bases.get(index))}
        if known:
            self._put(Weights.of(self._policy, Revision.lowest(known.values()), knows), list(known))
        lacking = [index for index in indices if index not in known]
        if lacking:
            self._put(Weights.of(self._policy, knows=knows), lacking)
        self._count_evicted()

    def _remembers(self, base: Revision | None) -> bool:
        if base is None or base.epoch != int(self._policy.epoch):
            return False
        tables = tables_of(self._policy).values()
        return all(table.remembers(written) for table, written in zip(tables, base.written, strict=True))

    def _put(self, weights: Weights, indices: list[int]) -> None:
        sent = self._group.foreach_env_runner_async(
            "take_weights", _TAG, kwargs={"weights": self._store(weights)}, remote_worker_ids=indices
        )
        form = "whole" if weights.base is None else "since"
        self._tally.count("weights_handed_out", sent, label=form)
        self._tally.count("weights_bytes", weights.nbytes, label=form)

    def _count_evicted(self) -> None:
        for name, table in tables_of(self._policy).items():
            more = table.evicted - self._evicted.get(name, 0)
            if more:
                self._tally.count("rows_evicted", more, label=name.removesuffix(".table"))
            self._evicted[name] = table.evicted
