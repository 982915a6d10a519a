"""`streambandit run`: the agent alone, against any Kafka."""

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agent.deciding import Ending
from agent.rllib.algorithm import BanditAlgorithm
from deploy.clocks import timer_s, wall_clock_ms
from deploy.cluster import cluster
from deploy.compose import KafkaSession
from deploy.drive import Run, build, summary_of_run
from deploy.endpoint import serving
from deploy.errors import StopError
from deploy.keeping import CheckpointKeeper
from deploy.live import LiveView
from deploy.logs import logged
from deploy.record import Progress, RunRecord, new_run_folder
from deploy.report import write_report
from deploy.resume import resume
from deploy.settings import Settings
from deploy.starting import begin_apart, with_start
from deploy.stopping import StopRequest, asked_to_stop
from envs.session import OpenSession
from stream.errors import StreamError
from stream.kafka.history import KafkaHistory
from stream.kafka.topics import require_topics
from stream.meter import Tally

_log = logging.getLogger("streambandit.run")


@dataclass(frozen=True)
class RunOptions:
    """What a run does besides its settings.

    Attributes:
        max_decisions: end after so many, shared out among the runners and rounded up; None goes on. A runner that
            replaces a dead one counts anew.
        idle_exit_s: end after so many seconds without a record; None goes on.
    """

    max_decisions: int | None = None
    idle_exit_s: float | None = None


def run_agent(settings: Settings, options: RunOptions, open_session: OpenSession | None = None) -> Path:
    """Runs until the options end it or a signal asks for it; returns the folder of the report.

    Args:
        settings: all of them.
        options: what the run does besides.
        open_session: opens a runner's share of the log; that of the settings without.

    Raises:
        StopError: it was asked to end and could not do so in order within `runner.stop_deadline_s`.
    """
    require_topics(settings.kafka)
    settings = with_start(settings)
    folder = new_run_folder(settings.run_dir, wall_clock_ms)
    stop_s = settings.runner.stop_deadline_s
    with logged(folder / "run.log"), cluster(), asked_to_stop(timer_s, stop_s) as stop:
        algorithm = _build(settings, options, open_session or KafkaSession(settings))
        with serving(settings.metrics) as (metrics, address):
            live = LiveRun(settings, Run(algorithm, metrics), stop)
            try:
                with LiveView(f"streambandit on {settings.kafka.bootstrap_servers}", options.max_decisions) as view:
                    if address:
                        view.say(f"Metrics: {address}")
                    live.go(view)
            finally:
                live.close()
    run = live.run
    record = RunRecord(
        title="streambandit run", summary=summary_of_run(run), settings=settings.redacted(), progress=run.progress
    )
    write_report(record, folder)
    return folder


def _build(settings: Settings, options: RunOptions, open_session: OpenSession) -> BanditAlgorithm:
    each = options.max_decisions and -(-options.max_decisions // settings.runner.runners)
    ending = Ending(max_decisions=each, idle_s=options.idle_exit_s)
    return build(settings, open_session, ending=ending, open_history=partial(KafkaHistory, settings.kafka))


class LiveRun:
    """A run from its resuming to its end in order.

    Args:
        settings: all of them.
        run: new.
        stop: whether somebody asked it to end.
    """

    def __init__(self, settings: Settings, run: Run, stop: StopRequest) -> None:
        self._settings, self.run, self._stop = settings, run, stop
        self._tally = Tally()
        kept = settings.checkpoint
        self._keeper = CheckpointKeeper(kept, settings.kafka.group_id, timer_s, self._tally) if kept.enabled else None

    def go(self, view: LiveView) -> None:
        """Resumes, decides and learns until an end, and ends in order.

        Raises:
            StopError: the end took longer than it may.
        """
        if self._resume():
            while not self.run.ended:
                if self._stop.asked:
                    self.run.algorithm.wind_down()
                view.update(self._step())
            self._learn_the_rest()
        if self._keeper is not None:
            number = self._keeper.save(self.run.algorithm.checkpoint())
            _log.info("ended in order; checkpoint %d holds %s", number, self.run.algorithm.ledger.learned)
        self.run.absorb(self._tally.take())
        self.run.finish()

    def close(self) -> None:
        """Ends what is left of it; one that is overdue is not waited for, its processes end with the cluster."""
        if self._keeper is not None:
            self._keeper.close()
        if not self._stop.overdue:
            self.run.algorithm.stop()

    def _resume(self) -> bool:
        kept = self._settings.checkpoint
        if self._keeper is None:
            begin_apart(self.run.algorithm, kept.start)
            return True
        return resume(self.run.algorithm, self._keeper, kept.rebuild_outcomes, lambda: self._stop.asked, kept.start)

    def _step(self) -> Progress:
        progress = self.run.step()
        if self._keeper is not None:
            self._keeper.keep(self.run.algorithm.checkpoint)
        self.run.absorb(self._tally.take())
        if self._stop.overdue:
            self._give_up()
        return progress

    def _learn_the_rest(self) -> None:
        """Learns what closed and was not handed over, because a runner died; what cannot be read stays in the log."""
        try:
            self.run.algorithm.ledger.fetch_up_to_ends()
        except StreamError as error:
            _log.warning("the last outcomes will be learned by the next run: %s", error)
        while not self.run.ended:
            self._step()

    def _give_up(self) -> None:
        algorithm = self.run.algorithm
        running = sorted(set(range(1, self._settings.runner.runners + 1)) - algorithm.ended)
        raise StopError(
            f"run must end within runner.stop_deadline_s ({self._settings.runner.stop_deadline_s:g} s) of the signal; "
            f"not done: runners {running} go on, {algorithm.ledger.rows} rows wait to be learned, the last checkpoint "
            f"is not written. Nothing is lost: the next run goes on from the log"
        )
