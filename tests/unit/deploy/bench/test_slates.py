"""The benchmark of slates: the world by hand, which runs are asked for, and a small run with its report."""

import json

import numpy as np
import pytest

from deploy.bench.errors import BenchError
from deploy.bench.results import Task
from deploy.bench.running import Place
from deploy.bench.slate_play import OURS, SEEDS, WAYS, WORLD, plan_slates, read_learned, run_way
from deploy.bench.slate_report import report
from deploy.bench.slate_world import CANDIDATES, EXAMINED_L, SLOTS, SlateRounds, SlateWorld

TASK = Task(WORLD, 7, OURS, 2_560)


def test_a_click_is_seen_attractive_and_new():
    # slots seen 1, .7, .52: .8, .7 * .6 * .5, .52 * .4
    assert EXAMINED_L[:3].tolist() == [1.0, 0.7, 0.52]
    rounds = SlateRounds([], np.array([[0.8, 0.6, 0.4, 0.0, 0.0]]), np.ones((1, 5, 5)))
    rounds.new_BKK[0, 0, 1] = rounds.new_BKK[0, 1, 0] = 0.5
    expected = [0.8, 0.7 * 0.6 * 0.5, 0.52 * 0.4, 0.0, 0.0]
    assert rounds.clicks(np.array([[0, 1, 2, 3, 4]]))[0].tolist() == pytest.approx(expected)
    assert rounds.best()[0, :3].tolist() == [0, 2, 1]  # .4 beside .8 beats .6 of its kind, which is worth .3 there


def test_the_world_offers_several_items_of_a_topic_and_the_same_seed_gives_the_same():
    one, other, another = (SlateWorld(seed).rounds(64) for seed in (3, 3, 4))
    assert one.impressions == other.impressions
    assert one.impressions != another.impressions
    assert all(len(each.candidates) == CANDIDATES and each.slots == SLOTS for each in one.impressions)
    # an item loses something below most of the three others of its topic, and below hardly any of the rest
    lost = (one.new_BKK < 0.9).sum(axis=2) - 1
    assert 2.0 < lost.mean() < 4.5
    assert 0.05 < one.attractive_BK.mean() < 0.25


def test_the_best_slates_are_not_beaten_by_any_drawn_at_random():
    rounds, random = SlateWorld(1).rounds(200), np.random.default_rng(0)
    best = rounds.clicks(rounds.best()).sum(axis=1)
    for _ in range(20):
        drawn = random.random((200, CANDIDATES)).argsort(axis=1)[:, :SLOTS]
        assert (rounds.clicks(drawn).sum(axis=1) <= best + 1e-12).all()


def test_runs_are_planned_way_by_way_with_the_seeds_of_the_report():
    assert [task.seed for task in plan_slates(None, 2_560)][: len(SEEDS)] == list(SEEDS)
    assert [task.player for task in plan_slates("1", 2_560)] == list(WAYS)
    assert [task.player for task in plan_slates("1", 2_560, "ranking")] == [OURS, "ranking"]
    with pytest.raises(BenchError, match="Seeds must be numbers separated by commas; got 'x'"):
        plan_slates("x", 2_560)
    with pytest.raises(BenchError, match="A way must be one of slates, ranking, proportional, unexamined; got 'best'"):
        plan_slates("1", 2_560, "best")


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A small run of ours and one of another way, and where they lie."""
    out = tmp_path_factory.mktemp("bench")
    return out, *(run_way(TASK._replace(player=way), Place(out, out)) for way in (OURS, "proportional"))


def test_a_run_is_played_stored_and_reported(played, tmp_path):
    out, result, _ = played
    assert 0.2 < result.lift < 1.0
    assert result.uniform < result.chosen < result.oracle
    learned = read_learned(out / "learned" / "slates-7-2560.npz")
    assert learned.examined_TL.shape == (1, SLOTS)
    assert sum(len(block.shown_BL) for block in learned.blocks) == 2_560
    text, lines = report([result], out)
    assert "2,560 slates of `slates`" in text
    assert "Decisions whose slots their probabilities do not explain: 0;" in text
    assert lines == []
    with pytest.raises(BenchError, match="What a run learned must lie beside its stored result"):
        report([result], tmp_path)


def test_ours_is_compared_to_each_other_way_by_seed(played):
    out, ours, theirs = played
    text, (line,) = report([ours, theirs], out)
    told = json.loads(line)
    assert told["name"] == "slates-proportional"
    assert told["ours"] == round(ours.lift, 4)
    assert told["ratio"] == round(ours.lift / theirs.lift, 4)
    assert f"| {ours.lift - theirs.lift:.3f} |" in text
