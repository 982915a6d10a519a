"""What the samples of a soak say: growth of memory with its uncertainty, largest queues, and a verdict."""

from typing import Any

import numpy as np
from scipy import stats

QUEUES = (
    "consumer_lag_records",
    "open_decisions",
    "open_decisions_bytes",
    "early_clicks",
    "queue_rows",
    "learner_rows_waiting",
)
GROWTH_MB_PER_H = 60.0
JUDGED_H = 0.25  # in less time a process that warms up cannot be told from one that leaks
_BLOCKS = 12


def conclude(samples: list[dict[str, Any]], events: dict[str, float], rate_per_s: float) -> dict[str, Any]:
    """The report. The processes of Ray itself are reported and not judged.

    Args:
        samples: of the soak.
        events: when the broker was killed and up, and when the lag was back.
        rate_per_s: impressions per second.
    """
    growth = {name: growth_of(*series(samples, name)) for name in lasting(samples)}
    queues = {name: max(sample["gauges"].get(name, 0.0) for sample in samples) for name in QUEUES}
    hours = (samples[-1]["t_s"] - samples[len(samples) // 3]["t_s"]) / 3_600
    failures = [
        f"{name} must not grow by more than {GROWTH_MB_PER_H:g} MB per hour; it grows by at least {found['lower']:.1f}"
        for name, found in growth.items()
        if name != "ray" and hours >= JUDGED_H and found["lower"] > GROWTH_MB_PER_H
    ]
    back_s = events["lag_back_s"] - events["broker_up_s"] if "lag_back_s" in events else None
    if "broker_up_s" in events and back_s is None:
        failures.append("lag must come back after the outage; it did not")
    return {
        "growth_mb_per_h": growth,
        "growth_judged": hours >= JUDGED_H,
        "largest": queues,
        "lag_back_after_s": None if back_s is None else round(back_s, 1),
        "lag_back_means": f"at most {rate_per_s:g} records, one second of load, behind the last commit",
        "failures": failures,
    }


def lasting(samples: list[dict[str, Any]]) -> list[str]:
    """Names of the processes that lived through the last two thirds."""
    kept = samples[len(samples) // 3 :]
    names = set.intersection(*(set(sample["resident_mb"]) for sample in kept)) - {"broker"}
    return sorted(names)


def series(samples: list[dict[str, Any]], name: str) -> tuple[list[float], list[float]]:
    """Hours and resident MB of a process after the first third, in which caches and buffers fill."""
    kept = samples[len(samples) // 3 :]
    return [sample["t_s"] / 3_600 for sample in kept], [sample["resident_mb"][name] for sample in kept]


def growth_of(hours_N: list[float], resident_N: list[float]) -> dict[str, float]:
    """The slope in MB per hour with a 95 % interval.

    Samples follow each other closely and are not independent, so the line goes through the means of twelve blocks.
    """
    blocks = min(_BLOCKS, len(hours_N))
    if blocks < 3:
        return {"slope": float("nan"), "lower": float("nan"), "upper": float("nan")}
    x_B = np.array([part.mean() for part in np.array_split(np.array(hours_N), blocks)])
    y_B = np.array([part.mean() for part in np.array_split(np.array(resident_N), blocks)])
    line = stats.linregress(x_B, y_B)
    half = float(stats.t.ppf(0.975, blocks - 2) * line.stderr)
    slope = float(line.slope)
    return {"slope": round(slope, 2), "lower": round(slope - half, 2), "upper": round(slope + half, 2)}
