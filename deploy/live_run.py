"""A live run: the algorithm over Kafka, from its resuming to its end in order. Loads RLlib."""

import logging
from dataclasses import dataclass
from functools import partial
from typing import Any

from agent.deciding import Ending
from agent.garbage import keep_what_is_there
from agent.rllib.algorithm import BanditAlgorithm
from agent.steps import Steps
from deploy.clocks import timer_s
from deploy.compose import KafkaSession
from deploy.drive import Run, build, summary_of_run
from deploy.endpoint import serving
from deploy.errors import StopError
from deploy.first_decision import FirstDecision
from deploy.keeping import CheckpointKeeper
from deploy.live import LiveView
from deploy.priority import giving_way
from deploy.record import Progress, RunRecord
from deploy.resume import resume
from deploy.run import RunOptions
from deploy.settings import Settings
from deploy.starting import begin_apart
from deploy.stopping import StopRequest
from envs.session import OpenSession
from stream.errors import StreamError
from stream.kafka.history import KafkaHistory
from stream.meter import Tally

_log = logging.getLogger("streambandit.run")


@dataclass(frozen=True)
class Launch:
    """What is there of a run before RLlib is loaded.

    Attributes:
        settings: all of them.
        options: what the run does besides.
        steps: of the start of this process.
        encoders: the encoder actors; none where no text is read.
        open_session: opens a runner's share of the log; that of the settings where None.
    """

    settings: Settings
    options: RunOptions
    steps: Steps
    encoders: list[Any]
    open_session: OpenSession | None = None

    def algorithm(self) -> BanditAlgorithm:
        """The algorithm, built and not stepped yet."""
        settings, most = self.settings, self.options.max_decisions
        ending = Ending(max_decisions=most and -(-most // settings.runner.runners), idle_s=self.options.idle_exit_s)
        return build(
            settings,
            self.open_session or KafkaSession(settings),
            ending=ending,
            open_history=partial(KafkaHistory, settings.kafka),
            encoders=self.encoders,
        )


def run_live(launch: Launch, stop: StopRequest) -> RunRecord:
    """Runs until an end; returns what is kept of it.

    Raises:
        StopError: it was asked to end and could not do so in order within `runner.stop_deadline_s`.
    """
    settings = launch.settings
    algorithm = launch.algorithm()
    launch.steps.reached("built")
    with serving(settings.metrics) as (metrics, address):
        live = LiveRun(settings, Run(algorithm, metrics), stop, launch.steps)
        try:
            with LiveView(f"streambandit on {settings.kafka.bootstrap_servers}", launch.options.max_decisions) as view:
                if address:
                    view.say(f"Metrics: {address}")
                live.go(view)
        finally:
            live.close()
    summary = summary_of_run(live.run) | live.first.figures()
    return RunRecord(
        title="streambandit run", summary=summary, settings=settings.redacted(), progress=live.run.progress
    )


class LiveRun:
    """A run from its resuming to its end in order.

    Args:
        settings: all of them.
        run: new.
        stop: whether somebody asked it to end.
        steps: of the start of this process.
    """

    def __init__(self, settings: Settings, run: Run, stop: StopRequest, steps: Steps) -> None:
        self._settings, self.run, self._stop = settings, run, stop
        self.first = FirstDecision(steps)
        self._tally = Tally()
        kept = settings.checkpoint
        self._keeper = CheckpointKeeper(kept, settings.kafka.group_id, timer_s, self._tally) if kept.enabled else None

    def go(self, view: LiveView) -> None:
        """Resumes, decides and learns until an end, and ends in order.

        Raises:
            StopError: the end took longer than it may.
        """
        if self._resume():
            self.first.steps.reached("resumed")
            keep_what_is_there()
            with giving_way(self._settings.learner.niceness):
                self._decide_and_learn(view)
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

    def _decide_and_learn(self, view: LiveView) -> None:
        while not self.run.ended:
            if self._stop.asked:
                self.run.algorithm.wind_down()
            view.update(self._step())

    def _resume(self) -> bool:
        kept = self._settings.checkpoint
        if self._keeper is None:
            begin_apart(self.run.algorithm, kept.start)
            return True
        return resume(self.run.algorithm, self._keeper, kept.rebuild_outcomes, lambda: self._stop.asked, kept.start)

    def _step(self) -> Progress:
        progress = self.run.step()
        if not self.first.told:
            self.run.absorb(self.first.tell(self.run.algorithm.runners.started))
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
        running = sorted(set(range(1, self._settings.runner.runners + 1)) - algorithm.runners.ended)
        raise StopError(
            f"run must end within runner.stop_deadline_s ({self._settings.runner.stop_deadline_s:g} s) of the signal; "
            f"not done: runners {running} go on, {algorithm.ledger.rows} rows wait to be learned, the last checkpoint "
            f"is not written. Nothing is lost: the next run goes on from the log"
        )
