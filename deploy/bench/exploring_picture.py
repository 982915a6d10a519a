"""The level of exploring over time and by the age of users, as a picture: `exploration.png` of `bench explore`."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from agent.settings import ExploreSettings
from deploy.bench.curves import STYLE
from deploy.bench.exploring import without_network
from deploy.bench.harness import UPDATE, play
from deploy.bench.ours import DefaultPolicy
from deploy.bench.rounds import Floats, Ints, Learned, Open, Seen, World
from deploy.plots import COLOURS

_AGES = {"first 5 visits": (0.0, 5.0), "6th to 20th": (5.0, 20.0), "later": (20.0, np.inf)}


class Watched(NamedTuple):
    """A run, update by update.

    Attributes:
        world: its name.
        level_AU: mean level of decisions for users of each age in each update; NaN where there were none.
        changes: updates in which a change was noticed.
    """

    world: str
    level_AU: Floats
    changes: list[int]


class _Watched(DefaultPolicy):
    """The default policy, with the levels of its decisions written down."""

    def __init__(self, world: World, seed: int) -> None:
        super().__init__(world, seed, without_network(ExploreSettings()))
        self.levels: list[Floats] = []
        self.changes: list[int] = []
        self._noticed = 0

    def decide(self, seen: Seen) -> tuple[Ints, Floats]:
        decided = super().decide(seen)
        count = len(seen.user_B)
        level_B, known_BU = self.told_R4[-count:, 0], self.known_RU[-count:]
        met_B = np.expm1(known_BU[:, -3]) + np.expm1(known_BU[:, -2])
        ages = [level_B[(met_B >= low) & (met_B < high)] for low, high in _AGES.values()]
        self.levels.append(np.array([found.mean() if len(found) else np.nan for found in ages]))
        return decided

    def learn(self, closed: Learned, still_open: Open | None) -> None:
        super().learn(closed, still_open)
        if self.changes_noticed > self._noticed:
            self._noticed = self.changes_noticed
            self.changes.append(len(self.levels))


def watch(world: World, seed: int, rounds: int) -> Watched:
    """Plays a world with the default policy and writes the levels of its decisions down."""
    player = _Watched(world, seed)
    play(world, player, rounds)
    return Watched(world.name, np.array(player.levels).T, player.changes)


def draw_levels(found: Sequence[Watched], path: Path) -> None:
    """Writes the picture: a panel for each run, a line for each age of users."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6 * len(found), 3.0), layout="constrained")
        for place, each in enumerate(found, start=1):
            _panel(figure.add_subplot(1, len(found), place), each)
        figure.supxlabel("rounds", fontsize=9)
        figure.supylabel("share of decisions that explore", fontsize=9)
        figure.savefig(path, dpi=90)


def _panel(axes: Axes, watched: Watched) -> None:
    axes.set_title(watched.world)
    for (age, level_U), colour in zip(zip(_AGES, watched.level_AU, strict=True), COLOURS, strict=False):
        if np.isfinite(level_U).any():
            round_U = UPDATE * np.arange(len(level_U))
            axes.plot(round_U, level_U, color=colour, label=age if len(watched.level_AU) > 1 else None)
    for update in watched.changes:
        axes.axvline(UPDATE * update, color=COLOURS[3], linewidth=1.0, linestyle="--", label="change noticed")
    axes.set_ylim(0.0, 1.0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.legend(frameon=False, fontsize=8)
