"""Where the time of a decision and of a learned row goes, as a picture: two bars, cut into stages."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deploy.bench.curves import STYLE
from deploy.plots import COLOURS

_HEIGHT = 0.7


def draw(decision_us: Mapping[str, float], row_us: Mapping[str, float], path: Path) -> None:
    """Writes the picture.

    Args:
        decision_us: microseconds by stage, in the order in which they are drawn.
        row_us: likewise.
        path: of the picture; its suffix names the format.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.0, 0.27 * (len(decision_us) + len(row_us)) + 1.6), layout="constrained")
        heights = [len(decision_us), len(row_us)]
        panels = figure.subplots(2, 1, sharex=True, height_ratios=heights)
        for axes, (name, stages), colour in zip(
            panels, (("one decision of 20 candidates", decision_us), ("one learned row", row_us)), COLOURS, strict=False
        ):
            _bars(axes, name, stages, colour)
        figure.supxlabel("µs of processor time", fontsize=9)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=100)


def _bars(axes: Axes, name: str, stages: Mapping[str, float], colour: str) -> None:
    axes.set_title(f"{name}: {sum(stages.values()):.0f} µs")
    bars = axes.barh(list(stages), list(stages.values()), height=_HEIGHT, color=colour)
    axes.bar_label(bars, fmt="%.0f", padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
