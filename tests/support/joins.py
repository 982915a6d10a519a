"""What the tests of the join build: events of one user, joins of a short window, decisions that are open."""

from stream.events import Candidate, Click, Impression, Recommendation, Slot
from stream.join import ClickJoin
from stream.open_decisions import Origin
from stream.settings import AttributionSettings

WINDOW_MS = 1_000


def impression(name="i1", ts_ms=5_000, user="u1"):
    candidates = tuple(Candidate(item_id=item) for item in "abc")
    return Impression(impression_id=name, user_id=user, ts_ms=ts_ms, candidates=candidates, slots=2)


def recommendation(of):
    return Recommendation(
        decision_id=f"d-{of.impression_id}",
        impression_id=of.impression_id,
        user_id=of.user_id,
        ts_ms=of.ts_ms,
        slate=(Slot(item_id="a"), Slot(item_id="b")),
        strategy="s",
        policy_version="0.0",
    )


def click(name="i1", ts_ms=5_100, item="a", user="u1", **more):
    return Click(impression_id=name, user_id=user, item_id=item, ts_ms=ts_ms, **more)


def join_of(**settings):
    return ClickJoin(AttributionSettings(**{"window_ms": WINDOW_MS} | settings))


def decided(join, *impressions, offset=0):
    for place, each in enumerate(impressions, start=offset):
        assert join.arrive(each, Origin(place)) == "new"
        assert join.decide(recommendation(each)) == []
    return join


def one_open():
    """The memory that one decision takes."""
    return decided(join_of(), impression()).open_bytes


def names(closed):
    return [decision.impression.impression_id for decision in closed]
