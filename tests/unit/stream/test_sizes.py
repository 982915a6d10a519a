"""What is legal is publishable: the outcome of the largest impression with the most clicks fits its topic."""

from stream.codec import MAX_INPUT_BYTES, MAX_OUTPUT_BYTES, JsonCodec
from stream.events import (
    MAX_CANDIDATES,
    Candidate,
    Click,
    Context,
    Impression,
    Knew,
    Logged,
    Outcome,
    Recommendation,
    Slot,
)
from stream.rules import LARGEST, LAST_CLOSE_MS, LAST_MS, MAX_FEATURES, MAX_ID
from stream.settings import AttributionSettings

CODEC = JsonCodec()
CLICKS = AttributionSettings.model_json_schema()["properties"]["max_clicks"]["maximum"]
LONGEST = "\U0001f600" * MAX_ID  # four bytes a character: no character takes more
NUMBER = -0.1234567890123456789e-300  # as long as a number gets
USER = {"user_id": LONGEST, "impression_id": LONGEST, "ts_ms": LAST_MS}


def largest_impression():
    """All candidates are to be shown; their ids, which come again in the slate, take all that is left of the bytes."""
    share = MAX_INPUT_BYTES - 4 * 3 * MAX_ID - 200
    ids = [
        f"{number:04}".ljust((share // MAX_CANDIDATES - len('{"item_id":""},')) // 2, '"') for number in range(1_000)
    ]
    return Impression(
        **USER,
        candidates=tuple(Candidate(item_id=item_id) for item_id in ids),
        slots=MAX_CANDIDATES,
        logged=Logged(item_ids=(ids[0],), policy="p"),
    )


def largest_recommendation(impression):
    return Recommendation(
        **USER,
        decision_id="f" * 32,
        slate=tuple(Slot(item_id=c.item_id, propensity=-NUMBER, score=NUMBER) for c in impression.candidates),
        slate_propensity=-NUMBER,
        probabilities=(1 / 3 + 1e-16,) * 3,
        knew=Knew(clicks=2**53, decisions=2**53, idle_ms=2**53, interest=bytes(2 * MAX_FEATURES)),
        strategy="s" * MAX_ID,
        policy_version=LONGEST,
        encoder_version="e" * MAX_ID,
        seed=2**53 - 1,
    )


def test_the_largest_outcome_fits_the_topic_and_can_be_read_back():
    impression = largest_impression()
    assert 0.99 * MAX_INPUT_BYTES < len(CODEC.encode(impression)) <= MAX_INPUT_BYTES
    assert CODEC.decode(CODEC.encode(impression), Impression) == impression
    shown = largest_recommendation(impression)
    click = Click(**USER, item_id=LONGEST, kind=LONGEST, value=NUMBER, click_id=LONGEST)
    outcome = Outcome(
        impression=impression,
        recommendation=shown,
        rewards=(-NUMBER,) * len(shown.slate),
        clicks=(click,) * CLICKS,
        closed_ms=LAST_CLOSE_MS,
    )
    raw = CODEC.encode(outcome)
    more_probabilities = MAX_CANDIDATES * len(CODEC.encode(shown).split(b'"probabilities":[')[1].split(b",")[0])
    assert 3_000_000 < len(raw) + more_probabilities < 0.9 * MAX_OUTPUT_BYTES
    assert CODEC.decode(raw, Outcome) == outcome
    assert CODEC.decode(CODEC.encode(shown), Recommendation) == shown


def test_an_interest_of_the_longest_features_is_small_beside_an_impression():
    features = Context(features=(LARGEST,) * MAX_FEATURES)
    interest = Knew(interest=bytes(2 * MAX_FEATURES))
    assert len(CODEC.encode(features)) < 100_000
    assert len(CODEC.encode(interest)) < 12_000
