"""What a join may hold, what it gives up where that is not enough, and how much closes at once."""

from support.joins import click, decided, impression, join_of, names, one_open, recommendation

from stream.codec import JsonCodec
from stream.early_clicks import click_bytes
from stream.heads import ImpressionHead
from stream.open_decisions import ENTRY_BYTES, Origin


def test_past_its_bound_the_oldest_decision_closes_and_its_repeat_is_late():
    join = decided(
        join_of(max_open_bytes=2 * one_open() + 50),
        impression("i1", 5_300),
        impression("i2", 5_100),
        impression("i3", 5_200),
    )
    assert names(join.advance(0)[0]) == ["i2"]
    assert len(join) == 2
    assert join.arrive(impression("i2", 5_100), Origin(3)) == "late"  # open decisions are the memory of repeats
    assert join.arrive(impression("i4", 5_101), Origin(4)) == "new"


def test_what_closed_past_the_bound_stays_closed_in_a_replay_from_the_committed_place():
    settings = {"max_open_bytes": 2 * one_open() + 50}
    join = decided(join_of(**settings), impression("i1", 5_300), impression("i2", 5_100), impression("i3", 5_200))
    join.advance(0)
    again = join_of(**settings)
    again.closed_ms = join.closed_ms
    assert join.low_offsets()["impressions"] == 0  # i1 is open, so the replay sees i2 as well
    assert again.arrive(impression("i1", 5_300), Origin(0)) == "new"
    assert again.arrive(impression("i2", 5_100), Origin(1)) == "late"


def test_a_close_past_the_bound_moves_no_watermark_so_early_clicks_go_on_waiting():
    join = decided(join_of(max_open_bytes=2 * one_open() + 50), *(impression(f"i{n}", 5_000 + n) for n in range(3)))
    join.click(click("not yet here", ts_ms=5_500), offset=0)
    closed, orphans = join.advance(4_000)
    assert (names(closed), orphans, join.early) == (["i0"], 0, 1)
    assert (join.watermark_ms, join.closed_ms) == (4_000, 6_000)
    assert [join.take_counts()["forced_closes"] for _ in range(2)] == [1, 0]


def test_outcomes_come_in_the_order_of_their_windows_ends_also_where_the_bound_closes_them():
    join = join_of(max_open_bytes=3 * one_open() + 50)
    ends = []
    for place, ts_ms in enumerate((5_300, 5_100, 5_100, 5_250, 5_050, 5_400, 5_260, 5_500)):
        each = impression(f"i{place}", ts_ms)
        if join.arrive(each, Origin(place)) == "new":
            join.decide(recommendation(each))
        ends += [(d.impression.ts_ms, d.offset) for d in join.advance(0)[0]]
    ends += [(d.impression.ts_ms, d.offset) for d in join.close_all()[0]]
    assert ends == sorted(ends)
    assert len(ends) == 7  # one came after younger ones had to close


def test_bytes_are_those_of_the_compressed_events_and_their_clicks():
    join = decided(join_of(), impression())
    codec = JsonCodec()
    raw = len(codec.encode(impression())) + len(codec.encode(recommendation(impression())))
    alone = join.open_bytes
    assert ENTRY_BYTES < alone < ENTRY_BYTES + raw
    assert join.packed_bytes == alone - ENTRY_BYTES
    join.click(click(), offset=0)
    assert join.open_bytes == alone + click_bytes(click())
    join.advance(6_000)
    assert join.open_bytes == 0


def test_what_arrived_as_bytes_leaves_as_the_event_they_are():
    join, codec = join_of(), JsonCodec()
    head = ImpressionHead(impression_id="i1", user_id="u1", ts_ms=5_000)
    join.arrive(head, Origin(7), codec.encode(impression()))
    join.decide(recommendation(impression()), codec.encode(recommendation(impression())))
    (closed,), _ = join.close_all()
    assert (closed.impression, closed.shown, closed.offset) == (impression(), recommendation(impression()), 7)


def test_clicks_on_one_decision_are_bounded():
    join = decided(join_of(max_clicks=2), impression())
    fates = [join.click(click(ts_ms=5_100 + number), offset=number) for number in range(3)]
    assert fates == ["joined", "joined", "too_many"]
    assert join.click(click(ts_ms=5_100), offset=3) == "repeated"


def test_what_cannot_be_read_any_more_closes_without_an_outcome():
    join = decided(join_of(), impression("good"))
    join.arrive(impression("bad"), Origin(1), b"{}")
    join.decide(recommendation(impression("bad")))
    assert names(join.close_all()[0]) == ["good"]
    assert join.take_counts()["unreadable_decisions"] == 1


def test_after_a_pause_as_much_closes_at_once_as_one_commit_can_hold_and_the_rest_is_not_late():
    join = decided(join_of(), *(impression(f"i{n}", ts_ms) for n, ts_ms in enumerate((5_000, 5_001, 5_001, 5_002))))
    assert names(join.advance(9_000, max_bytes=1)[0]) == ["i0"]
    assert (join.watermark_ms, join.closed_ms) == (6_000, 6_000)  # a replay from here takes the others for open
    assert names(join.advance(9_000, max_bytes=1)[0]) == ["i1", "i2"]  # of one millisecond all or none
    assert names(join.advance(9_000, max_bytes=1)[0]) == ["i3"]
    assert join.advance(9_000, max_bytes=1) == ([], 0)
    assert join.watermark_ms == 9_000
    assert join.take_counts()["forced_closes"] == 0


def test_the_bound_of_one_commit_is_in_bytes_of_the_events():
    one = len(JsonCodec().encode(impression("i0"))) + len(JsonCodec().encode(recommendation(impression("i0"))))
    join = decided(join_of(), *(impression(f"i{n}", 5_000 + n) for n in range(5)))
    assert names(join.advance(9_000, max_bytes=2 * one + 1)[0]) == ["i0", "i1", "i2"]
    assert names(join.advance(9_000, max_bytes=2 * one)[0]) == ["i3", "i4"]
