"""The simulator as a load generator and as the writer of recorded logs; without a broker."""

import io
import json
import math
from collections import Counter

import msgspec
import pytest
from rich.console import Console

from deploy.clocks import timer_s
from deploy.errors import SimulationError
from deploy.live import LiveView
from deploy.settings_load import load_settings
from deploy.simulate import SimulateOptions, Simulation, simulate, timed
from deploy.uniform import UniformLog
from envs.readers import ReaderScene, ReaderSettings
from envs.tally import WorldTally
from envs.world import World, WorldSettings
from stream.codec import JsonCodec
from stream.events import Candidate, Click, Impression
from stream.memory import MemoryLog
from stream.record_file import read_records

NOW_MS = 1_800_000_000_000


class Undecided(UniformLog):
    """A log that keeps count of what is in flight, decides with a delay, or never does."""

    def __init__(self, delay: int | None) -> None:
        super().__init__(MemoryLog(capacity=1, policy="drop"), seed=0, logged=False)
        self._delay = delay
        self.polls = self.most = 0

    def recommendations(self, max_records, timeout_ms):
        self.polls += 1
        self.most = max(self.most, len(self._decided))
        due = self._delay is not None and self.polls % self._delay == 0
        return super().recommendations(max_records, timeout_ms) if due else []


def run(log, options: SimulateOptions, impressions: int = 300) -> tuple[World, float]:
    world = World(ReaderScene(ReaderSettings(), 0), log, WorldSettings(impressions=impressions), 0)
    started_s = timer_s()
    with LiveView("test", console=Console(file=io.StringIO())) as view:
        Simulation(world, log, options, view).run()
    return world, timer_s() - started_s


def test_every_impression_is_decided_and_never_more_are_in_flight():
    log = Undecided(delay=4)
    world, _ = run(log, SimulateOptions(in_flight=32))
    assert world.tally.decided == world.tally.impressions == 300
    assert log.most == 32


def test_the_rate_is_that_of_the_clock():
    _, took_s = run(Undecided(delay=1), SimulateOptions(rate_per_s=100), impressions=60)
    assert 0.55 < took_s < 1.5  # 59 gaps of 10 ms


def test_an_agent_that_does_not_decide_ends_the_wait_with_a_question():
    with pytest.raises(SimulationError, match=r"within 0\.2 s; 7 impressions wait\. Is `streambandit run` up"):
        run(Undecided(delay=None), SimulateOptions(in_flight=7, patience_s=0.2))


def test_stats_are_whole_and_say_that_the_world_has_ended(tmp_path):
    path = tmp_path / "world.json"
    world, _ = run(Undecided(delay=1), SimulateOptions(stats=path))
    content = json.loads(path.read_text())
    assert content["ended"] is True
    assert WorldTally.from_dict(content).counts() == world.tally.counts()
    assert [found.name for found in tmp_path.iterdir()] == ["world.json"]
    with pytest.raises(SimulationError, match="--stats must be a file that can be written"):
        run(Undecided(delay=1), SimulateOptions(stats=tmp_path / "none" / "world.json"))


@pytest.mark.parametrize(
    ("rate", "behind_s"),
    [
        (None, 100 + 30),  # as fast as it goes: all of its event time lies back, and the time of late clicks
        (20.0, 50 + 30),  # event time passes twice as fast as the clock
        (10.0, 0),
        (5.0, 0),  # event time falls behind the clock on its own
    ],
)
def test_no_event_is_ahead_of_the_clock(rate, behind_s):
    world = timed(WorldSettings(impressions=1_000, rate_per_s=10), SimulateOptions(rate_per_s=rate), NOW_MS)
    assert world.start_ms == NOW_MS - 1_000 * behind_s
    assert world.name == f"w{NOW_MS:x}-"


def test_times_and_names_that_were_set_are_kept():
    world = timed(WorldSettings(start_ms=5, name="mine"), SimulateOptions(impressions=7), NOW_MS)
    assert (world.start_ms, world.name, world.impressions) == (5, "mine", 7)


def test_a_second_simulation_begins_behind_the_first_and_ends_when_it_would_have():
    settings, options = WorldSettings(impressions=1_000, rate_per_s=10), SimulateOptions()
    end_ms = NOW_MS - 30_000  # 100 s of event time, and 30 s for late clicks, lie back
    world = timed(settings, options, NOW_MS, newest_ms=end_ms - 20_000)
    assert (world.start_ms, world.rate_per_s) == (end_ms - 20_000 + 1, 50)
    assert timed(settings, options, NOW_MS, newest_ms=end_ms - 101_000) == timed(settings, options, NOW_MS)
    with pytest.raises(SimulationError, match="these reach 5 s further"):
        timed(settings, options, NOW_MS, newest_ms=end_ms + 5_000)
    assert timed(WorldSettings(start_ms=5), options, NOW_MS, newest_ms=NOW_MS).start_ms == 5


def test_a_recorded_log_is_the_same_for_the_same_seed_and_has_clicks(tmp_path):
    settings = load_settings(overrides=["seed=3"])
    paths = [tmp_path / name for name in ("one.jsonl", "two.jsonl")]
    tallies = [simulate(settings, SimulateOptions(impressions=400, out=path)) for path in paths]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    topics = Counter(record.topic for record in read_records(paths[0]))
    assert topics["impressions"] == 400
    assert topics["clicks"] == tallies[0].clicks + tallies[0].duplicates > 5
    assert tallies[0].overdue == 0
    first = JsonCodec().decode(next(read_records(paths[0])).value, Impression)
    assert first.logged is None


def test_a_logged_log_carries_the_uniform_choice_and_its_clicks_are_on_it(tmp_path):
    path = tmp_path / "log.jsonl"
    settings = load_settings(overrides=["readers.slots=2"])
    simulate(settings, SimulateOptions(impressions=300, out=path, logged=True))
    shown = {}
    for record in read_records(path):
        if record.topic == "impressions":
            impression = JsonCodec().decode(record.value, Impression)
            shown[impression.impression_id] = impression.logged.item_ids
            assert impression.logged.propensities == (1 / 20, 1 / 19)
        else:
            click = JsonCodec().decode(record.value, Click)
            assert click.item_id in shown[click.impression_id]


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(SimulationError, match="--out must be a file that can be written"):
        simulate(load_settings(), SimulateOptions(out=tmp_path / "none" / "log.jsonl"))


def test_uniform_choices_are_uniform():
    """20,000 choices among 5: each is shown 4,000 times, give or take 5 standard deviations (57 each)."""
    log = UniformLog(MemoryLog(capacity=1, policy="drop"), seed=0, logged=False)
    candidates = tuple(Candidate(item_id=name) for name in "abcde")
    impression = Impression(impression_id="i", user_id="u", ts_ms=1, candidates=candidates)
    for number in range(20_000):
        log.append(msgspec.structs.replace(impression, impression_id=f"i{number}"))
    shown = Counter(found.slate[0].item_id for found in log.recommendations(20_000, 0))
    assert all(math.isclose(shown[name], 4_000, abs_tol=5 * 57) for name in "abcde")
