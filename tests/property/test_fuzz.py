"""A short form of the fuzz: some thousand mutated records, and every one of them is accounted for."""

import pytest
from support.fuzzing import ViolationError, fuzz, reason_class

from envs.intake import Intake
from stream.memory_store import MemoryStore


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_in_ends_once_and_the_stream_goes_on(seed):
    totals, _ = fuzz(seed, restart=seed % 2 == 1)
    assert sum(count for (name, _), count in totals.items() if name == "dead_letters") > 300
    assert len({label for name, label in totals if name == "reason"}) > 20


def test_every_way_to_end_is_gone():
    totals, _ = fuzz(4, count=4_000)
    for fate in ("new", "logged", "late", "repeated", "too_old"):
        assert totals["impressions", fate] > 0, fate
    for fate in ("joined", "early", "late", "repeated", "not_shown", "outside_window", "unknown"):
        assert totals["clicks", fate] > 0, fate


@pytest.mark.parametrize(
    ("name", "violated"),
    [
        ("outcomes", "every decision has one outcome"),
        ("dead-letters", "every dead letter is published once"),
        ("recommendations", "every decision is published once"),
    ],
)
def test_what_is_written_twice_is_found(monkeypatch, name, violated):
    write, twice = MemoryStore.write, []

    def broken(self, topic, *rest):
        if topic == name and not twice:
            twice.append(write(self, topic, *rest))
        return write(self, topic, *rest)

    monkeypatch.setattr(MemoryStore, "write", broken)
    with pytest.raises(ViolationError, match=violated) as caught:
        fuzz(0, count=300)
    assert len(caught.value.records) == 300


def test_a_crash_is_found_with_the_records_that_led_to_it(monkeypatch):
    def broken(self, record):
        raise KeyError(record.key)

    monkeypatch.setattr(Intake, "click", broken)
    with pytest.raises(ViolationError, match="KeyError") as caught:
        fuzz(0, count=300, step=1)
    assert caught.value.records[-1].topic == "clicks"


def test_reasons_of_one_kind_are_counted_together():
    one = "Click is not valid: click.user_id must be at most 512 characters long; got 'x' - at `$`"
    assert (
        reason_class(one)
        == reason_class(one.replace("'x'", "'y, z'"))
        == ("click.user_id must be at most N characters long")
    )
