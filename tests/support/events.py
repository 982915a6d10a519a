"""The least that is a valid event of each kind, with what a test wants otherwise."""

from stream.events import Candidate, Click, Impression, Outcome, Recommendation, Slot

T0_MS = 1_700_000_000_000


def candidates(*items):
    return tuple(Candidate(item_id=item) for item in items)


def impression(**changes):
    fields = {"impression_id": "i1", "user_id": "u1", "ts_ms": T0_MS, "candidates": candidates("a", "b", "c")}
    return Impression(**fields | changes)


def click(**changes):
    return Click(**{"impression_id": "i1", "user_id": "u1", "item_id": "a", "ts_ms": T0_MS} | changes)


def recommendation(**changes):
    fields = {
        "decision_id": "d1",
        "impression_id": "i1",
        "user_id": "u1",
        "ts_ms": T0_MS,
        "slate": (Slot(item_id="a"), Slot(item_id="b")),
        "strategy": "s",
        "policy_version": "0.1",
    }
    return Recommendation(**fields | changes)


def outcome(**changes):
    fields = {
        "impression": impression(),
        "recommendation": recommendation(),
        "rewards": (1.0, 0.0),
        "closed_ms": T0_MS + 1,
    }
    return Outcome(**fields | changes)
