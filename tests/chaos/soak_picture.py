"""The picture of a soak: memory above, queues below, the outage shaded."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

_SHOWN = ("consumer_lag_records", "open_decisions", "queue_rows", "learner_rows_waiting")


def picture(samples: list[dict[str, Any]], events: dict[str, float], path: Path) -> None:
    """Draws it into a file."""
    minutes = [sample["t_s"] / 60 for sample in samples]
    figure, (memory, queues) = plt.subplots(2, 1, figsize=(10, 7), sharex=True, constrained_layout=True)
    for name in sorted({name for sample in samples for name in sample["resident_mb"]}):
        memory.plot(minutes, [sample["resident_mb"].get(name) for sample in samples], label=name)
    memory.set_ylabel("resident memory [MB]")
    for name in _SHOWN:
        queues.plot(minutes, [sample["gauges"].get(name) for sample in samples], label=name)
    queues.set_yscale("symlog")
    queues.set_ylabel("records, rows")
    queues.set_xlabel("minutes")
    for axes in (memory, queues):
        if "broker_up_s" in events:
            axes.axvspan(events["broker_killed_s"] / 60, events["broker_up_s"] / 60, alpha=0.2, label="no broker")
        axes.legend(fontsize=8, ncols=2)
        axes.grid(visible=True, alpha=0.3)
    figure.savefig(path, dpi=110)
    plt.close(figure)
