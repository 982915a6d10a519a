"""`streambandit learn`: a history is learned into a folder, from which `run`, `demo` and `BanditAgent.load` begin."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from agent.bandit import BanditAgent
from deploy.errors import HistoryError
from deploy.importing.history import History, open_history
from deploy.settings import Settings
from envs.errors import FeatureError
from envs.protocols import Encoder
from stream.events import Outcome

_SAY_S = 5.0
_T = TypeVar("_T")


@dataclass(frozen=True)
class Studied:
    """What was learned.

    Attributes:
        outcomes: how many.
        rows: their shown slots.
        without_propensity: outcomes of an unknown propensity among them; they teach as well.
        loss: mean log loss of the last tenth of the rows before each was learned; None where nothing was fitted.
        left_out: what could not be used, by reason.
    """

    outcomes: int
    rows: int
    without_propensity: int
    loss: float | None
    left_out: dict[str, int]


class Say:
    """Tells how far it is, every few seconds.

    Args:
        write: takes a line.
        timer: seconds from an arbitrary start.
    """

    def __init__(self, write: Callable[[str], None], timer: Callable[[], float]) -> None:
        self._write, self._timer = write, timer
        self._began_s = self._told_s = timer()

    def progress(self, outcomes: int, loss: float) -> None:
        """Tells, if it is time."""
        now_s = self._timer()
        if now_s - self._told_s >= _SAY_S:
            self._told_s = now_s
            rate = outcomes / (now_s - self._began_s)
            self._write(f"{outcomes:,} outcomes learned ({rate:,.0f}/s), log loss {loss:.4f}")


def learn_history(log: str, out: Path, settings: Settings, say: Say, encoder: Encoder | None = None) -> Studied:
    """Learns a history with a new agent, and saves that.

    Args:
        log: as of `open_history`.
        out: the folder, made anew or empty.
        settings: all of them.
        say: is told how far it is.
        encoder: of texts; by default the one that the settings name.

    Raises:
        HistoryError: there is nothing to learn, or the folder holds something.
        EvaluateError, StreamError: the log cannot be read.
        LearnError: a reward lies outside [0, 1].
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise HistoryError(f"--out must be a new or empty folder; got {out}")
    agent = BanditAgent(settings.agent, seed=settings.seed, encoder=encoder)
    with open_history(log, settings) as history:
        studied = _study(agent, history, settings.agent.update_rows, say)
    if not studied.outcomes:
        found = ", ".join(f"{count:,} {reason}" for reason, count in studied.left_out.items()) or "nothing at all"
        raise HistoryError(f"--log must hold outcomes, or impressions that carry `logged`; got {found} in {log}")
    try:
        agent.save(out, history.positions)
    except OSError as error:
        raise HistoryError(f"--out must be a folder that can be written; got {out} ({error.strerror})") from error
    return studied


def _study(agent: BanditAgent, history: History, update_rows: int, say: Say) -> Studied:
    outcomes = rows = unknown = 0
    losses: list[float] = []
    for part in _parts(history.outcomes, update_rows):
        fitting = _fitting(agent, part)
        history.leave_out("outcomes that do not fit the features of the first", len(part) - len(fitting))
        metrics = agent.learn(fitting)
        if metrics.get("loss"):
            losses.append(metrics["loss"])
        outcomes += len(fitting)
        rows += sum(len(outcome.rewards) for outcome in fitting)
        unknown += sum(outcome.recommendation.slate[0].propensity is None for outcome in fitting)
        say.progress(outcomes, losses[-1] if losses else 0.0)
    loss = float(np.mean(losses[-max(1, len(losses) // 10) :])) if losses else None
    return Studied(outcomes, rows, unknown, loss, {reason: n for reason, n in history.left_out.items() if n})


def _fitting(agent: BanditAgent, outcomes: list[Outcome]) -> list[Outcome]:
    """Those whose features are as long as those of the first."""
    try:
        agent.check(outcomes)
    except FeatureError:
        return [outcome for outcome in outcomes if _fits(agent, outcome)]
    return outcomes


def _fits(agent: BanditAgent, outcome: Outcome) -> bool:
    try:
        agent.check([outcome])
    except FeatureError:
        return False
    return True


def _parts(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    part: list[_T] = []
    for item in items:
        part.append(item)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
