"""A benchmark world in the event loop: what it shows when, what is clicked, and how it is measured."""

import json
from functools import partial

import numpy as np
import pytest
from typer.testing import CliRunner

from deploy.bench import __main__ as command
from deploy.bench import loop
from deploy.bench.errors import BenchError
from deploy.bench.loop import Lifts, compare, json_lines, play_deterministic, play_live, table
from deploy.bench.loop_world import ROUND_MS, LoopWorld, window_ms
from deploy.bench.rounds import Rounds, Seen
from deploy.bench.world_numeric import linear
from stream.events import Click, Impression, Recommendation, Slot

# RLlib 2.60 itself calls what it deprecates, and leaves its log files open.
FILTERS = ["ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::UserWarning", "ignore::FutureWarning"]


class Steps:
    """A world of two candidates: the first is never clicked, the second in every even round, after `delay` rounds."""

    name, text, returning = "steps", 0, False

    def __init__(self, window: int = 0, delay: int = 0) -> None:
        self.window, self.delay = window, delay

    def rounds(self, start, stop):
        size, round_B = stop - start, np.arange(start, stop)
        return Rounds(
            seen=Seen(
                context_BC=round_B[:, None].astype(np.float32),
                candidate_BKD=np.tile(np.array([[0.0], [1.0]], np.float32), (size, 1, 1)),
                item_BK=np.tile([5, 6], (size, 1)),
                user_B=round_B,
                start=start,
            ),
            probability_BK=np.tile([0.0, 0.5], (size, 1)),
            draw_BK=np.where(round_B % 2 == 0, 0.25, 0.75)[:, None] * np.ones(2),
            delay_B=np.full(size, self.delay),
        )


class Deciding:
    """A log behind which everything is decided at once, always the same candidate."""

    def __init__(self, action: int = 1) -> None:
        self.action = action
        self.events: list[Impression | Click] = []
        self.undecided: list[Impression] = []

    @property
    def shown(self):
        return [each for each in self.events if isinstance(each, Impression)]

    @property
    def clicks(self):
        return [each for each in self.events if isinstance(each, Click)]

    def append(self, event):
        self.events.append(event)
        if isinstance(event, Impression):
            self.undecided.append(event)

    def recommendations(self, max_records, timeout_ms):
        decided, self.undecided = self.undecided[:max_records], self.undecided[max_records:]
        return [
            Recommendation(
                decision_id=f"d-{each.impression_id}",
                impression_id=each.impression_id,
                user_id=each.user_id,
                ts_ms=each.ts_ms,
                slate=(Slot(item_id=each.candidates[self.action].item_id),),
                strategy="greedy",
                policy_version="0.0",
            )
            for each in decided
        ]


class Pace:
    """How much was learned, and how often the world had to wait for more."""

    def __init__(self, learned: int = 0) -> None:
        self.rows, self.pauses = learned, 0

    def learned(self):
        return self.rows

    def pause(self):
        self.pauses += 1


def world_over(log, pace, rounds, world=None):
    return LoopWorld(world or Steps(), log, rounds, pace.learned, pace.pause)


def supply_all(world, limit=64):
    while world.supply(limit):
        pass


def test_a_lot_begins_with_one_round_and_goes_on_when_the_lot_before_is_learned():
    log, pace = Deciding(), Pace()
    world = world_over(log, pace, rounds=600)
    shown = []
    while not pace.pauses:
        assert world.supply(100)
        shown.append(len(log.shown))
    assert shown == [1, 101, 201, 256, 257, 257]
    pace.rows = 255
    assert world.supply(100)
    assert (len(log.shown), pace.pauses) == (257, 2)
    pace.rows = 256
    assert world.supply(100)
    assert (len(log.shown), pace.pauses) == (357, 2)


def test_the_first_round_of_a_lot_closes_the_lot_before_and_nothing_closes_within():
    log = Deciding()
    supply_all(world_over(log, Pace(10_000), rounds=600))
    ts_ms_N = np.array([each.ts_ms for each in log.shown])
    assert (np.diff(ts_ms_N) > 0).all()
    closes_ms_N = ts_ms_N + window_ms(Steps())
    for start in (256, 512):
        assert ts_ms_N[start] >= closes_ms_N[start - 1]
        assert ts_ms_N[start - 1] < closes_ms_N[start - 256]


def test_every_click_of_a_lot_comes_before_the_next_one_and_none_is_made_up():
    log = Deciding()
    world = world_over(log, Pace(10_000), rounds=300)
    supply_all(world)
    names = [each.impression_id if isinstance(each, Impression) else each for each in log.events]
    first_lot = [each for each in names[: names.index("w256")] if isinstance(each, Click)]
    assert sorted(int(click.impression_id[1:]) for click in first_lot) == list(range(0, 256, 2))
    assert {click.item_id for click in log.clicks} == {"i6"}
    assert world.tally.values("shown").tolist() == [0.5] * 300
    assert world.tally.values("uniform").tolist() == [0.25] * 300


def test_what_is_never_clicked_is_not_clicked():
    log = Deciding(action=0)
    world = world_over(log, Pace(10_000), rounds=300)
    supply_all(world)
    assert log.clicks == []
    assert world.tally.values("shown").tolist() == [0.0] * 300


def test_impressions_hold_what_a_player_sees():
    log = Deciding()
    world_over(log, Pace(), rounds=3).supply(64)
    (impression,) = log.shown
    assert (impression.impression_id, impression.user_id, impression.context.features) == ("w0", "u0", (0.0,))
    assert [(each.item_id, each.features) for each in impression.candidates] == [("i5", (0.0,)), ("i6", (1.0,))]


def test_a_click_comes_when_event_time_has_passed_its_delay():
    log = Deciding()
    supply_all(world_over(log, Pace(10_000), rounds=120, world=Steps(window=100, delay=70)), limit=8)
    newest_ms = 0
    for event in log.events:
        if isinstance(event, Click):
            assert event.ts_ms <= newest_ms + 8 * ROUND_MS  # known once it is due, at the latest a batch later
        else:
            due = [each for each in log.clicks if each.ts_ms <= event.ts_ms - 8 * ROUND_MS]
            assert all(log.events.index(each) < log.events.index(event) for each in due)
            newest_ms = event.ts_ms
    ages_ms = [click.ts_ms - log.shown[int(click.impression_id[1:])].ts_ms for click in log.clicks]
    assert set(ages_ms) == {70 * ROUND_MS}
    assert len(log.clicks) == 25  # of the even rounds up to the 48th; the others would come after the end


def test_with_a_window_the_world_waits_for_the_learner_at_256_closed_rounds():
    log, pace = Deciding(), Pace()
    world = world_over(log, pace, rounds=2_000, world=Steps(window=100))
    while not pace.pauses:
        world.supply(1)
    assert len(log.shown) == 256 + 101  # closed, and open: the window's and the newest
    pace.rows = 1
    world.supply(1)
    assert len(log.shown) == 256 + 102


def test_a_click_in_the_last_round_of_the_window_counts():
    assert window_ms(Steps(window=100)) > 100 * ROUND_MS
    assert window_ms(Steps(window=100)) < 101 * ROUND_MS


def test_the_deterministic_loop_plays_the_rounds_of_the_world_and_repeats_itself():
    make = partial(linear, 3)
    one, again = (play_deterministic(make, seed=3, rounds=300) for _ in range(2))
    probability_BK = make().rounds(0, 300).probability_BK
    np.testing.assert_allclose(one.oracle_N, probability_BK.max(axis=1), rtol=1e-6)
    np.testing.assert_allclose(one.uniform_N, probability_BK.mean(axis=1), rtol=1e-6)
    assert (np.abs(probability_BK - one.chosen_N[:, None]).min(axis=1) < 1e-6).all()
    np.testing.assert_array_equal(one.chosen_N, again.chosen_N)


def test_the_deterministic_loop_learns_what_is_clicked():
    played = play_deterministic(Steps, seed=0, rounds=1_100)
    assert played.lift(0, 256) == pytest.approx(0.0, abs=0.2)  # a uniform choice of two, over 256 rounds
    assert played.lift(600) > 0.8


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.filterwarnings(*FILTERS)
def test_the_live_loop_plays_every_round_and_learns_on_the_way():
    make = partial(loop._world, "linear", 3)
    played = play_live(make, seed=3, rounds=1_100)
    probability_BK = np.concatenate(
        [(world := make()).rounds(0, 600).probability_BK, world.rounds(600, 1_100).probability_BK]
    )
    np.testing.assert_allclose(played.oracle_N, probability_BK.max(axis=1), rtol=1e-6)
    assert abs(played.lift(0, 256)) < 0.15
    assert played.lift(600) > 0.25


def test_the_command_compares_seed_by_seed(monkeypatch):
    said = []
    monkeypatch.setitem(loop.LOOPS, "live", lambda make, seed, rounds: play_deterministic(make, seed + 1, rounds))
    (found,) = compare("linear", [3], ["live", "deterministic"], 60, said.append)
    assert (found.world, found.seed, list(found.loops)) == ("linear", 3, ["live", "deterministic"])
    assert found.loops["deterministic"] == play_deterministic(partial(linear, 3), 3, 60).lift()
    lifts = f"live {found.loops['live']:.3f}, deterministic {found.loops['deterministic']:.3f}"
    assert said == [f"linear 3: in process {found.in_process:.3f}, {lifts}"]


def test_the_report_has_the_difference_of_each_seed_and_its_interval():
    found = [Lifts("linear", 0, {"live": 0.5}, 0.6), Lifts("linear", 1, {"live": 0.7}, 0.6)]
    text = table(found)
    assert "| 0 | 0.600 | 0.500 | -0.100 |" in text
    assert "| 1 | 0.600 | 0.700 | +0.100 |" in text
    (line,) = map(json.loads, json_lines(found))
    assert (line["name"], line["ratio"], line["ours"], line["theirs"]) == ("loop-linear-live", 1.0, 0.6, 0.6)
    assert line["spread"] == pytest.approx(12.706 * 0.1, abs=1e-3)  # Student's t of two seeds, times the standard error


def test_one_seed_has_no_interval():
    (line,) = map(json.loads, json_lines([Lifts("linear", 0, {"live": 0.3}, 0.6)]))
    assert (line["ratio"], line["spread"]) == (0.5, None)


@pytest.mark.parametrize(
    ("world", "loops", "message"),
    [
        ("mars", ["deterministic"], "A world must be one of .*; got 'mars'"),
        ("text", ["deterministic"], "worlds without texts; got 'text'"),
        ("linear", ["spiral"], "A loop must be one of live, deterministic; got 'spiral'"),
    ],
)
def test_what_cannot_be_played_is_named(world, loops, message):
    with pytest.raises(BenchError, match=message):
        compare(world, [0], loops, 20, str)


def test_the_command_prints_table_and_lines():
    options = ["loop", "--loop", "deterministic", "--seed", "3", "--rounds", "40"]
    found = CliRunner().invoke(command.app, options, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    assert "| 3 | " in found.output
    assert '"name": "loop-linear-deterministic"' in found.output
