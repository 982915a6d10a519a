"""The agent in process: what it decides and learns, on texts, numbers and both, and what it refuses unchanged.

What becomes of it in a snapshot is in `test_snapshot.py`.
"""

import numpy as np
import pytest
from msgspec.structs import replace
from support.agents import agent_of, believed, features, impression, lessons, outcomes_of, state_of

from agent.errors import LearnError
from envs.errors import FeatureError
from stream.events import Candidate, Click, Impression

FORMS = ["text", "numeric", "mixed"]


# Deciding


@pytest.mark.parametrize("form", FORMS)
def test_each_impression_gets_a_slate_with_propensities_and_the_version_that_decided(form):
    agent = agent_of(form)
    impressions = [impression(form, number, slots=slots) for number, slots in enumerate((1, 3, 4))]
    found = agent.decide(impressions)
    assert [shown.impression_id for shown in found] == ["i0", "i1", "i2"]
    for asked, shown in zip(impressions, found, strict=True):
        items = [slot.item_id for slot in shown.slate]
        assert len(items) == len(set(items)) == asked.slots
        assert set(items) <= {candidate.item_id for candidate in asked.candidates}
        assert len(shown.probabilities) == 4
        assert sum(shown.probabilities) == pytest.approx(1.0)
        assert shown.slate_propensity == pytest.approx(np.prod([slot.propensity for slot in shown.slate]))
        assert (shown.user_id, shown.ts_ms, shown.policy_version) == (asked.user_id, asked.ts_ms, "0.0")
        assert shown.encoder_version == ("" if form == "numeric" else "hashing")
        assert shown.knew.clicks == 0  # of a user never seen nothing is known


def test_numbers_need_no_encoder():
    agent = agent_of("numeric")
    agent.decide([impression("numeric", 0)])
    assert agent._featurizer._encoder._inner is None  # the packaged weights were not loaded


def test_impressions_may_have_different_numbers_of_candidates():
    counts = (1, 7, 4)
    found = agent_of("numeric").decide(
        [impression("numeric", number, count=count) for number, count in enumerate(counts)]
    )
    assert [len(shown.probabilities) for shown in found] == [1, 7, 4]
    assert found[0].probabilities == (1.0,)


def test_all_probabilities_are_given_however_many_candidates_there_are():
    (shown,) = agent_of("numeric").decide([impression("numeric", 0, count=300)])
    assert len(shown.probabilities) == 300


def test_nothing_asked_nothing_decided_and_nothing_settled():
    agent = agent_of("numeric")
    assert agent.decide([]) == []
    assert agent.learn([]) == {}
    assert len(agent.decide([impression("numeric", 0)])) == 1


def test_the_same_seed_decides_the_same_and_another_draws_anew():
    asked = [impression("numeric", number) for number in range(50)]
    one, again, other = (agent_of("numeric", seed=seed).decide(asked) for seed in (0, 0, 1))
    assert one == again
    same = sum(a.slate[0].item_id == b.slate[0].item_id for a, b in zip(one, other, strict=True))
    assert 2 <= same <= 25  # of 50 by chance 12.5


# Learning


@pytest.mark.parametrize("form", FORMS)
def test_every_slot_is_a_row_and_every_call_a_version(form):
    agent = agent_of(form)
    for version, count in enumerate((3, 5), start=1):
        found = agent.learn(outcomes_of(agent, [impression(form, number, slots=2) for number in range(count)]))
        assert found.keys() == {"loss", "rows", "refreshed", "changed", "network_weight", "clipped"}
        (shown,) = agent.decide([impression(form, 99)])
        assert shown.policy_version == f"0.{version}"
    assert found["rows"] == 2 * (3 + 5)


@pytest.mark.parametrize("form", FORMS)
def test_the_first_refresh_comes_at_its_count_of_rows_and_changes_what_is_believed(form):
    agent = agent_of(form, refresh_rows=(64,))
    before = believed(agent, form)
    refreshed = [agent.learn(lesson)["refreshed"] for lesson in lessons(agent, form, (40, 40, 40))]
    assert refreshed == [0.0, 1.0, 0.0]
    assert believed(agent, form) != before


def test_what_a_user_clicked_is_what_is_known_of_them_at_the_next_decision():
    agent = agent_of("numeric")
    asked = impression("numeric", 0, user="u7")
    (outcome,) = outcomes_of(agent, [asked], rewards=1.0)
    agent.learn([outcome])
    clicked = next(c for c in asked.candidates if c.item_id == outcome.recommendation.slate[0].item_id)
    (shown,) = agent.decide([impression("numeric", 1, user="u7", ts_ms=outcome.closed_ms + 250)])
    assert (shown.knew.clicks, shown.knew.decisions, shown.knew.idle_ms) == (1, 0, 250)
    interest_D = np.frombuffer(shown.knew.interest, "<f2").astype(float)
    np.testing.assert_allclose(interest_D, clicked.features / np.linalg.norm(clicked.features), atol=1e-3)
    agent.learn(outcomes_of(agent, [impression("numeric", 2, user="u7")], rewards=0.0))
    passed, unseen = agent.decide([impression("numeric", 3, user="u7"), impression("numeric", 4, user="u8")])
    assert (passed.knew.clicks, passed.knew.decisions) == (1, 1)
    assert (unseen.knew.clicks, unseen.knew.decisions, unseen.knew.interest) == (0, 0, None)


# What does not fit


@pytest.mark.parametrize(
    ("misfit", "message"),
    [
        (features("bad", [(1.0,), (2.0,)]), r"candidate '0' features must have 2 values; got 1"),
        (features("bad", [(1.0, 2.0, 3.0)]), r"candidate '0' features must have 2 values; got 3"),
        (features("bad", [(1.0, 2.0)], context=(1.0,)), r"context\.features must have 2 values; got 1"),
    ],
)
def test_features_that_do_not_fit_are_an_error_and_nothing_changes(misfit, message):
    agent = agent_of("numeric")
    agent.learn(outcomes_of(agent, [impression("numeric", number) for number in range(5)]))
    good, bad = (outcomes_of(agent_of("numeric"), [each])[0] for each in (impression("numeric", 9), misfit))
    before = state_of(agent)
    with pytest.raises(FeatureError, match=message):
        agent.decide([good.impression, misfit])
    with pytest.raises(FeatureError, match=message):
        agent.learn([good, bad])
    assert state_of(agent) == before


def test_rewards_that_do_not_fit_are_an_error_and_nothing_changes():
    agent = agent_of("numeric")
    agent.learn(outcomes_of(agent, [impression("numeric", number) for number in range(5)]))
    before = state_of(agent)
    bad = outcomes_of(agent, [impression("numeric", 7), impression("numeric", 8)], rewards=1.5)
    with pytest.raises(LearnError, match=r"rows reward_R must be in \[0, 1\]"):
        agent.learn(bad)
    assert state_of(agent) == before


def test_a_click_on_what_was_no_candidate_is_an_error_and_nothing_changes():
    agent = agent_of("numeric")
    agent.learn(outcomes_of(agent, [impression("numeric", number) for number in range(5)]))
    before = state_of(agent)
    (outcome,) = outcomes_of(agent, [impression("numeric", 7)])
    click = Click(impression_id="i7", user_id=outcome.impression.user_id, item_id="elsewhere", ts_ms=outcome.closed_ms)
    with pytest.raises((FeatureError, LearnError)):
        agent.learn([replace(outcome, clicks=(click,))])
    assert state_of(agent) == before


def test_a_first_impression_that_is_refused_settles_nothing():
    agent = agent_of("numeric")
    with pytest.raises(FeatureError):
        agent.decide([features("bad", [(1.0,), (2.0, 3.0)])])
    assert len(agent.decide([impression("numeric", 0)])) == 1


def test_a_first_batch_settles_for_all_of_its_impressions():
    agent = agent_of("mixed")
    texts = tuple(Candidate(item_id=str(place), text=f"text {place}") for place in range(2))
    of_texts = Impression(impression_id="texts", user_id="u", ts_ms=1, candidates=texts)
    found = agent.decide([features("numbers", [(1.0, 2.0), (2.0, 1.0)]), of_texts])
    assert [shown.encoder_version for shown in found] == ["hashing"] * 2


# That it learns


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_clear_preference_among_two_features_is_found(seed):
    """Lift 0 is a uniform choice, 1 the best of every impression.

    Measured over 12 seeds in the last 250 of 600 decisions, mean and standard deviation: 0.981 and 0.010; with the same
    rewards dealt out anew 0.038 and 0.165. The bound lies five deviations below the first, and five above the second.
    """
    assert lift(seed, shuffled=False) > 0.93
    assert lift(seed, shuffled=True) < 0.87


def lift(seed, *, shuffled, decisions=600, batch=50):
    random = np.random.default_rng(seed)
    agent = agent_of("numeric", seed=seed)
    lifts = []
    for start in range(0, decisions, batch):
        features_BKD = random.normal(size=(batch, 4, 2))
        chance_BK = 1 / (1 + np.exp(1 - 2 * features_BKD[:, :, 0]))  # only the first feature matters
        asked = [features(f"i{start + b}", features_BKD[b].tolist(), user=f"u{b % 10}") for b in range(batch)]
        shown = [int(each.slate[0].item_id) for each in agent.decide(asked)]
        chance_B = chance_BK[np.arange(batch), shown]
        rewards_B = (random.random(batch) < chance_B).astype(float)
        agent.learn(outcomes_of(agent, asked, rewards=random.permutation(rewards_B) if shuffled else rewards_B))
        uniform, best = chance_BK.mean(), chance_BK.max(axis=1).mean()
        lifts.append((chance_B.mean() - uniform) / (best - uniform))
    return np.mean(lifts[-5:])
