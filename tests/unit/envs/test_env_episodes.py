"""Episodes: the same for the same seed, delayed rewards that add up, and how they end."""

import gymnasium
import numpy as np
import pytest
from support.episodes import NUMERIC, T0_MS, assert_same, click, env_of, impression, play

from deploy.gym_envs import memory_env
from envs.env import EnvSettings, mask_of
from stream.events import Logged
from stream.identity import decision_id


@pytest.mark.parametrize("seed", [0, 7])
def test_the_same_seed_gives_the_same_episode_bit_for_bit(seed):
    one, other = (memory_env(NUMERIC, impressions=60) for _ in range(2))
    first = play(one, seed)
    assert_same(first, play(other, seed))
    assert_same(first, play(one, seed))  # again, in the same environment
    assert any(reward for _, reward, _ in first)


def test_another_seed_gives_another_episode():
    env = memory_env(NUMERIC, impressions=5)
    assert not np.array_equal(play(env, 0)[0][0]["context"], play(env, 1)[0][0]["context"])


def test_without_a_seed_an_episode_has_that_of_the_settings():
    env = memory_env(NUMERIC.model_copy(update={"seed": 7}), impressions=10)
    unseeded = play(env, None)
    assert_same(unseeded, play(env, None))
    assert_same(unseeded, play(env, 7))


def test_an_observation_is_padded_and_says_which_indices_are_candidates():
    env = env_of(impression("i1", items=2))
    observation, info = env.reset(seed=0)
    assert (info["impression_id"], info["user_id"], info["outcomes"]) == ("i1", "u1", [])
    assert observation["candidates"].tolist() == [[1.0], [2.0], [0.0], [0.0]]
    assert observation["action_mask"].tolist() == [1, 1, 0, 0]
    assert mask_of(observation).tolist() == [True, True, False, False]
    assert observation["context"].tolist() == [0.0] * (1 + 3)  # no context; a user of whom nothing is known
    assert env.observation_space.contains(observation)


def test_feedback_comes_when_a_decision_closes_and_names_it():
    env = env_of(
        impression("i1"), click("i1"), impression("i2", T0_MS + 500), click("i2", "2"), impression("i3", T0_MS + 1_000)
    )
    env.reset(seed=0)
    _, reward, _, truncated, info = env.step(0)
    assert (reward, truncated, info["outcomes"], info["impression_id"]) == (0.0, False, [], "i2")
    _, reward, _, _, info = env.step(0)  # the click was on 2; i3 is read but not yet part of what is committed
    assert (reward, info["impression_id"]) == (0.0, "i3")
    _, reward, _, truncated, info = env.step(0)  # the world ends: i1, whose window has passed, and all that is open
    assert (reward, truncated, info["truncated_by"], info["impression_id"]) == (1.0, True, "world", None)
    named = {each["decision_id"]: each["rewards"] for each in info["outcomes"]}
    assert named == {decision_id("u1", "i1"): (1.0,), decision_id("u1", "i2"): (0.0,), decision_id("u1", "i3"): (0.0,)}


def test_the_rewards_of_an_episode_are_those_of_its_outcomes_and_every_decision_has_one():
    env = memory_env(NUMERIC, impressions=150)
    random = np.random.default_rng(0)
    steps = play(env, 3, lambda seen: int(random.integers(seen["action_mask"].sum())))
    outcomes = [outcome for _, _, info in steps for outcome in info["outcomes"]]
    total = sum(reward for _, reward, _ in steps)
    assert total == sum(sum(outcome["rewards"]) for outcome in outcomes) > 10
    assert len(outcomes) == len({outcome["decision_id"] for outcome in outcomes}) == 150
    for _, reward, info in steps:
        assert reward == sum(sum(outcome["rewards"]) for outcome in info["outcomes"])


def test_what_another_policy_showed_is_named_when_it_closes_even_before_the_first_decision():
    logged = impression("theirs", logged=Logged(item_ids=("0",)))
    env = env_of(logged, click("theirs"), impression("ours", T0_MS + 5_000), impression("more", T0_MS + 5_001))
    _, info = env.reset(seed=0)
    assert info["impression_id"] == "ours"
    _, _, _, _, later = env.step(0)
    closed = [*info["outcomes"], *later["outcomes"]]
    assert closed == [{"decision_id": decision_id("u1", "theirs"), "rewards": (1.0,)}]


# How an episode ends


def test_an_episode_is_bounded_by_its_steps_and_leaves_the_rest_open():
    env = env_of(*(impression(f"i{number}") for number in range(5)), form=EnvSettings(max_steps=2))
    steps = play(env, 0)
    assert len(steps) == 1 + 2
    assert steps[-1][2]["truncated_by"] == "bound"
    assert steps[-1][2]["outcomes"] == []
    assert steps[-1][0]["action_mask"].sum() == 0


def test_where_the_world_is_elsewhere_an_episode_ends_when_no_impression_comes_in_time():
    env = env_of(impression("i1"), reads_to_its_end=False)
    *_, (_, _, info) = play(env, 0)
    assert (info["truncated_by"], info["outcomes"]) == ("poll", [])  # open decisions stay open: their clicks may come


@pytest.mark.parametrize("before", ["reset", "after the end"])
def test_a_step_needs_an_impression_at_hand(before):
    env = env_of(impression("i1"))
    if before == "after the end":
        play(env, 0)
    with pytest.raises(gymnasium.error.ResetNeeded, match="step must follow a reset"):
        env.step(0)
