"""Figures of speed: ratios within repeats, and what is kept of them by commit."""

import json
import subprocess

import pytest

from deploy.bench.errors import BenchError
from deploy.bench.speed.figure import Figure, Goal, figure, paired
from deploy.bench.speed.history import change, commit_of, earlier, keep
from deploy.bench.speed.staleness import figures_of
from deploy.bench.speed.suite import MODULES, measure_all
from stream.meter import Histogram, Tally


def test_the_ratio_is_taken_within_each_repeat():
    found = figure("x", [10.0, 40.0, 90.0], [20.0, 100.0, 50.0], "records/s", Goal(0.5))
    # the median of .5, .4 and 1.8, not the ratio of the medians, .8; quartiles lie halfway from it to the others
    assert found.ratio == pytest.approx(0.5)
    assert found.spread == pytest.approx((0.5 + 1.8) / 2 - (0.5 + 0.4) / 2)
    assert (found.ours, found.theirs, found.met) == (40.0, 50.0, True)


def test_ages_that_were_not_told_do_not_pass_for_none():
    told = Tally()
    told.observe("age", [400.0] * 99 + [4_000.0])
    ages = told.histograms["age"]
    found = {each.name: each for each in figures_of({"outcome": ages, "click": ages})}
    assert sorted(found) == [f"staleness-{kind}-{name}" for kind in ("click", "outcome") for name in ("p50", "p99")]
    assert [found["staleness-click-p50"].met, found["staleness-click-p50"].theirs] == [True, 1_000.0]
    with pytest.raises(BenchError, match="must tell the age of clicks; it told none"):
        figures_of({"outcome": ages, "click": Histogram()})


def test_of_a_single_repeat_there_is_no_spread():
    found = figure("x", [6.0], [2.0], "ms", Goal(3.5))
    assert (found.ratio, found.spread, found.met) == (3.0, None, False)


def test_a_goal_may_be_a_most():
    assert [Goal(1.5, at_most=True).met(ratio) for ratio in (1.4, 1.5, 1.6)] == [True, True, False]


def test_sides_take_turns():
    told = []
    sides = [lambda: told.append("ours") or 1.0, lambda: told.append("theirs") or 2.0]
    assert paired(*sides, repeats=3) == ([1.0] * 3, [2.0] * 3)
    assert told == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]


def test_figures_are_kept_by_commit_and_compared_with_the_last(tmp_path):
    path = tmp_path / "kept" / "figures.jsonl"
    keep([Figure("x", 1.0, 2.0, "s", 0.5)], path, "aaa", quick=False)
    keep([Figure("x", 3.0, 2.0, "s", 1.5)], path, "aaa", quick=True)
    keep([Figure("x", 1.2, 2.0, "s", 0.6)], path, "bbb", quick=False)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["commit"], line["quick"], line["ratio"]) for line in lines] == [
        ("aaa", False, 0.5),
        ("aaa", True, 1.5),
        ("bbb", False, 0.6),
    ]
    before = earlier(path, quick=False)
    assert change(Figure("x", 1.0, 2.0, "s", 0.45), before) == "-25 % since bbb"
    assert change(Figure("y", 1.0, 2.0, "s", 0.45), before) == ""


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "figures.jsonl"
    path.write_text('{"ratio": 1}\n')
    with pytest.raises(BenchError, match=r"Line 1 of .* must be a figure; got '\{\"ratio\": 1\}'"):
        earlier(path, quick=False)


def test_the_commit_says_when_files_differ(tmp_path):
    def git(*arguments):
        subprocess.run(
            ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            check=True,
            capture_output=True,
        )

    assert commit_of(tmp_path) == "unknown"
    git("init")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-m", "a")
    clean = commit_of(tmp_path)
    assert len(clean) == 12
    (tmp_path / "a").write_text("2")
    assert commit_of(tmp_path) == f"{clean}+"


def test_an_unknown_benchmark_is_named(tmp_path):
    with pytest.raises(BenchError, match=r"must be one of transport, .*; got 'warp'"):
        measure_all(["warp"], quick=True, history=tmp_path / "figures.jsonl", say=print)
    assert MODULES
