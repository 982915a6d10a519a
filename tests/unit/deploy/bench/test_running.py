"""Runs: planned, played, stored, taken up again; and the command."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from typer.testing import CliRunner

from deploy.bench import __main__ as command
from deploy.bench import players, running
from deploy.bench.errors import BenchError
from deploy.bench.plan import Choice, plan
from deploy.bench.players import Entry
from deploy.bench.results import Store, Task
from deploy.bench.running import Place, run_all, run_task
from deploy.bench.worlds import REPORT_SEEDS, TUNE_SEEDS, WORLDS


class Uniform:
    name = "uniform"

    def __init__(self, world, seed):
        self.random = np.random.default_rng(seed)

    def decide(self, seen):
        size, candidates = seen.item_BK.shape
        return self.random.integers(candidates, size=size), np.full(size, 1 / candidates)

    def learn(self, closed, still_open):
        pass


class Broken(Uniform):
    def decide(self, seen):
        raise RuntimeError("out of ideas")


ENTRIES = {
    "ours": Entry(Uniform, "none", ours=True),
    "peer": Entry(Uniform, "--none", ours=False),
    "absent": Entry(lambda world, seed: None, "--never", ours=False),
    "broken": Entry(Broken, "--never", ours=False),
}
KNOWN_PLAYERS = players.known_players


@pytest.fixture(autouse=True)
def few_players(monkeypatch):
    """Players of this file, played in threads: other processes would not know them."""
    monkeypatch.setattr(running, "known_players", lambda: ENTRIES)
    monkeypatch.setattr(players, "known_players", lambda: {name: ENTRIES[name] for name in ("ours", "peer")})
    monkeypatch.setattr(running, "ProcessPoolExecutor", lambda workers, mp_context: ThreadPoolExecutor(workers))


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "data", tmp_path / "out", "one")


def test_all_worlds_seeds_and_players_are_planned():
    tasks = plan(Choice(), ENTRIES)
    assert len(tasks) == len(WORLDS) * 10 * 4
    assert tasks[0] == Task("linear", REPORT_SEEDS[0], "ours", 20_000)


def test_quick_is_small_and_what_is_given_goes_first():
    tasks = plan(Choice(quick=True), ENTRIES)
    assert {(each.world, each.seed) for each in tasks} == {
        (w, s) for w in ("linear", "drift", "text") for s in TUNE_SEEDS[:2]
    }
    assert {each.rounds for each in tasks} == {6_000}
    assert plan(Choice("drift", "5", "peer", 40, quick=True), ENTRIES) == [Task("drift", 5, "peer", 40)]


def test_cold_adds_one_run_of_ours_for_each_world_of_texts():
    tasks = plan(Choice(worlds="linear,text", seeds="1,2", cold=True), ENTRIES)
    assert [each for each in tasks if each.cold] == [Task("text", 1, "ours", 20_000, cold=True)]


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Choice(worlds="mars"), "A world must be one of .*; got 'mars'"),
        (Choice(players="nobody"), "A player must be one of ours, peer, .*; got 'nobody'"),
        (Choice(seeds="1,x"), "Seeds must be numbers .*; got 'x'"),
    ],
)
def test_what_does_not_exist_is_refused(choice, message):
    with pytest.raises(BenchError, match=message):
        plan(choice, ENTRIES)


def test_a_result_knows_how_it_came_about(place):
    result = run_task(Task("linear", 3, "peer", 600), place)
    assert (result.world, result.seed, result.player, result.rounds) == ("linear", 3, "peer", 600)
    assert (result.settings, result.code, result.texts_met) == ("--none", "one", None)
    assert (len(result.quarters), len(result.curve)) == (4, 20)
    assert abs(result.lift) < 0.1


def test_what_is_stored_is_not_played_again(place):
    tasks = [Task("linear", 3, player, 60) for player in ("ours", "peer")]
    said: list[str] = []
    first = run_all(tasks[:1], place, jobs=1, fresh=False, say=said.append)
    both = run_all(tasks, place, jobs=1, fresh=False, say=said.append)
    assert both[0] == first[0]
    assert [line for line in said if "stored" in line] == ["1 runs, 0 of them stored", "2 runs, 1 of them stored"]
    assert sum("lift" in line for line in said) == 2
    run_all(tasks, place, jobs=1, fresh=True, say=said.append)
    assert sum("lift" in line for line in said) == 4


def test_results_of_other_code_do_not_count(place):
    task = Task("linear", 3, "ours", 60)
    run_all([task], place, jobs=1, fresh=False, say=str)
    folder = place.out / "results"
    assert Store(folder, "two").get(task) is None
    assert Store(folder, "one").get(task) == Store(folder).get(task) is not None
    assert Store(folder).get(task._replace(rounds=61)) is None


def test_a_stored_result_that_cannot_be_read_is_named(place):
    task = Task("linear", 3, "ours", 60)
    run_all([task], place, jobs=1, fresh=False, say=str)
    next((place.out / "results").rglob("*.json")).write_text("{")
    with pytest.raises(BenchError, match=r"must be readable .* got .*ours-3-60\.json"):
        place.store.get(task)


def test_one_failure_leaves_the_others(place):
    tasks = [Task("linear", 3, player, 60) for player in ("broken", "absent", "ours")]
    said: list[str] = []
    with pytest.raises(BenchError, match=r"got 1 of 3 that failed, first .*broken.*out of ideas"):
        run_all(tasks, place, jobs=1, fresh=False, say=said.append)
    assert place.store.get(tasks[2]) is not None
    assert any("absent: does not play this world" in line for line in said)


def test_a_missing_package_of_the_peers_names_the_extra(monkeypatch):
    for name in [each for each in sys.modules if each.startswith("deploy.bench.peer")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy.linalg", None)
    with pytest.raises(BenchError, match=r"pip install 'streambandit\[peers\]'\); got no module 'scipy.linalg'"):
        KNOWN_PLAYERS()


def test_players_are_known_with_settings_and_what_they_skip():
    known = KNOWN_PLAYERS()
    assert [entry.ours for entry in known.values()] == sorted((entry.ours for entry in known.values()), reverse=True)
    assert all(entry.settings for entry in known.values())
    assert "skips many-items: " in known["mabwiser"].settings


def test_the_command_writes_report_lines_and_picture(tmp_path):
    options = ["--worlds", "linear", "--seeds", "0,1", "--rounds", "60", "--jobs", "1", "--out", str(tmp_path)]
    found = CliRunner().invoke(command.app, options, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    assert "| linear | 2 |" in (tmp_path / "report.md").read_text()
    assert '"name": "learning-linear"' in (tmp_path / "results.jsonl").read_text()
    assert '"name": "learning-linear"' in found.output
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_wrong_is_one_red_line(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["bench", "--worlds", "mars"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    assert "got 'mars'" in capsys.readouterr().err
