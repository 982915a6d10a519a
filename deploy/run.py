"""`streambandit run`: the agent alone, against any Kafka. Imports little, so that Ray starts at once.

A start is mostly importing, in several processes. So Ray's own processes and the encoder come up while this one
imports torch and RLlib, and what only the report needs comes after the run.
"""

import logging
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from agent.importing import imported_beside, without_collector
from deploy.bytecode import compiled
from deploy.clocks import steps_of_this_process, timer_s, wall_clock_ms
from deploy.cluster import cluster, start_encoders
from deploy.logs import logged
from deploy.record import new_run_folder
from deploy.settings import Settings
from deploy.stopping import asked_to_stop
from envs.session import OpenSession
from stream.kafka.topics import require_topics

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
    steps = steps_of_this_process()
    steps.reached("settings")
    require_topics(settings.kafka)
    if settings.checkpoint.start is not None:
        from deploy.starting import with_start  # noqa: PLC0415 - loads torch and RLlib

        settings = with_start(settings)
    folder = new_run_folder(settings.run_dir, wall_clock_ms)
    steps.reached("topics")
    with logged(folder / "run.log"), ExitStack() as stack:
        if sys.dont_write_bytecode and not compiled():
            _log.warning("each process compiles anew what it imports, which takes longer than all else; see doctor")
        with without_collector():
            with imported_beside("torch"):
                stack.enter_context(cluster(processes=actors_of(settings)))
                stop = stack.enter_context(asked_to_stop(timer_s, settings.runner.stop_deadline_s))
                steps.reached("ray")
                encoders = start_encoders(settings.agent)
            from deploy.live_run import Launch, run_live  # noqa: PLC0415 - loads RLlib, beside what comes up
        steps.reached("imported")
        record = run_live(Launch(settings, options, steps, encoders, open_session), stop)
    from deploy.report import write_report  # noqa: PLC0415 - loads matplotlib, which no start should wait for

    write_report(record, folder)
    return folder


def actors_of(settings: Settings) -> int:
    """How many actors a run has."""
    encoders = settings.agent.encoder.actors if settings.agent.features.text != "off" else 0
    return settings.runner.runners + encoders + settings.learner.workers
