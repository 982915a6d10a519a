"""Comparison and report: paired differences by hand, tables, lines and the picture."""

import json

import pytest

from deploy.bench.compare import compared, mean_of
from deploy.bench.curves import draw_curves
from deploy.bench.report import json_lines, markdown
from deploy.bench.results import PARTS, Result


def result(world="linear", seed=0, player="ours", lift=0.5, **others):
    known = {
        "rounds": 100,
        "cold": False,
        "code": "",
        "settings": f"{player} --fast",
        "quarters": [lift] * 4,
        "curve": [lift] * PARTS,
        "chosen": 0.1,
        "uniform": 0.05,
        "oracle": 0.2,
        "seconds": 1.5,
        "world_seconds": 0.25,
        "texts_met": None,
    }
    return Result(world=world, seed=seed, player=player, lift=lift, **(known | others))


# Best peers: linucb on seed 0 (0.4), vw on seeds 1 and 2 (0.6, 0.5). Differences 0.1, 0.2, 0.3: 0.2 ± 4.303 · 0.1 / √3.
THREE = [
    result(seed=seed, player=player, lift=lift)
    for player, lifts in (("ours", (0.5, 0.8, 0.8)), ("linucb", (0.4, 0.1, 0.3)), ("vw", (0.3, 0.6, 0.5)))
    for seed, lift in enumerate(lifts)
]


def test_the_mean_of_one_seed_has_no_interval():
    assert mean_of([0.5]).half is None
    assert str(mean_of([0.5])) == "0.500"


def test_differences_are_paired_with_the_best_peer_of_each_seed():
    (found,) = compared(THREE, "ours")
    assert found.seeds == 3
    assert found.best == {"vw": 2, "linucb": 1}
    assert found.theirs.mean == pytest.approx(0.5)
    assert found.difference.mean == pytest.approx(0.2)
    assert found.difference.half == pytest.approx(4.3027 * 0.1 / 3**0.5, rel=1e-4)


def test_the_last_quarter_is_that_of_the_same_peer():
    one = result(quarters=[0.0, 0.0, 0.0, 0.9])
    steady, late = result(player="vw", lift=0.6), result(player="late", lift=0.2, quarters=[0.0, 0.0, 0.0, 0.8])
    assert compared([one, steady, late], "ours")[0].last_quarter.mean == pytest.approx(0.9 - 0.6)


def test_seeds_that_only_one_side_played_do_not_count():
    (found,) = compared([*THREE, result(seed=7, lift=-9.0), result(seed=8, player="vw", lift=9.0)], "ours")
    assert found.seeds == 3
    assert not compared([result()], "ours")


def test_a_line_for_each_world():
    (line,) = json_lines([*THREE, result(world="alone")], "ours")
    assert json.loads(line) == {
        "name": "learning-linear",
        "ratio": 1.4,
        "ours": 0.7,
        "theirs": 0.5,
        "unit": "normalised lift",
        "spread": 0.2484,
    }


def test_the_report_says_who_is_ahead_and_how_each_was_set():
    text = markdown([*THREE, result(world="text", texts_met=1.0)], "ours")
    assert "| linear | 3 | 0.700 ± 0.430 | 0.500 ± 0.248 | 0.200 ± 0.248 | open |" in text
    assert "vw (2), linucb (1)" in text
    assert "| vw | `vw --fast` | 0.467 | 3 |" in text
    assert "| text | 0.500 | – | – |" in text
    assert "| linear | 1.5 | 1.5 | 1.5 |" in text


@pytest.mark.parametrize(("lifts", "verdict"), [((0.6, 0.61), "ahead"), ((0.2, 0.21), "behind"), ((0.2, 0.6), "open")])
def test_an_interval_without_zero_decides(lifts, verdict):
    both = [result(seed=seed, lift=lift) for seed, lift in enumerate(lifts)]
    peers = [result(seed=seed, player="vw", lift=0.4) for seed in (0, 1)]
    assert f"| {verdict} |" in markdown([*both, *peers], "ours")


def test_cold_runs_stand_apart():
    cold = result(world="text", cold=True, lift=0.1234, texts_met=0.9876)
    text = markdown([*THREE, cold], "ours")
    assert "| text | ours | 0 | 0.123 | 0.988 | 1.5 | 0.2 |" in text
    assert "| text |" not in text.split("## Texts encoded")[0]


def test_the_picture_shows_every_world(tmp_path):
    many = [result(world, player=f"player {index}") for world in ("linear", "text") for index in range(8)]
    draw_curves(many, tmp_path / "deep" / "curves.svg")
    svg = (tmp_path / "deep" / "curves.svg").read_text()
    assert svg.count("<!-- player 7 0.50 -->") == 2
    assert "<!-- linear -->" in svg
