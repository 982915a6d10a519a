"""When the driver asks for open decisions, and when weights that have them in them go to the runners."""

from collections.abc import Callable, Mapping

from agent.click_delays import DelayBook
from agent.learning import Learning
from agent.open_evidence import OpenEvidence
from agent.rllib.report import RunnerReport
from stream.meter import Tally

LONGEST_WAIT_S = 0.25
_RESTS = 5.0  # so many times as long as providing took; the learner has its time for closed outcomes


class Provisional:
    """Looks at most once between two hand-outs of weights, and rests five times as long as providing takes.

    Args:
        learning: of the policy that decides; `provide` acts on it.
        timer: seconds from an arbitrary start.
        tally: notes `open_rows_read` and `learner_provide_ms`.

    Attributes:
        delays: of clicks on what closed and is not learned yet.
        evidence: what is open.
    """

    def __init__(self, learning: Learning, timer: Callable[[], float], tally: Tally) -> None:
        self.delays = DelayBook()
        self.evidence = OpenEvidence()
        self._learning, self._timer, self._tally = learning, timer, tally
        self._learned = False
        self._spent_s, self._ended_s = 0.0, float("-inf")

    def looked(self) -> dict[int, int] | None:
        """The last look of each runner, where another one is wanted; else None."""
        if not self._learning.policy.settings.delay.open_decisions:
            return None
        return None if self.evidence.changed else self.evidence.known()

    def receive(self, report: RunnerReport, positions: Mapping[int, int]) -> None:
        """Takes in what a runner handed over; `positions` are the next outcomes to learn."""
        handover = report.handover
        self.evidence.receive(report.index, handover.look, handover.marks)
        if report.ended:
            self.evidence.forget(report.index)
        if handover.clicks:
            self.delays.add(handover.clicks)
            self.delays.forget(positions)

    def due(self, *, learned: bool) -> bool:
        """Whether weights should go out now.

        Args:
            learned: whether settled weights have moved since this was last asked.
        """
        self._learned |= learned
        rested_s = self._timer() - self._ended_s
        news = self._learned or (self.evidence.changed and rested_s >= LONGEST_WAIT_S)
        return news and rested_s >= _RESTS * self._spent_s

    def provide(self, positions: Mapping[int, int]) -> None:
        """Lets the weights have in them what is open; `positions` are the next outcomes to learn."""
        started_s = self._timer()
        rows = self.evidence.rows(positions)
        self._learning.provide(rows)
        self._learned = False
        self._ended_s = self._timer()
        self._spent_s = self._ended_s - started_s
        self._tally.level("open_rows_read", 0 if rows is None else len(rows.rows))
        if rows is not None:
            self._tally.observe("learner_provide_ms", [1_000.0 * self._spent_s])
