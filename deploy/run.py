"""`streambandit run`: the agent alone, against any Kafka."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from agent.deciding import Ending
from deploy.clocks import wall_clock_ms
from deploy.cluster import cluster
from deploy.compose import KafkaSession
from deploy.drive import Run, build, summary_of_run
from deploy.endpoint import serving
from deploy.live import LiveView
from deploy.record import RunRecord, new_run_folder
from deploy.report import write_report
from deploy.settings import Settings
from stream.kafka.topics import require_topics


@dataclass(frozen=True)
class RunOptions:
    """What a run does besides its settings.

    Attributes:
        max_decisions: end after so many, shared out among the runners and rounded up; None goes on.
        idle_exit_s: end after so many seconds without a record; None goes on.
    """

    max_decisions: int | None = None
    idle_exit_s: float | None = None


def run_agent(settings: Settings, options: RunOptions) -> Path:
    """Runs until the options end it or a signal asks for it; returns the folder of the report."""
    require_topics(settings.kafka)
    each = options.max_decisions and -(-options.max_decisions // settings.runner.runners)
    ending = Ending(max_decisions=each, idle_s=options.idle_exit_s)
    folder = new_run_folder(settings.run_dir, wall_clock_ms)
    with cluster(), asked_to_stop() as stopping, serving(settings.metrics) as (metrics, address):
        algorithm = build(settings, KafkaSession(settings), ending=ending)
        run = Run(algorithm, metrics)
        try:
            with LiveView(f"streambandit on {settings.kafka.bootstrap_servers}", options.max_decisions) as view:
                if address:
                    view.say(f"Metrics: {address}")
                while not run.ended and not stopping():
                    view.update(run.step())
        finally:
            run.finish()
            summary = summary_of_run(run)
            algorithm.stop()
    record = RunRecord(title="streambandit run", summary=summary, settings=settings.redacted(), progress=run.progress)
    write_report(record, folder)
    return folder


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Tells whether SIGINT or SIGTERM came; a second one ends the process as usual."""
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        came.append(number)
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
