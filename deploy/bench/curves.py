"""The learning curves as a picture: a panel for each world, a line for each player, named at its end."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from deploy.bench.results import Result
from deploy.bench.rounds import Floats
from deploy.plots import COLOURS, GRID, INK

_ACROSS = 3
_WIDTH, _HEIGHT = 5.2, 3.1  # inches of a panel
_NAME_GAP = 0.15  # inches between names
_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)))
STYLE: Any = {
    "font.size": 9,
    "text.color": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "xtick.color": INK,
    "ytick.color": INK,
}


def draw_curves(results: Sequence[Result], path: Path) -> None:
    """Writes the picture; each line is the mean over seeds.

    Args:
        results: of the runs, ours first.
        path: of the picture; its suffix names the format.
    """
    worlds = list(dict.fromkeys(each.world for each in results))
    players = list(dict.fromkeys(each.player for each in results))
    down = -(-len(worlds) // _ACROSS)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(_WIDTH * _ACROSS, _HEIGHT * down), layout="constrained")
        for place, world in enumerate(worlds, start=1):
            axes = figure.add_subplot(down, _ACROSS, place)
            axes.set_title(world)
            _panel(axes, [each for each in results if each.world == world], players)
        figure.supylabel("normalised lift", fontsize=9)
        figure.supxlabel("rounds", fontsize=9)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)


def _panel(axes: Axes, results: Sequence[Result], players: Sequence[str]) -> None:
    ends: list[tuple[float, str, str]] = []
    for index, player in enumerate(players):
        mine = [each for each in results if each.player == player]
        if not mine:
            continue
        lift_P: Floats = np.mean([each.curve for each in mine], axis=0)
        round_P = mine[0].rounds * np.arange(1, len(lift_P) + 1) / len(lift_P)
        colour, style = _looks(index)
        axes.plot(round_P, lift_P, color=colour, zorder=3 - index * 0.01, **style)
        ends.append((float(lift_P[-3:].mean()), f"{player} {lift_P[-1]:.2f}", colour))
    axes.axhline(0.0, color=INK, linewidth=0.8)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlim(left=0, right=max(each.rounds for each in results))
    _name_ends(axes, ends)


def _looks(index: int) -> tuple[str, dict[str, Any]]:
    """Ours has a colour to itself and a wide line; peers share the others, told apart by dashes when they run out."""
    if index == 0:
        return COLOURS[0], {"linewidth": 2.6}
    others = COLOURS[1:]
    dash = _DASHES[(index - 1) // len(others) % len(_DASHES)]
    return others[(index - 1) % len(others)], {"linewidth": 1.3, "linestyle": dash}


def _name_ends(axes: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Names lines at their right end, from the lowest up, and keeps the names apart."""
    low, high = axes.get_ylim()
    gap = (high - low) * _NAME_GAP / (0.75 * _HEIGHT)
    height = -np.inf
    for end, name, colour in sorted(ends):
        height = max(end, height + gap)
        axes.annotate(
            name,
            (1.0, height),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            annotation_clip=False,
            fontsize=8,
        )
