"""Outcomes from files and from a log: every form that a person may have, and one line on what is wrong."""

import pytest
from support.events import T0_MS, click, impression
from support.histories import Outcomes
from support.logs import shown, write_outcomes

from deploy.errors import EvaluateError
from deploy.evaluating.event_files import outcomes_of_file, outcomes_of_history
from envs.parts import CoreSettings
from stream.codec import JsonCodec
from stream.events import Logged
from stream.log import Record
from stream.record_file import write_records

CODEC = JsonCodec()


def record(topic, event, offset=0):
    return Record(topic, 0, offset, b"u", CODEC.encode(event), CODEC.headers, T0_MS)


def read(path, limit=100):
    return outcomes_of_file(path, CoreSettings(), limit)


def logged(item, propensity, **changes):
    propensities = None if propensity is None else (propensity,)
    return impression(logged=Logged(item_ids=(item,), propensities=propensities, policy="old"), **changes)


def test_bare_outcomes_come_by_the_time_of_their_close_the_newest(tmp_path):
    path = write_outcomes(tmp_path / "o.jsonl", [shown(3), shown(1), shown(2)])
    path.write_bytes(path.read_bytes() + b"\n")
    outcomes, notes = read(path, limit=2)
    assert [each.impression.impression_id for each in outcomes] == ["i2", "i3"]
    assert notes == []


def test_outcomes_of_a_recorded_log_come_before_what_could_be_joined(tmp_path):
    path = tmp_path / "log.jsonl"
    write_records(path, [record("impressions", impression()), record("outcomes", shown(1)), record("clicks", click())])
    outcomes, notes = read(path)
    assert [each.impression.impression_id for each in outcomes] == ["i1"]
    assert notes == []


def test_clicks_are_joined_to_what_was_logged_whatever_their_order(tmp_path):
    path = tmp_path / "log.jsonl"
    events = [
        record("clicks", click(ts_ms=T0_MS + 5)),
        record("impressions", logged("b", 0.25, impression_id="i2", user_id="u2", ts_ms=T0_MS + 1)),
        record("impressions", logged("a", 0.5)),
        record("clicks", click(impression_id="i2", user_id="u2", item_id="c", ts_ms=T0_MS + 6)),  # was not shown
        record("impressions", impression(impression_id="i3")),
        record("recommendations", shown(1).recommendation),
    ]
    write_records(path, events)
    outcomes, notes = read(path)
    found = {each.impression.impression_id: each for each in outcomes}
    assert {name: each.rewards for name, each in found.items()} == {"i1": (1.0,), "i2": (0.0,)}
    assert found["i2"].recommendation.slate[0].propensity == 0.25
    assert notes == ["1 impressions carry no `logged` and are left out"]


def test_a_click_counts_in_the_last_moment_of_its_window_and_not_after(tmp_path):
    window_ms = CoreSettings().attribution.window_ms
    for late_ms, reward in ((-1, 1.0), (0, 0.0)):
        path = tmp_path / f"log{late_ms}.jsonl"
        clicked = click(ts_ms=T0_MS + window_ms + late_ms)
        write_records(path, [record("impressions", logged("a", 0.5)), record("clicks", clicked)])
        (outcome,), _ = read(path)
        assert (outcome.rewards, outcome.closed_ms) == ((reward,), T0_MS + window_ms)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "--log must hold at least one event; got the empty file"),
        (b"\n\n", "--log must hold at least one event; got the empty file"),
        (b"a,b\n", r"--log .* must hold JSON lines; got b'a,b\\n'"),
        (b"[1]\n", "must hold JSON lines; got"),
        (b'{"rewards": [1]}\n', "must hold outcomes or records, one a line: line 1: "),
        (b'{"topic": "outcomes"}\n', "must hold outcomes or records, one a line: "),
        (b"\xff\xfe\n", "must hold JSON lines; got"),
    ],
)
def test_what_is_no_log_is_said_in_one_line(tmp_path, content, message):
    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    with pytest.raises(EvaluateError, match=message) as raised:
        read(path)
    assert "\n" not in str(raised.value)


def test_the_line_that_is_no_outcome_is_named(tmp_path):
    path = write_outcomes(tmp_path / "o.jsonl", [shown(1)])
    path.write_bytes(path.read_bytes() + b"{}\n")
    with pytest.raises(EvaluateError, match="line 2: "):
        read(path)


def test_a_log_that_nobody_decided_says_how_one_is_made(tmp_path):
    path = tmp_path / "log.jsonl"
    write_records(path, [record("impressions", impression())])
    with pytest.raises(EvaluateError, match=r"simulate --out FILE --logged.*; got 1 impressions without"):
        read(path)


def test_a_log_gives_the_newest_offsets_of_all_partitions_in_one_order():
    outcomes, notes = outcomes_of_history(Outcomes(3, 2), limit=100)
    assert [each.closed_ms - T0_MS for each in outcomes] == [0, 1, 20, 21, 40]  # 10 x offset + partition
    assert notes == []
    newest, _ = outcomes_of_history(Outcomes(3, 2), limit=2)
    assert [each.closed_ms - T0_MS for each in newest] == [21, 40]


def test_records_that_cannot_be_read_are_told():
    outcomes, notes = outcomes_of_history(Outcomes(3, garbage=[(0, 2)]), limit=100)
    assert len(outcomes) == 2
    assert notes == ["1 records of the topic cannot be read and are left out"]
