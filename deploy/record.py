"""What is kept of a run: its progress over time, what each compared policy showed, and its figures."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.compare import last_quarter, mean_or_none
from deploy.errors import ReportError

Rates = NDArray[np.float32]
REQUIRED = (
    "decisions",
    "decisions_per_second",
    "latency_p50_ms",
    "latency_p99_ms",
    "click_rate",
    "click_rate_uniform",
    "click_rate_oracle",
    "click_rate_last_quarter",
    "policy_versions",
    "outcomes",
    "dead_letters",
)


def _no_rates() -> Rates:
    return np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The run as it stands at one moment; what is not known is None.

    Attributes:
        t_s: seconds since the run began.
        decisions: decisions so far.
        click_rate: of what the policy showed.
        click_rate_uniform: of a uniform choice from the same candidates.
        click_rate_oracle: of the best choice.
        decisions_per_s: decisions per second of late.
        latency_p50_ms: half of the decisions took at most this long, of late.
        latency_p99_ms: 99 % of them did.
        policy_version: the number n of the version `epoch.n` that decides.
        loss: of the last update.
        exploration: mean of 1 − P(greedy action), of late.
    """

    t_s: float
    decisions: int
    click_rate: float | None = None
    click_rate_uniform: float | None = None
    click_rate_oracle: float | None = None
    decisions_per_s: float = 0.0
    latency_p50_ms: float | None = None
    latency_p99_ms: float | None = None
    policy_version: int | None = None
    loss: float | None = None
    exploration: float | None = None


@dataclass(frozen=True, slots=True)
class Arm:
    """One policy on the same impressions as the others.

    Attributes:
        name: `learned`, `frozen`, `cosine`, `shuffled` or another short name.
        label: what a reader calls it.
        shown: true click probability [N] of what it showed, in the order of the impressions.
        note: what sets it apart, in a sentence.
    """

    name: str
    label: str
    shown: Rates
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """All that a report is made of. The first arm is the run itself; without arms the progress has to tell.

    Attributes:
        title: what was run.
        summary: figures by name; see `REQUIRED` for those that every summary has.
        settings: all settings, secrets replaced.
        progress: in order of time.
        arms: the run, then what it is compared with.
        uniform: true click probability [N] of a uniform choice.
        oracle: the same of the best choice.

    Raises:
        ReportError: two arms share a name, or a probability is not finite.
    """

    title: str
    summary: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    progress: list[Progress] = field(default_factory=list)
    arms: list[Arm] = field(default_factory=list)
    uniform: Rates = field(default_factory=_no_rates)
    oracle: Rates = field(default_factory=_no_rates)

    def __post_init__(self) -> None:
        arrays = {arm.name: arm.shown for arm in self.arms} | {"uniform": self.uniform, "oracle": self.oracle}
        if len(self.arms) != len({arm.name for arm in self.arms}):
            raise ReportError(f"arms must have distinct names; got {[arm.name for arm in self.arms]}")
        for name, rates_N in arrays.items():
            if not np.isfinite(rates_N).all():
                raise ReportError(
                    f"click probabilities of {name!r} must be finite; got {rates_N[~np.isfinite(rates_N)][0]}"
                )


def summary_of(record: RunRecord) -> dict[str, Any]:
    """The record's figures, those missing filled in from its arrays and progress; None where they are not known."""
    end = record.progress[-1] if record.progress else None
    shown_N = record.arms[0].shown if record.arms else _no_rates()
    known: dict[str, Any] = dict.fromkeys(REQUIRED)
    known |= {"decisions": len(shown_N) or (end.decisions if end else 0)}
    for key, rates_N in (("", shown_N), ("_uniform", record.uniform), ("_oracle", record.oracle)):
        known[f"click_rate{key}"] = mean_or_none(rates_N)
        known[f"click_rate{key}_last_quarter"] = mean_or_none(last_quarter(rates_N))
    if end is not None:
        known |= {"latency_p50_ms": end.latency_p50_ms, "latency_p99_ms": end.latency_p99_ms}
        known |= {"policy_versions": end.policy_version}
        known |= {"decisions_per_second": end.decisions / end.t_s if end.t_s else None}
        for key in ("click_rate", "click_rate_uniform", "click_rate_oracle"):
            known[key] = getattr(end, key) if known[key] is None else known[key]
    return known | {key: value for key, value in record.summary.items() if value is not None or key not in known}


def new_run_folder(run_dir: Path, clock: Callable[[], int]) -> Path:
    """Makes `run_dir/<UTC time>` and points `run_dir/latest` at it.

    Args:
        run_dir: the folder of all runs.
        clock: milliseconds since the epoch.

    Raises:
        ReportError: `run_dir` cannot be written to.
    """
    name = datetime.fromtimestamp(clock() / 1000, UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        folder = _make_first(run_dir, name)
        link = run_dir / f".latest-{os.getpid()}"
        link.unlink(missing_ok=True)
        link.symlink_to(folder.name)
        link.replace(run_dir / "latest")  # readers see the old run or the new one, never none
    except OSError as error:
        raise ReportError(
            f"run_dir must be a folder that can be written to; got {run_dir} ({error.strerror})"
        ) from error
    return folder


def _make_first(run_dir: Path, name: str) -> Path:
    number = 1
    while True:
        folder = run_dir / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder
