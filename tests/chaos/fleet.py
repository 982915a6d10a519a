"""The processes under attack: bare runners, or the product's driver with its actors. Whoever dies is started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PAUSE_S = 0.5  # between two starts
_HOPELESS = 10


@dataclass
class Child:
    """A process that is started again when it ends, unless it is asked to end.

    Attributes:
        arguments: of `python -m`.
        log: what it says.
        ended: exit statuses so far; a signal's number is negative.
    """

    arguments: Sequence[str]
    log: Path
    ended: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = -_PAUSE_S

    def tend(self) -> None:
        """Starts it where it does not run."""
        if self._process is not None and self._process.poll() is None:
            return
        if self._process is not None:
            self.ended.append(self._process.returncode)
            self._process = None
        if time.monotonic() - self._started_s < _PAUSE_S:
            return
        path = os.pathsep.join((str(ROOT / "tests"), str(ROOT)))
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "RAY_DEDUP_LOGS": "0"}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self.arguments], stdout=log, stderr=log, cwd=ROOT, env=environment
            )
        self._started_s = time.monotonic()

    def stop(self, timeout_s: float) -> int | None:
        """Asks it to end and returns its exit status; None where it had to be killed."""
        if self._process is None:
            return self.ended[-1] if self.ended else None
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def kill(self) -> None:
        """Ends it at once."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)


class Fleet:
    """Everything that runs the agent.

    Args:
        form: `bare`: `count` runners without Ray; `ray`: the product's driver, which has runners of its own.
        settings_file: of all processes, as JSON.
        folder: for marks and logs.
        build: which log the runners use.
        count: of runners.
    """

    def __init__(self, form: str, settings_file: Path, folder: Path, build: str, count: int) -> None:
        marks = folder / "marks"
        common = [str(settings_file), str(marks), build]
        if form == "bare":
            commands = [["chaos.bare_runner", *common, str(index), str(count)] for index in range(count)]
        else:
            commands = [["chaos.agent_process", *common]]
        self.children = [Child(command, folder / f"process-{n}.log") for n, command in enumerate(commands)]

    def tend(self) -> None:
        """Starts whoever does not run.

        Raises:
            RuntimeError: they end by themselves again and again.
        """
        for child in self.children:
            child.tend()
        if len(self.unasked()) > _HOPELESS:
            said = self.children[0].log.read_text(errors="replace")[-2_000:]
            raise RuntimeError(f"processes must stay up; they ended by themselves {len(self.unasked())} times:\n{said}")

    def stop(self, timeout_s: float) -> list[str]:
        """Ends all in order; returns what was wrong with it."""
        statuses = [child.stop(timeout_s) for child in self.children]
        return [f"process {n} must end with 0 when asked; got {s}" for n, s in enumerate(statuses) if s != 0]

    def kill(self) -> None:
        """Ends all at once."""
        for child in self.children:
            child.kill()

    def unasked(self) -> list[int]:
        """Exit statuses of those that ended by themselves, neither killed nor asked."""
        return [status for child in self.children for status in child.ended if status != -signal.SIGKILL]


def wait_until_gone(pids: Sequence[int], timeout_s: float) -> list[int]:
    """Waits for processes that are no children; returns those that are left."""
    deadline = time.monotonic() + timeout_s
    left = list(pids)
    while left and time.monotonic() < deadline:
        left = [pid for pid in left if Path(f"/proc/{pid}").exists()]
        time.sleep(0.1)
    return left
