"""The plots of a report, as SVG that stands in the page: no script, no file beside it, text that scales with it."""

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from deploy.compare import rolling
from deploy.record import Progress, RunRecord

# Okabe, Ito (2008): distinct for colour-blind readers as well; line styles tell the two bounds apart from policies.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#AA4499", "#7A6A00", "#56B4E9")
UNIFORM, ORACLE, INK, GRID = "#6B7280", "#111827", "#374151", "#E5E7EB"
_STYLE: Any = {
    "svg.fonttype": "none",
    "font.size": 10.5,
    "text.color": INK,
    "axes.edgecolor": "#9CA3AF",
    "axes.labelcolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 1.9,
}
Line = tuple[str, NDArray[Any], NDArray[Any], str, str]  # label, x, y, colour, style
Draw = Callable[[Axes], None]


def click_rates(record: RunRecord) -> str | None:
    """Click rate over decisions: a rolling mean of every arm, of a uniform choice and of the best one."""
    lines = _true_rates(record) if record.arms else _measured_rates(record.progress)
    if not lines:
        return None

    def draw(axes: Axes) -> None:
        for _, x, y, colour, style in lines:
            axes.plot(x, y, color=colour, linestyle=style)
        axes.set_xlabel("decisions")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0, right=max(x[-1] for _, x, *_ in lines))
        _label_ends(axes, lines)

    return _svg("Click rate over decisions", [draw], height=4.4, right=0.80)


def speed(progress: Sequence[Progress]) -> str | None:
    """Decisions per second, and the latency of a decision."""
    rates = _series(progress, ["decisions_per_s"], "", ("decisions per second",))
    latency = _series(progress, ["latency_p50_ms", "latency_p99_ms"], "ms", ("half:", "99 %:"))
    return _svg("Speed and latency over time", [rates, latency], right=0.86)


def learning(progress: Sequence[Progress]) -> str | None:
    """The policy's version, and the loss of its updates."""
    version = _series(progress, ["policy_version"], "", ("policy version",))
    loss = _series(progress, ["loss"], "", ("loss of the last update",))
    return _svg("Learning over time", [version, loss])


def exploration(progress: Sequence[Progress]) -> str | None:
    """The share of decisions that are not the greedy one."""
    return _svg("Exploration over time", [_series(progress, ["exploration"], "%", ("exploration share",))], height=2.5)


def _true_rates(record: RunRecord) -> list[Line]:
    size = len(record.arms[0].shown)
    window = max(1, size // 20)
    arms = [(arm.label, arm.shown, colour, "-") for arm, colour in zip(record.arms, _colours(), strict=False)]
    bounds = [("uniform choice", record.uniform, UNIFORM, "--"), ("best possible", record.oracle, ORACLE, ":")]
    return [
        (label, *rolling(rates_N, window), colour, style)
        for label, rates_N, colour, style in arms + bounds
        if len(rates_N)
    ]


def _measured_rates(progress: Sequence[Progress]) -> list[Line]:
    lines: list[Line] = []
    for label, name, colour, style in (
        ("the policy", "click_rate", COLOURS[0], "-"),
        ("uniform choice", "click_rate_uniform", UNIFORM, "--"),
        ("best possible", "click_rate_oracle", ORACLE, ":"),
    ):
        known = [(each.decisions, getattr(each, name)) for each in progress if getattr(each, name) is not None]
        if known:
            x, y = np.array(known, dtype=np.float64).T
            lines.append((label, x, y, colour, style))
    return lines


def _colours() -> tuple[str, ...]:
    return COLOURS * 4


def _label_ends(axes: Axes, lines: Sequence[Line], value: str = "{:.1%}") -> None:
    """Names each line at its end with its last value, in its colour, and keeps the names apart."""
    low, high = axes.get_ylim()
    gap = (high - low) * 0.2 * axes.figure.dpi / axes.bbox.height  # 0.2 inches
    places = sorted(range(len(lines)), key=lambda index: lines[index][2][-1])
    height = -np.inf
    for index in places:
        label, _, y, colour, _ = lines[index]
        height = max(float(y[-1]), height + gap)
        axes.annotate(
            f"{label} {value.format(y[-1])}",
            (1.0, height),
            xycoords=("axes fraction", "data"),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            annotation_clip=False,
        )


def _series(progress: Sequence[Progress], names: Sequence[str], unit: str, labels: Sequence[str]) -> Draw | None:
    """Draws figures over time; None where none of them is known."""
    known = [
        [(each.t_s, getattr(each, name)) for each in progress if getattr(each, name) is not None] for name in names
    ]
    if not all(len(points) > 1 for points in known):
        return None

    def draw(axes: Axes) -> None:
        lines: list[Line] = []
        for points, label, colour in zip(known, labels, COLOURS, strict=False):
            x, y = np.array(points, dtype=np.float64).T
            axes.plot(x, y, color=colour)
            lines.append((label, x, y, colour, "-"))
        axes.set_xlabel("seconds")
        axes.set_xlim(left=0, right=max(x[-1] for _, x, *_ in lines))
        axes.set_ylim(bottom=min(0.0, *(y.min() for _, _, y, *_ in lines)))
        axes.set_title(labels[0] if len(labels) == 1 else f"latency of a decision ({unit})")
        if unit == "%":
            axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        elif len(labels) > 1:
            _label_ends(axes, lines, f"{{:.0f}} {unit}")
        if names == ["policy_version"]:
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))

    return draw


def _svg(name: str, draws: Sequence[Draw | None], *, height: float = 2.9, right: float = 0.985) -> str | None:
    """One figure with its plots side by side, as an `<svg>` element as wide as its place."""
    known = [draw for draw in draws if draw is not None]
    if not known:
        return None
    out = io.StringIO()
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(10, height), facecolor="none")
        figure.subplots_adjust(
            left=0.06, right=right, top=0.90 if height < 4 else 0.97, bottom=0.55 / height, wspace=0.16
        )
        for place, draw in enumerate(known, start=1):
            axes = figure.add_subplot(1, len(known), place, facecolor="none")
            draw(axes)
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return _inline(out.getvalue(), name)


def _inline(svg: str, name: str) -> str:
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r' id="[a-zA-Z0-9.]+_\d+"', "", body)  # named alike in every figure, and nothing refers to them
    body = re.sub(r'^<svg ([^>]*?)width="[^"]*" ', r"<svg \1", body, count=1)
    body = re.sub(r'^<svg ([^>]*?)height="[^"]*" ', r"<svg \1", body, count=1)
    return body.replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1)
