"""The driver's side of open decisions: each is open or learned, never both and never neither."""

from support.looks import look
from support.open_worlds import OpenWorld

from agent.learned import places_of
from agent.open_evidence import Mark, OpenEvidence


def names(found):
    return [] if found is None else found.rows.candidate_RD[:, 0].tolist()


def test_rows_of_earlier_looks_stay_until_they_are_not_named_any_more():
    evidence = OpenEvidence()
    evidence.receive(1, look(1, [0, 1, 2]), ())
    evidence.receive(1, look(2, [1, 2, 3], base=1, first=3), ())
    assert (names(evidence.rows({})), evidence.known()) == ([1, 2, 3], {1: 2})


def test_a_look_that_builds_on_a_lost_one_is_left_out():
    evidence = OpenEvidence()
    evidence.receive(1, look(1, [0, 1]), ())
    evidence.rows({})
    evidence.receive(1, look(3, [1, 2, 3], base=2, first=3), ())
    assert (names(evidence.rows({})), evidence.known()) == ([0, 1], {1: 1})


def test_runners_are_added_up_and_one_that_ended_is_forgotten():
    evidence = OpenEvidence()
    evidence.receive(2, look(1, [5], first=5), ())
    evidence.receive(1, look(1, [0, 1]), ())
    assert names(evidence.rows({})) == [0, 1, 5]
    assert not evidence.changed
    evidence.forget(1)
    assert evidence.changed
    assert names(evidence.rows({})) == [5]
    evidence.forget(2)
    assert evidence.rows({}) is None


def test_a_closed_decision_counts_until_it_is_learned():
    evidence = OpenEvidence()
    evidence.receive(1, look(1, [0, 1, 2, 3], expiry_ms=[10, 20, 30, 40]), [Mark(0, 7, 10), Mark(0, 9, 30)])
    assert names(evidence.rows({})) == [0, 1, 2, 3]
    assert names(evidence.rows({0: 7})) == [1, 2, 3]
    assert names(evidence.rows({0: 8})) == [1, 2, 3]
    assert names(evidence.rows({0: 9, 1: 99})) == [3]


def test_another_partition_is_not_touched():
    evidence = OpenEvidence()
    evidence.receive(1, look(1, [0], partition=3), [Mark(0, 7, 10)])
    assert names(evidence.rows({0: 7})) == [0]


def test_every_decision_is_open_or_learned_and_not_both():
    world, evidence = OpenWorld(max_open=10_000), OpenEvidence()
    handed, positions, learned = [], {}, 0
    for number in range(30):
        resolved = world.step()
        joins = world.core.joins()
        marks = [Mark(s.partition, s.stop, joins[s.partition].closed_ms) for s in world.loop.take_spans()]
        evidence.receive(1, world.book.look(evidence.known().get(1, 0)), marks)
        handed += [] if resolved is None else [resolved]
        if number % 4 == 3 and handed:
            for each in handed:
                positions |= {partition: offset + 1 for partition, offset in places_of(*each.places())}
                learned += len(each)
            handed = []
            found = evidence.rows(positions)
            assert len(found.rows) == 2 * world.core.open_decisions
            assert learned + len(found.rows) == 2 * world.core.parts.meter.total("decisions")
    assert learned > 100
