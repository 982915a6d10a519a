"""The comparison of the learned level with fixed ones, worked by hand."""

import json

import numpy as np
import pytest

from deploy.bench.errors import BenchError
from deploy.bench.exploring import PLAYERS, SEEDS, TUNED, runs
from deploy.bench.exploring_picture import Watched, draw_levels
from deploy.bench.exploring_report import against_best, against_each, json_lines, markdown
from deploy.bench.results import Result
from deploy.bench.worlds import REPORT_SEEDS, TUNE_SEEDS, WORLDS


def result(world, seed, player, lift):
    return Result(
        world=world,
        seed=seed,
        player=player,
        rounds=512,
        cold=False,
        code="",
        settings="",
        lift=lift,
        quarters=[],
        curve=[],
        chosen=0.1,
        uniform=0.05,
        oracle=0.2,
        seconds=1.0,
        world_seconds=1.0,
        texts_met=None,
    )


LIFTS = {  # by world and player, of seeds 0 and 1
    "linear": {TUNED: (0.5, 0.7), "low": (0.6, 0.6), "high": (0.4, 0.6)},
    "drift": {TUNED: (0.3, 0.5), "low": (0.1, 0.2), "high": (0.32, 0.5)},
}
RESULTS = [
    result(world, seed, player, lift)
    for world, players in LIFTS.items()
    for player, lifts in players.items()
    for seed, lift in enumerate(lifts)
]


def test_the_best_fixed_level_is_that_of_the_best_mean_and_differences_are_paired():
    linear, drift = against_best(RESULTS)
    assert (linear.best, drift.best) == ("low", "high")
    assert linear.difference.mean == pytest.approx((-0.1 + 0.1) / 2)
    assert drift.difference.mean == pytest.approx((-0.02 + 0.0) / 2)
    # t of one degree of freedom 12.706 times sd .01414 / sqrt(2)
    assert drift.difference.half == pytest.approx(12.706 * 0.01, rel=1e-3)
    assert not drift.holds


def test_each_fixed_level_is_compared_over_all_worlds():
    low, high = (against_each(RESULTS)[name] for name in ("low", "high"))
    # seed 0: tuned .4, low .35, high .36; seed 1: .6, .4, .55
    assert low.mean == pytest.approx((0.05 + 0.2) / 2)
    assert high.mean == pytest.approx((0.04 + 0.05) / 2)


def test_a_seed_that_somebody_has_not_played_does_not_count():
    found = [each for each in RESULTS if (each.world, each.seed, each.player) != ("linear", 1, "high")]
    assert [each.seeds for each in against_best(found)] == [1, 2]
    assert against_each(found)["low"].mean == pytest.approx(0.05)
    assert against_each(found)["low"].half is None


def test_the_report_tells_all_of_it():
    assert "| drift | 2 | 0.400 | 0.150 | 0.410 | high |" in markdown(RESULTS)
    first, _ = map(json.loads, json_lines(RESULTS))
    assert (first["name"], first["ours"], first["theirs"], first["ratio"]) == ("explore-linear", 0.6, 0.6, 1.0)


def test_seeds_are_fresh_and_runs_come_seed_by_seed():
    assert not set(SEEDS) & {*REPORT_SEEDS, *TUNE_SEEDS}
    tasks = runs(None, None, 512)
    assert len(tasks) == len(WORLDS) * len(SEEDS) * len(PLAYERS)
    assert [task.seed for task in tasks] == sorted(task.seed for task in tasks)
    with pytest.raises(BenchError, match="world must be one of"):
        runs("nowhere", None, 512)


def test_only_the_learned_level_has_the_default_settings():
    assert [name for name, entry in PLAYERS.items() if entry.settings == "the defaults"] == [TUNED]


def test_the_picture_is_written(tmp_path):
    levels = np.array([[0.5, np.nan, 0.4], [np.nan, 0.3, 0.3], [np.nan, np.nan, np.nan]])
    draw_levels([Watched("here", levels, [1]), Watched("there", levels, [])], tmp_path / "levels.png")
    assert (tmp_path / "levels.png").read_bytes().startswith(b"\x89PNG")
