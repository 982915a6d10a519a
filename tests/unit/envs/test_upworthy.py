"""The headline archive: arms drawn without replacement, tests in their order, and errors that say what is wrong."""

import csv
import gzip
from collections import Counter
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from envs.errors import WorldError
from envs.upworthy import UpworthyScene, UpworthySettings
from envs.upworthy_file import FILE_NAME, read_tests
from envs.world import Arrival

ARCHIVE = Path(__file__).parents[4] / "shared" / "data" / "upworthy"
COLUMNS = ("test_id", "test_created_utc", "arm", "headline", "lede", "impressions", "clicks", "clean")
ROWS = (
    ("late", "2014-02-01 00:00:00", "0", "A late &amp; lonely <i>headline</i>", "<p>One</p>", 40, 4, 1),
    ("late", "2014-02-01 00:00:00", "1", "Another late headline", "<p>Two</p>", 40, 2, 1),
    ("early", "2013-02-01 00:00:00", "0", "An early headline", "<p>The same<br>lede</p>", 10, 5, 1),
    ("early", "2013-02-01 00:00:00", "1", "A second early headline", "<p>The same<br>lede</p>", 20, 1, 1),
    ("early", "2013-02-01 00:00:00", "2", "A third early headline", "<p>The same<br>lede</p>", 30, 3, 1),
    ("alone", "2013-03-01 00:00:00", "0", "A headline without a rival", "", 30, 3, 1),
    ("alone", "2013-03-01 00:00:00", "1", "Its rival is not clean", "", 30, 3, 0),
)


def write(folder, rows=ROWS, columns=COLUMNS):
    with gzip.open(folder / FILE_NAME, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return folder


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path)


def scene_of(folder, seed=0, **settings):
    return UpworthyScene(UpworthySettings(path=folder, **settings), seed)


def play(scene, choose):
    """Shows `choose(view)` until the scene ends; the item, the click and the slate's size of each impression."""
    shown = []
    for index in count():
        view = scene.emit(Arrival(index, f"w{index}", 1_700_000_000_000 + index))
        if view is None:
            return shown
        action = choose(view)
        item = view.impression.candidates[action].item_id
        shown.append((item, scene.clicked(view, action, uniform=0.5), len(view.rates_K)))
    raise AssertionError


def first(_):
    return 0


def test_tests_are_read_oldest_first_and_only_with_two_clean_arms(folder):
    early, late = read_tests(folder)
    assert [arm.item_id for arm in early.arms] == ["early:0", "early:1", "early:2"]
    assert (early.lede, late.lede) == ("The same lede", None)
    assert late.arms[0].headline == "A late & lonely headline"
    assert read_tests(folder / FILE_NAME, max_tests=1) == [early]


def test_an_impression_is_a_test_and_its_truth_the_recorded_click_rates(folder):
    view = scene_of(folder, concurrent_tests=1).emit(Arrival(0, "w0", 5))
    assert view.rates_K.tolist() == [0.5, 0.05, 0.1]
    assert view.impression.candidates[2].text == "A third early headline"
    assert (view.impression.context.text, view.impression.user_id) == ("The same lede", "visitor-w0")
    assert scene_of(folder, concurrent_tests=1, lede=False).emit(Arrival(0, "w0", 5)).impression.context.text is None


def test_an_arm_gives_exactly_its_recorded_clicks_and_then_leaves(folder):
    scene = scene_of(folder, concurrent_tests=1, max_tests=1)
    shown = play(scene, first)
    # the first arm until it is empty, then the second; with one arm left there is nothing to choose
    assert [item for item, _, _ in shown] == ["early:0"] * 10 + ["early:1"] * 20
    assert [size for _, _, size in shown] == [3] * 10 + [2] * 20
    assert Counter(item for item, clicked, _ in shown if clicked) == {"early:0": 5, "early:1": 1}
    assert (scene.empty_arm_share, scene.overdrawn) == (1.0, 0)


def test_the_kth_showing_of_an_arm_has_one_outcome_whatever_was_shown_between(folder):
    def outcomes(choose, seed):
        shown = play(scene_of(folder, seed, concurrent_tests=1, max_tests=1), choose)
        return [clicked for item, clicked, _ in shown if item == "early:0"]

    turns = np.random.default_rng(0)
    mixed = outcomes(lambda view: int(turns.integers(len(view.rates_K))), seed=1)
    assert mixed == outcomes(first, seed=1)[: len(mixed)]
    assert outcomes(first, seed=1) != outcomes(first, seed=2)


def test_every_order_of_outcomes_is_equally_likely(folder):
    """Of ten recorded outcomes five are clicks; over 400 seeds each place of the queue is one in half of them."""
    orders = np.array([
        [clicked for _, clicked, _ in play(scene_of(folder, seed, max_tests=1), first)[:10]] for seed in range(400)
    ])  # fmt: skip
    assert (orders.sum(axis=1) == 5).all()
    assert np.abs(orders.mean(axis=0) - 0.5).max() < 4 * 0.5 / 400**0.5


def test_tests_run_at_the_same_time_and_leave_after_their_impressions(folder):
    scene = scene_of(folder, impressions_per_test=6, concurrent_tests=2)
    assert scene.impressions == 12
    shown = play(scene, lambda view: len(view.rates_K) - 1)
    tests = [item.split(":")[0] for item, _, _ in shown]
    assert Counter(tests) == {"early": 6, "late": 6}
    assert tests not in (["early"] * 6 + ["late"] * 6, ["late"] * 6 + ["early"] * 6)
    assert (scene.tests_started, scene.tests_with_empty_arm, scene.impressions) == (2, 0, 12)


def test_an_arm_that_ran_empty_while_a_decision_was_on_its_way_is_drawn_from_its_rate(folder):
    scene = scene_of(folder, concurrent_tests=1, max_tests=1)
    views = [scene.emit(Arrival(index, f"w{index}", 5)) for index in range(12)]
    outcomes = [scene.clicked(view, 0, uniform=0.4 + 0.2 * (index % 2)) for index, view in enumerate(views)]
    assert sum(outcomes[:10]) == 5
    assert outcomes[10:] == [True, False]  # the rate is 0.5; the uniforms are 0.4 and 0.6
    assert scene.overdrawn == 2


def test_a_path_that_is_not_there_is_named(tmp_path):
    with pytest.raises(WorldError, match=r"must be packages.csv.gz or the folder that holds it; got .*nowhere"):
        read_tests(tmp_path / "nowhere")


def test_a_missing_column_is_named(tmp_path):
    write(tmp_path, rows=[], columns=[name for name in COLUMNS if name != "clicks"])
    with pytest.raises(WorldError, match="must have the column 'clicks'; got"):
        read_tests(tmp_path)


@pytest.mark.parametrize(("impressions", "clicks"), [("ten", "1"), ("5", "6"), ("0", "0"), ("5", "-1")])
def test_counts_that_cannot_be_are_named(tmp_path, impressions, clicks):
    write(tmp_path, rows=[(*ROWS[0][:5], impressions, clicks, 1), ROWS[1]])
    with pytest.raises(WorldError, match=f"arm late:0 must have impressions >= clicks >= 0; got '{impressions}'"):
        read_tests(tmp_path)


def test_a_file_that_is_not_gzip_or_holds_no_test_is_refused(tmp_path):
    (tmp_path / "plain.csv").write_text("test_id\n")
    with pytest.raises(WorldError, match="must be gzipped UTF-8 text"):
        read_tests(tmp_path / "plain.csv")
    with pytest.raises(WorldError, match="must hold a test with two clean arms"):
        read_tests(write(tmp_path, rows=ROWS[-2:]))


@pytest.mark.skipif(not ARCHIVE.is_dir(), reason="the archive is not beside the project (shared/data/upworthy)")
def test_the_real_archive_has_its_known_size_and_click_rate():
    tests = read_tests(ARCHIVE)
    arms = [arm for test in tests for arm in test.arms]
    assert (len(tests), len(arms)) == (2_301, 11_029)
    assert sum(arm.clicks for arm in arms) / sum(arm.impressions for arm in arms) == pytest.approx(0.01348, abs=2e-4)
    scene = scene_of(ARCHIVE, max_tests=20, impressions_per_test=100)
    random = np.random.default_rng(0)
    assert len(play(scene, lambda view: int(random.integers(len(view.rates_K))))) == 2_000
