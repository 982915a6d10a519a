"""Asks obp, in an environment of its own, for its estimates of the same rows."""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deploy.bench.errors import BenchError
from deploy.evaluating.log import Doubles, Places

_SCRIPT = Path(__file__).with_name("estimators_obp.py")
_PATIENCE_S = 600


class Found(NamedTuple):
    """An estimate with its 95 % interval, whoever made it."""

    value: float
    lower: float
    upper: float


class Rows(NamedTuple):
    """One log as any program can read it."""

    reward_N: Doubles
    action_N: Places
    propensity_N: Doubles
    target_NK: Doubles
    q_hat_NK: Doubles


def ask_obp(python: Path, logs: Sequence[Rows]) -> list[dict[str, Found]]:
    """The estimates of obp for some logs, by our names of the estimators.

    Args:
        python: an interpreter that can import obp.
        logs: what it is asked of.

    Raises:
        BenchError: it cannot be run, takes longer than ten minutes, or fails.
    """
    with tempfile.TemporaryDirectory(prefix="streambandit-obp-") as folder:
        path = Path(folder) / "logs.npz"
        write_logs(path, logs)
        command = [str(python), str(_SCRIPT), str(path)]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)  # noqa: S603 - the user's own interpreter
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BenchError(f"--obp must be a Python that has obp; got {python} ({error})") from error
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
        raise BenchError(f"--obp must be a Python that has obp; got {python}, which said: {last}")
    answers: list[dict[str, list[float]]] = json.loads(ended.stdout.strip().splitlines()[-1])
    return [{name: Found(*numbers) for name, numbers in answer.items()} for answer in answers]


def write_logs(path: Path, logs: Sequence[Rows]) -> None:
    """The logs as one npz file."""
    arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {"logs": np.array(len(logs))}
    for number, rows in enumerate(logs):
        arrays[f"reward_{number}"], arrays[f"action_{number}"] = rows.reward_N, rows.action_N
        arrays[f"propensity_{number}"] = rows.propensity_N
        arrays[f"target_{number}"], arrays[f"q_hat_{number}"] = rows.target_NK, rows.q_hat_NK
    np.savez(path, **arrays)  # type: ignore[arg-type]
