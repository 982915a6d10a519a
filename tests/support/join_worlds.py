"""Arbitrary worlds of impressions and clicks, and what must come of them whatever happens on the way."""

from hypothesis import strategies as st

from stream.events import Candidate, Click, Impression, Logged, Recommendation, Slot

T0_MS = 10_000
WINDOW_MS = 20
DISORDER_MS = 15
CANDIDATES = tuple(Candidate(item_id=item) for item in "abc")
TIMES = st.integers(T0_MS, T0_MS + 50)


def impression(name, ts_ms, logged=False):
    shown = Logged(item_ids=("a", "b")) if logged else None
    return Impression(impression_id=name, user_id="u", ts_ms=ts_ms, candidates=CANDIDATES, slots=2, logged=shown)


def recommendation(of):
    slate = (Slot(item_id="a"), Slot(item_id="b"))
    fields = {"decision_id": of.impression_id, "impression_id": of.impression_id, "user_id": "u", "ts_ms": of.ts_ms}
    return Recommendation(**fields, slate=slate, strategy="s", policy_version="0.0")


@st.composite
def worlds(draw):
    """Up to six impressions, and clicks on them and on others that never come."""
    times = draw(st.lists(TIMES, min_size=1, max_size=6))
    impressions = [impression(f"i{number}", ts_ms) for number, ts_ms in enumerate(times)]
    clicks = draw(
        st.lists(
            st.builds(
                Click,
                impression_id=st.sampled_from([f"i{number}" for number in range(len(times) + 1)]),
                user_id=st.sampled_from(["u", "u", "u", "other"]),
                item_id=st.sampled_from("abc"),
                ts_ms=st.integers(T0_MS - 10, T0_MS + 80),
                value=st.sampled_from([1.0, 2.0]),
            ),
            max_size=12,
        )
    )
    return impressions, clicks


def attributed(impressions, clicks):
    """What must come of it, without any notion of order: all different clicks in the window, on what is shown."""
    return {
        each.impression_id: sorted(
            {
                (click.ts_ms, click.item_id, click.value)
                for click in clicks
                if (click.user_id, click.impression_id) == ("u", each.impression_id)
                and click.item_id in "ab"
                and 0 <= click.ts_ms - each.ts_ms < WINDOW_MS
            }
        )
        for each in impressions
    }
