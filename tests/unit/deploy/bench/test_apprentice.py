"""What a log is worth: who decides and who learns what, and how the start after it is held against own decisions."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from deploy.bench import __main__ as command
from deploy.bench import running
from deploy.bench.apprentice import (
    ALONE,
    APPRENTICE,
    BLIND,
    INCUMBENT,
    SEEDS,
    WORLDS,
    Apprentice,
    Incumbent,
    Length,
    run_way,
    runs,
)
from deploy.bench.apprentice_report import json_lines, markdown, worths
from deploy.bench.errors import BenchError
from deploy.bench.harness import play
from deploy.bench.plan import Choice
from deploy.bench.results import Result, Task
from deploy.bench.running import Place
from deploy.bench.world_numeric import linear
from deploy.bench.worlds import REPORT_SEEDS, TUNE_SEEDS

SHORT = Length(logged=1_000, own=250)


class Always:
    """Always chooses the same candidate, with the same propensity, and keeps what it is handed."""

    def __init__(self, action, propensity):
        self.name, self.action, self.propensity = f"always {action}", action, propensity
        self.handed, self.asked = [], 0

    def decide(self, seen):
        self.asked += len(seen.user_B)
        return np.full(len(seen.user_B), self.action), np.full(len(seen.user_B), self.propensity)

    def learn(self, closed, still_open):
        self.handed.append((closed.action_R.tolist(), closed.propensity_R.tolist()))


def result(world, seed, way, lift):
    lifts = {"lift": lift, "quarters": [lift] * 4, "curve": [lift] * 20}
    rates = {"chosen": 0.1, "uniform": 0.05, "oracle": 0.25}
    spent = {"seconds": 1.0, "world_seconds": 1.0, "texts_met": None}
    named = {"world": world, "seed": seed, "player": way, "rounds": 22_000}
    return Result(**named, **lifts, **rates, **spent, cold=False, code="", settings="")


def played(*ways):
    return {way: run_way(SHORT, Task("linear", 0, way, 1_250), Place(Path(), Path())) for way in ways}


@pytest.mark.parametrize("blind", [False, True])
def test_the_incumbent_decides_first_and_the_agent_learns_from_the_start(blind):
    incumbent, agent = Always(3, 0.5), Always(7, 0.25)
    play(linear(0), Apprentice(incumbent, agent, 500, blind=blind), rounds=1_000, update=250)
    told = np.nan if blind else 0.5
    assert [actions for actions, _ in agent.handed] == [[3] * 250] * 2 + [[7] * 250] * 2
    np.testing.assert_equal([p for _, p in agent.handed], [[told] * 250] * 2 + [[0.25] * 250] * 2)
    assert [actions for actions, _ in incumbent.handed] == [[3] * 250] * 2
    assert (incumbent.asked, agent.asked) == (500, 1_000)


def test_the_incumbent_shows_what_it_says_as_often_as_it_says():
    player, world = Incumbent(linear(0), 0), linear(0)
    greedy = []
    for start in range(0, 5_000, 250):
        _, propensity_B = player.decide(world.rounds(start, start + 250).seen)
        assert set(np.round(propensity_B, 9)) <= {0.3 / 20, 0.715}
        greedy += (propensity_B > 0.5).tolist()
    assert np.mean(greedy) == pytest.approx(0.715, abs=0.025)  # four standard errors


def test_a_log_without_propensities_teaches_the_same():
    found = played(APPRENTICE, BLIND)
    assert found[APPRENTICE].lift == found[BLIND].lift
    assert found[APPRENTICE].chosen == found[BLIND].chosen


def test_all_ways_are_measured_over_the_same_rounds():
    found = {
        way: run_way(SHORT, Task("linear", 0, way, 1_250), Place(Path(), Path()))
        for way in (ALONE, APPRENTICE, INCUMBENT)
    }
    assert found[ALONE].oracle == found[APPRENTICE].oracle != found[INCUMBENT].oracle


def test_runs_are_those_of_seeds_that_nothing_was_chosen_on():
    tasks = runs(Choice(), Length())
    assert len(tasks) == len(WORLDS) * len(SEEDS) * 4
    assert {task.rounds for task in tasks} == {22_000}
    assert not set(SEEDS) & {*TUNE_SEEDS, *REPORT_SEEDS}
    with pytest.raises(BenchError, match="between two updates"):
        Length(logged=300)


def test_shares_are_paired_by_seed():
    lifts = {ALONE: (0.5, 0.8), APPRENTICE: (0.4, 0.8), INCUMBENT: (0.3, 0.4)}
    results = [result("linear", seed, way, lift) for way, both in lifts.items() for seed, lift in enumerate(both)]
    results += [result("text", 0, ALONE, 0.5), result("text", 0, APPRENTICE, 0.3), result("text", 0, BLIND, 0.2)]
    linear_, text, together = worths(results)
    assert linear_.share.mean == pytest.approx((0.8 + 1.0) / 2)
    assert (linear_.lifts[INCUMBENT].mean, linear_.blind) == (pytest.approx(0.35), None)
    assert text.share.mean == pytest.approx(0.6)
    assert text.blind.mean == pytest.approx(0.4)
    assert together.share.mean == pytest.approx((0.9 + 0.6) / 2)
    assert "| text |  | 0.500 | 0.300 | 0.600 | 0.400 |" in markdown([text])
    assert json.loads(json_lines([linear_])[0])["ratio"] == 0.9


def test_the_command_writes_the_table(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "ProcessPoolExecutor", lambda jobs, **_: ThreadPoolExecutor(jobs))
    arguments = ["apprentice", "--worlds", "linear", "--seeds", "0", "--ways", "alone,apprentice", "--logged", "500"]
    found = CliRunner().invoke(command.app, [*arguments, "--own", "250", "--out", str(tmp_path)])
    assert found.exit_code == 0, found.output
    assert (tmp_path / "report.md").read_text().count("| linear |") == 1
    line = json.loads((tmp_path / "results.jsonl").read_text())
    assert line["name"] == "apprentice-linear"
    assert line["ratio"] == pytest.approx(line["ours"] / line["theirs"], abs=2e-3)
