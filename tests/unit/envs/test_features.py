"""From events to vectors: a layout fixed once, text beside numbers, and rows that equal what was seen when deciding."""

import numpy as np
import pytest
from support.encoders import HashingEncoder, LengthEncoder

from agent.encoder.local import local_encoder
from agent.interests import InterestStore
from agent.settings import EncoderSettings, InterestSettings
from envs.errors import FeatureError
from envs.features import FeatureSettings, Featurizer, Layout
from stream.events import Candidate, Context, Impression, Knew, Outcome, Recommendation, Slot

E = HashingEncoder.dim


def vector(text):
    return HashingEncoder().encode([text])[0]


def featurizer(**settings):
    return Featurizer(FeatureSettings(**settings), HashingEncoder())


def store():
    return InterestStore(InterestSettings())


def impression(context=None, *candidates, name="i1", user="u1"):
    return Impression(
        impression_id=name, user_id=user, ts_ms=60_000, context=context or Context(), candidates=candidates
    )


def item(name, features=None, text=None):
    return Candidate(item_id=name, features=features, text=text)


def outcome(of, slate, rewards, knew=None):
    shown = Recommendation(
        decision_id="d",
        impression_id=of.impression_id,
        user_id=of.user_id,
        ts_ms=of.ts_ms,
        slate=slate,
        knew=knew,
        strategy="s",
        policy_version="0.0",
    )
    return Outcome(impression=of, recommendation=shown, rewards=rewards, closed_ms=of.ts_ms + 1)


BOTH = impression(Context(text="reading", features=(1.0, 2.0)), item("a", (3.0,), "A"), item("b", None, "B"))


def test_a_layout_says_how_long_the_vectors_are():
    layout = Layout(text=8, context=2, candidate=1)
    assert (layout.context_total, layout.candidate_total) == (8 + 2, 8 + 1)
    assert (layout.interest, layout.user_total) == (8, 8 + 3)


def test_without_texts_interests_live_in_the_space_of_numeric_candidates():
    layout = Layout(text=0, context=2, candidate=5)
    assert (layout.interest, layout.user_total, layout.candidate_total) == (5, 5 + 3, 5)


def test_the_first_impressions_settle_what_the_settings_leave_open():
    assert featurizer().settle([BOTH]) == Layout(text=E, context=2, candidate=1)
    assert featurizer(text="off").settle([BOTH]) == Layout(text=0, context=2, candidate=1)
    assert featurizer(context_dim=7).settle([BOTH]) == Layout(text=E, context=7, candidate=1)
    assert featurizer().settle([impression(None, item("a"))]) == Layout(text=0, context=0, candidate=0)
    assert featurizer(text="on").settle([impression(None, item("a"))]) == Layout(text=E, context=0, candidate=0)


def test_a_settled_layout_stays():
    features = featurizer()
    first = features.settle([BOTH])
    assert features.settle([impression(Context(features=(1.0,) * 9), item("a"))]) == first
    features.fix(Layout(text=0, context=0, candidate=3))
    assert features.layout == Layout(text=0, context=0, candidate=3)


def test_a_layout_that_nothing_settled_cannot_be_read():
    with pytest.raises(FeatureError, match="layout must be settled by settings or a first impression; got neither"):
        _ = featurizer().layout


def test_texts_need_an_encoder_where_they_are_read():
    with pytest.raises(FeatureError, match=r"features\.text needs an encoder; got none"):
        Featurizer(FeatureSettings(), None).settle([BOTH])
    assert Featurizer(FeatureSettings(text="off"), None).settle([BOTH]).text == 0


def test_the_encoders_version_is_told_where_texts_are_read():
    reading, numeric = featurizer(), featurizer(text="off")
    assert reading.encoder_version == ""
    reading.settle([BOTH])
    numeric.settle([BOTH])
    assert (reading.encoder_version, numeric.encoder_version) == ("hashing", "")


def test_an_embedding_comes_first_and_numbers_after_it_and_what_is_missing_is_zero():
    observation = featurizer().observe([BOTH], [(store(), "u1")])
    np.testing.assert_array_equal(observation.context_BC[0], [*vector("reading"), 1.0, 2.0])
    np.testing.assert_array_equal(observation.candidates_ND[0], [*vector("A"), 3.0])
    np.testing.assert_array_equal(observation.candidates_ND[1], [*vector("B"), 0.0])
    np.testing.assert_array_equal(observation.user_BU[0], np.zeros(E + 3))


def test_the_manner_of_a_candidates_text_stands_behind_its_numbers_and_a_context_has_none():
    features = Featurizer(FeatureSettings(), LengthEncoder())
    seen = impression(Context(text="reading", features=(1.0, 2.0)), item("a", (3.0,), "Why A?"), item("b", None, "B"))
    observation = features.observe([seen], [(store(), "u1")])
    assert features.layout == Layout(text=E, context=2, candidate=1, manner=2)
    np.testing.assert_array_equal(observation.context_BC[0], [*vector("reading"), 1.0, 2.0])
    np.testing.assert_array_equal(observation.candidates_ND[0], [*vector("Why A?"), 3.0, 6.0, 1.0])
    np.testing.assert_array_equal(observation.candidates_ND[1], [*vector("B"), 0.0, 1.0, 0.0])
    np.testing.assert_array_equal(features.item_vector(seen.candidates[0]), vector("Why A?"))
    slate = (Slot(item_id="a", propensity=0.5),)
    np.testing.assert_array_equal(
        features.rows([outcome(seen, slate, (1.0,))]).candidate_RD, observation.candidates_ND[:1]
    )


def test_without_numbers_the_manner_follows_the_embedding_and_without_texts_there_is_none():
    words = impression(Context(text="reading"), item("a", None, "Why A?"))
    features = Featurizer(FeatureSettings(), LengthEncoder())
    observation = features.observe([words], [(store(), "u1")])
    np.testing.assert_array_equal(observation.context_BC[0], vector("reading"))
    np.testing.assert_array_equal(observation.candidates_ND[0], [*vector("Why A?"), 6.0, 1.0])
    numeric = Featurizer(FeatureSettings(text="off"), LengthEncoder())
    assert numeric.settle([BOTH]) == Layout(text=0, context=2, candidate=1)


def test_impressions_of_different_lengths_lie_one_after_the_other():
    short = impression(Context(text="x"), item("a", (9.0,)), name="i2", user="u2")
    observation = featurizer().observe([BOTH, short, BOTH], [(store(), "u1")] * 3)
    assert observation.counts_B.tolist() == [2, 1, 2]
    assert observation.starts_B.tolist() == [0, 2, 3]
    assert observation.candidates_ND[:, E].tolist() == [3.0, 0.0, 9.0, 3.0, 0.0]
    assert observation.context_BC.dtype == observation.candidates_ND.dtype == np.float32


@pytest.mark.parametrize("length", [1, 15, 16, 300])
@pytest.mark.parametrize("rows", [1, 15, 16, 40])
@pytest.mark.parametrize("other", [2, True, 2**40, 2**70, np.float64(0.1), np.float32(0.1), 1e-300, None])
def test_numbers_of_any_kind_are_read_as_float32(length, rows, other):
    numbers = np.random.default_rng(0).normal(size=(rows, length))
    told = [tuple(row) for row in numbers.tolist()]
    told[-1] = None if other is None else (*told[-1][:-1], other)
    observation = featurizer(text="off", context_dim=0, candidate_dim=length).observe(
        [impression(None, *(item(f"i{place}", each) for place, each in enumerate(told)))], [(store(), "u1")]
    )
    numbers[-1] = 0.0 if other is None else (*numbers[-1, :-1], float(other))
    np.testing.assert_array_equal(observation.candidates_ND, numbers.astype(np.float32))


@pytest.mark.parametrize("counts", [(3, 1), (1, 3), (2, 3), (2, 1)])
def test_numbers_that_do_not_fit_are_an_error_where_nobody_checked_them(counts):
    features = featurizer(text="off", context_dim=0, candidate_dim=2)
    wrong = impression(None, *(item(f"i{count}", (0.5,) * count) for count in counts))
    with pytest.raises(FeatureError, match=r"features must have 2 values; got [13]"):
        features.observe([wrong], [(store(), "u1")])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (impression(Context(features=(1.0,)), item("a", (1.0,))), r"context\.features must have 2 values; got 1"),
        (
            impression(None, item("a", (1.0,)), item("b", (1.0, 2.0))),
            "candidate 'b' features must have 1 values; got 2",
        ),
        (impression(None, item("a", ())), "'a' features must have 1 values; got 0"),
    ],
)
def test_numbers_that_do_not_fit_the_layout_are_an_error_that_names_them(wrong, message):
    features = featurizer()
    features.check([BOTH])
    with pytest.raises(FeatureError, match=message):
        features.check([wrong])


def test_missing_numbers_fit_any_layout():
    features = featurizer()
    features.check([BOTH])
    features.check([impression(None, item("a"))])
    assert (features.layout.context, features.layout.candidate) == (2, 1)


def test_what_was_read_of_a_user_goes_into_the_observation_and_into_its_record():
    interests = store()
    interests.clicked("u1", "d1", 30_000, vector("A"))
    interests.closed("u1", "d2", [])
    observation = featurizer().observe([BOTH], [(interests, "u1")])
    (knew,) = observation.knew
    assert (knew.clicks, knew.decisions, knew.idle_ms) == (1, 1, 30_000)
    np.testing.assert_allclose(np.frombuffer(knew.interest, "<f2"), vector("A"), atol=1e-3)
    # log(1 + 1) twice, and half a minute of sixty seconds: 1 / (1 + 0.5)
    np.testing.assert_allclose(observation.user_BU[0, E:], [np.log(2), np.log(2), 1 / 1.5], rtol=1e-6)
    np.testing.assert_allclose(observation.user_BU[0, :E], vector("A"), atol=1e-3)


def test_rows_equal_what_was_seen_when_deciding_though_the_store_has_moved_on():
    features, interests = featurizer(), store()
    interests.clicked("u1", "d1", 30_000, vector("A"))
    observation = features.observe([BOTH], [(interests, "u1")])
    interests.clicked("u1", "d3", 61_000, vector("something else"))
    slate = (Slot(item_id="b", propensity=0.25), Slot(item_id="a"))
    rows = features.rows([outcome(BOTH, slate, (1.0, 0.0), observation.knew[0])])
    for row, candidate in ((0, 1), (1, 0)):
        np.testing.assert_array_equal(rows.candidate_RD[row], observation.candidates_ND[candidate])
        np.testing.assert_array_equal(rows.context_RC[row], observation.context_BC[0])
        np.testing.assert_array_equal(rows.user_RU[row], observation.user_BU[0])
    assert rows.reward_R.tolist() == [1.0, 0.0]
    np.testing.assert_array_equal(rows.propensity_R, [0.25, np.nan])


def test_an_outcome_without_a_record_of_its_user_is_of_a_user_unknown():
    rows = featurizer().rows([outcome(BOTH, (Slot(item_id="a"),), (0.0,))])
    np.testing.assert_array_equal(rows.user_RU, np.zeros((1, E + 3)))


def test_no_outcomes_are_no_rows_of_the_right_widths():
    features = featurizer()
    features.settle([BOTH])
    rows = features.rows([])
    assert (rows.context_RC.shape, rows.user_RU.shape, rows.candidate_RD.shape) == ((0, E + 2), (0, E + 3), (0, E + 1))


def test_a_shown_item_that_was_no_candidate_is_an_error():
    with pytest.raises(FeatureError, match="outcome slate item must be a candidate of its impression; got 'x'"):
        featurizer().rows([outcome(BOTH, (Slot(item_id="x"),), (0.0,))])


def test_an_item_lies_in_the_space_of_interests_by_its_text_or_else_by_its_numbers():
    reading, numeric = featurizer(), featurizer(text="off")
    reading.settle([BOTH])
    numeric.settle([BOTH])
    np.testing.assert_array_equal(reading.item_vector(BOTH.candidates[0]), vector("A"))
    np.testing.assert_array_equal(numeric.item_vector(BOTH.candidates[0]), [3.0])


def test_a_user_vector_is_the_same_whoever_builds_it():
    knew = Knew(clicks=3, decisions=0, idle_ms=None, interest=np.ones(E, "<f2").tobytes())
    rows = featurizer().rows([outcome(BOTH, (Slot(item_id="a"),), (0.0,), knew)])
    np.testing.assert_allclose(rows.user_RU[0], [1.0] * E + [np.log(4), 0.0, 0.0], rtol=1e-6)


def test_the_packaged_encoder_fills_the_text_block():
    features = Featurizer(FeatureSettings(), local_encoder(EncoderSettings()))
    observation = features.observe([BOTH], [(store(), "u1")])
    assert features.layout == Layout(text=384, context=2, candidate=1)
    np.testing.assert_allclose(np.linalg.norm(observation.candidates_ND[:, :384], axis=1), 1.0, rtol=1e-5)
    assert observation.candidates_ND[:, 384].tolist() == [3.0, 0.0]


@pytest.mark.parametrize("size", [2 * E - 2, 2 * E + 1, 0])
def test_an_interest_of_another_size_is_an_error_that_names_it(size):
    with pytest.raises(FeatureError, match=rf"must have {E} values of 2 bytes; got \[{size}\] bytes"):
        featurizer().rows([outcome(BOTH, (Slot(item_id="a"),), (0.0,), Knew(interest=bytes(size)))])
