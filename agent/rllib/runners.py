"""The runners as the driver sees them: asks them for what they hold, and keeps what they told of themselves."""

from collections.abc import Mapping
from typing import Any

from agent.errors import AgentError
from agent.rllib.report import RunnerReport

_WIND_DOWN_S = 5.0


class Runners:
    """All runners of an algorithm, by their index; those that have ended are asked no more.

    Args:
        group: RLlib's group of runners.
        count: of those in processes of their own; 0 where the driver's own process has the only one.
        timeout_s: how long one may take to answer.
        log_tells: whether the driver can read from the log what a runner committed and did not hand over.

    Attributes:
        worlds: what each runner's world says of itself.
        ended: those from which nothing more will come.
        started: when each one that has decided reached each step of its start.
        version: `epoch.n` of the weights that decide now, at the one that told last.
    """

    def __init__(self, group: Any, count: int, *, timeout_s: float, log_tells: bool) -> None:
        self._group, self._count, self._timeout_s, self._log_tells = group, count, timeout_s, log_tells
        self._winding_down = False
        self.worlds: dict[int, dict[str, Any]] = {}
        self.ended: set[int] = set()
        self.started: dict[int, Mapping[str, int]] = {}
        self.version = "0.0"

    @property
    def all_ended(self) -> bool:
        """Whether nothing more will come from any."""
        return len(self.ended) >= max(self._count, 1)

    def wind_down(self) -> None:
        """Lets them end after the micro-batch at hand."""
        self._winding_down = True

    def ask(self, *, room: int, lacking: int, looked: Mapping[int, int] | None) -> list[RunnerReport]:
        """What they hold, one report of each that answers; nothing once all have ended.

        Args:
            room: rows that all of them may hand over: who cannot hand over waits, and nothing is lost.
            lacking: rows from all of them that would make an update.
            looked: the last look of each at its open decisions, where another one is wanted.
        """
        if self.all_ended:
            return []
        going = [index for index in range(1, self._count + 1) if index not in self.ended]
        each = max(len(going), 1)
        reports: list[RunnerReport] = self._group.foreach_env_runner(
            "sample",
            kwargs={
                "room": room // each,
                "lacking": -(-lacking // each),
                "wind_down": self._winding_down,
                "looked": looked,
            },
            local_env_runner=self._count == 0,
            remote_worker_ids=going,
            timeout_seconds=_WIND_DOWN_S if self._winding_down else self._timeout_s,
        )
        return reports

    def note(self, report: RunnerReport) -> None:
        """Keeps what a report says of its runner.

        Raises:
            AgentError: the runner failed.
        """
        if report.handover.world:
            self.worlds[report.index] = report.handover.world
        self.version = report.version
        if report.steps:
            self.started[report.index] = report.steps
        if report.failure is not None:
            raise AgentError(f"runner {report.index} must go on deciding; got {report.failure}")
        if report.ended:
            self.ended.add(report.index)

    def give_up_dead(self) -> None:
        """While they wind down, those that died have ended, where the log tells what they committed."""
        if self._winding_down and self._log_tells:
            self.ended |= set(range(1, self._count + 1)) - set(self._group.healthy_env_runner_ids())

    def require_version(self, version: str) -> None:
        """Raises AgentError unless all of them decide with a version of the weights."""
        versions = self._group.foreach_env_runner(
            lambda runner: runner.module.version, local_env_runner=False, timeout_seconds=self._timeout_s
        )
        if set(versions) - {version} or len(versions) < self._count:
            raise AgentError(f"every runner must start with version {version}; got {versions}")
