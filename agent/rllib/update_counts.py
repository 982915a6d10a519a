"""What an update of the learner tells of itself: counts and levels."""

from collections.abc import Mapping

from agent.learning import Learning
from stream.meter import Meter

COUNTED = {"rows_skipped": "skipped", "gradients_clipped": "clipped", "changes_detected": "changed"}
"""Counters, by the name of what they count among the learner's metrics."""


def count_update(meter: Meter, learning: Learning, metrics: Mapping[str, float], rows: int, took_s: float) -> None:
    """Tells of one update.

    Args:
        meter: the learner's.
        learning: as it stands now.
        metrics: of the update, see `BanditAlgorithm.learner_metrics`.
        rows: that were handed to it.
        took_s: how long it took.
    """
    meter.count("learner_updates")
    meter.count("learner_rows", rows)
    meter.observe("learner_update_ms", [1_000.0 * took_s])
    meter.level("learner_loss", metrics["loss"])
    meter.level("learner_rows_kept", len(learning))
    meter.level("network_weight", metrics["network_weight"])
    for name, counted in COUNTED.items():
        if metrics[counted]:
            meter.count(name, int(metrics[counted]))
    for name, value in {**learning.calibration.measures(), **learning.policy.level.measures()}.items():
        meter.level(name, value)
