"""What late clicks cost: the ways meet the same rounds, and their losses are paired by seed."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from functools import partial

import numpy as np
import pytest
from typer.testing import CliRunner

from deploy.bench import __main__ as command
from deploy.bench import running
from deploy.bench.delay import CORRECTED, IMMEDIATE, WAITING, WAYS, AtOnce, run_way, runs, waits
from deploy.bench.delay_report import json_lines, losses, markdown
from deploy.bench.errors import BenchError
from deploy.bench.harness import play
from deploy.bench.results import Result, Task
from deploy.bench.rounds import Rounds, Seen
from deploy.bench.running import Place, run_all
from deploy.bench.world_numeric import linear
from deploy.bench.world_simulated import Waiting
from deploy.bench.worlds import REPORT_SEEDS


class Steps:
    """Two candidates, the second always clicked, after 0, 1, 2, ... rounds; the window is 3."""

    name, text, returning, window = "steps", 0, False, 3

    def rounds(self, start, stop):
        size, round_B = stop - start, np.arange(start, stop)
        seen = Seen(
            context_BC=round_B[:, None].astype(np.float32),
            candidate_BKD=np.zeros((size, 2, 1), np.float32),
            item_BK=np.tile([5, 6], (size, 1)),
            user_B=round_B,
            start=start,
        )
        return Rounds(seen, np.tile([0.0, 1.0], (size, 1)), np.full((size, 2), 0.5), delay_B=round_B)


class Second:
    """Always chooses the second candidate, and keeps what it is handed."""

    name = "second"

    def __init__(self):
        self.handed = []

    def decide(self, seen):
        return np.ones(len(seen.user_B), np.int64), np.ones(len(seen.user_B))

    def learn(self, closed, still_open):
        self.handed.append((closed, still_open))


def result(seed, way, lift):
    lifts = {"lift": lift, "quarters": [lift] * 4, "curve": [lift] * 20}
    rates = {"chosen": 0.1, "uniform": 0.05, "oracle": 0.25}
    task = {"world": "linear-9-4", "seed": seed, "player": way, "rounds": 20, "cold": False}
    return Result(**task, **lifts, **rates, code="", settings="", seconds=0.0, world_seconds=0.0, texts_met=None)


@pytest.fixture
def in_threads(monkeypatch):
    """Plays in threads, which load nothing anew."""
    monkeypatch.setattr(running, "ProcessPoolExecutor", lambda jobs, mp_context: ThreadPoolExecutor(jobs))


def test_at_once_a_click_within_the_window_is_known_and_a_later_one_never_comes():
    player = Second()
    play(AtOnce(Steps()), player, rounds=6, update=3)
    # Delays are 0, 1, 2 | 3, 4, 5: those up to the window of 3 count, in the very update of their round.
    assert [closed.reward_R.tolist() for closed, _ in player.handed] == [[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]
    assert [closed.user_R.tolist() for closed, _ in player.handed] == [[0, 1, 2], [3, 4, 5]]
    assert [still_open for _, still_open in player.handed] == [None, None]


def test_at_once_teaches_what_the_end_of_the_window_teaches():
    late, at_once = Second(), Second()
    play(linear(0, waiting=Waiting(40, 30.0)), late, rounds=2_000, update=20)
    play(AtOnce(linear(0, waiting=Waiting(40, 30.0))), at_once, rounds=2_000, update=20)
    early_R, settled_R = (np.concatenate([c.reward_R for c, _ in player.handed]) for player in (at_once, late))
    assert len(early_R) == 2_000
    assert len(settled_R) == 1_961
    np.testing.assert_array_equal(early_R[: len(settled_R)], settled_R)
    assert settled_R.any()


def test_the_ways_meet_the_same_rounds_and_only_late_clicks_differ():
    late, at_once = linear(3, waiting=Waiting(40, 30.0)), AtOnce(linear(3, waiting=Waiting(40, 30.0)))
    for start, stop in ((0, 100), (100, 250)):
        one, other = late.rounds(start, stop), at_once.rounds(start, stop)
        for name in (each.name for each in fields(Seen) if each.name != "start"):
            np.testing.assert_array_equal(getattr(one.seen, name), getattr(other.seen, name))
        np.testing.assert_array_equal(one.probability_BK, other.probability_BK)
        timely_B = one.delay_B <= 40
        assert 0 < timely_B.sum() < len(timely_B)
        np.testing.assert_array_equal(one.draw_BK[timely_B], other.draw_BK[timely_B])
        assert not (other.draw_BK < other.probability_BK)[~timely_B].any()


def test_windows_share_rounds_clicks_and_delays():
    short, long = (linear(3, waiting=Waiting(window, 30.0)).rounds(0, 50) for window in (40, 400))
    for name in ("probability_BK", "draw_BK", "delay_B"):
        np.testing.assert_array_equal(getattr(short, name), getattr(long, name))


def test_the_ways_start_from_the_same_draws_and_differ_in_what_open_rounds_do():
    world = linear(0, waiting=Waiting(40, 30.0))
    seen = world.rounds(0, 64).seen
    made = {way: entry.make(world, 0) for way, entry in WAYS.items()}
    chosen = [player.decide(seen)[0].tolist() for player in made.values()]
    assert chosen[0] == chosen[1] == chosen[2]
    read = {way: player.settings.delay.open_decisions for way, player in made.items()}
    assert read == {IMMEDIATE: True, WAITING: False, CORRECTED: True}
    assert {default_otherwise(player).model_dump_json() for player in made.values()} == {
        default_otherwise(made[CORRECTED]).model_dump_json()
    }


def default_otherwise(player):
    """Its settings, but with open decisions read."""
    settings = player.settings
    return settings.model_copy(update={"delay": settings.delay.model_copy(update={"open_decisions": True})})


def test_every_way_plays_every_seed_in_every_world():
    worlds = waits(None, 500.0)
    assert worlds == {"linear-1200-500": Waiting(1_200, 500.0), "linear-5000-500": Waiting(5_000, 500.0)}
    tasks = runs(worlds, None, 20_000)
    assert len(tasks) == len(set(tasks)) == 2 * len(REPORT_SEEDS) * 3
    assert runs(waits("7", 2.5), "4", 60) == [Task("linear-7-2.5", 4, way, 60) for way in WAYS]


@pytest.mark.parametrize("windows", ["0", "1200,x", "-3", "1,,2"])
def test_what_is_no_window_is_refused(windows):
    with pytest.raises(BenchError, match="Windows must be numbers of rounds above 0"):
        waits(windows, 500.0)


def test_losses_are_paired_by_seed():
    lifts = {0: (0.8, 0.6, 0.75), 1: (0.9, 0.5, 0.75)}
    found = [result(seed, way, lift) for seed in lifts for way, lift in zip(WAYS, lifts[seed], strict=True)]
    (one,) = losses(found)
    # Waiting loses 0.2 and 0.4, corrected 0.05 and 0.15: beyond half of it -0.05 twice, with nothing between the seeds.
    assert one.waiting.mean == pytest.approx(0.3)
    assert one.corrected.mean == pytest.approx(0.1)
    assert one.share == pytest.approx(1 / 3)
    assert tuple(one.beyond) == pytest.approx((-0.05, 0.0))
    text = markdown([one])
    assert "| 0 | 0.800 | 0.600 | 0.750 |" in text
    assert "loses: 0.33." in text
    line = json.loads(json_lines([one])[0])
    assert line["name"] == "delay-linear-9-4"
    assert (line["ours"], line["theirs"], line["ratio"], line["spread"]) == (0.1, 0.3, 0.3333, 0.0)


def test_where_waiting_loses_nothing_there_is_no_share():
    (one,) = losses([result(0, way, 0.5) for way in WAYS])
    assert one.share is None
    assert "loses: –." in markdown([one])
    assert json.loads(json_lines([one])[0])["ratio"] is None


def test_what_is_stored_is_not_played_again(tmp_path):
    worlds = waits("9", 4.0)
    tasks = runs(worlds, "0", 20)
    place = Place(tmp_path, tmp_path)
    kept = [result(0, way, 0.25) for way in WAYS]
    for each in kept:
        place.store.put(each)
    said: list[str] = []
    run = partial(run_way, worlds)
    assert run_all(tasks, place, jobs=1, fresh=False, say=said.append, run=run) == kept
    assert said == ["3 runs, 3 of them stored"]


def test_the_command_writes_report_and_lines(tmp_path, in_threads):
    options = ["--seeds", "0,1", "--rounds", "60", "--windows", "9", "--mean", "4", "--out", str(tmp_path)]
    for _ in range(2):
        found = CliRunner().invoke(command.app, ["delay", *options], catch_exceptions=False)
        assert found.exit_code == 0, found.output
    assert "6 runs, 6 of them stored" in found.output
    assert "## linear-9-4" in (tmp_path / "report.md").read_text()
    assert '"name": "delay-linear-9-4"' in (tmp_path / "results.jsonl").read_text()
    assert '"name": "delay-linear-9-4"' in found.output
