"""A runner without Ray: the product's session and deciding loop in a plain process, cheap to kill and to start again.

`python -m chaos.bare_runner SETTINGS.json MARKS_FOLDER BUILD INDEX COUNT`
"""

import signal
import sys
import time
from pathlib import Path
from types import FrameType

import numpy as np

from agent.deciding import DecidingLoop
from agent.explore import Belief
from agent.settings import ExploreSettings
from agent.user_snapshots import UserStores
from chaos.sessions import PhasedSession
from deploy.logs import log_to_terminal
from deploy.settings import Settings
from envs.features import Featurizer
from envs.observation import Observation
from envs.session import Share
from stream.errors import LogUnavailableError, StreamError
from stream.meter import Tally


class Ignorant:
    """A policy that believes the same of every candidate."""

    version = "0.0"
    explore = ExploreSettings()

    def believe(self, observation: Observation) -> Belief:
        """Nothing is better than anything else."""
        zeros_N = np.zeros(int(observation.counts_B.sum()))
        return Belief(zeros_N, zeros_N, observation.counts_B, rows=0)


def main(settings_file: str, marks: str, build: str, index: str, count: str) -> int:
    """Decides until SIGTERM."""
    stopping: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.append(number)

    signal.signal(signal.SIGTERM, stop)
    log_to_terminal()
    settings = Settings.model_validate_json(Path(settings_file).read_text())
    share = Share(
        index=int(index),
        count=int(count),
        featurizer=Featurizer(settings.agent.features, None),
        users=UserStores(settings.agent.interests),
        meter=Tally(),
    )
    session = None
    while session is None and not stopping:
        try:
            session = PhasedSession(settings, Path(marks), build)(share)
        except LogUnavailableError:
            time.sleep(0.2)
    if session is None:
        return 0
    loop = DecidingLoop(session, Ignorant(), settings.seed, overlap=True)
    while not stopping:
        try:
            loop.step()
        except StreamError as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            time.sleep(0.1)
    session.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
