"""The Gymnasium form: `check_env` as its contract, the same episode for the same seed, delayed rewards that add up."""

from contextlib import contextmanager

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import deploy.registration  # noqa: F401 - registers the ids
from agent.interests import InterestStore
from agent.settings import InterestSettings
from deploy.compose import supply_of
from deploy.gym_envs import memory_env, replay_env
from deploy.settings import Settings
from deploy.simulate import SimulateOptions, simulate
from envs.core import Core
from envs.env import EnvSettings, StreamBanditEnv, mask_of
from envs.errors import ActionError, WorldError
from envs.features import FeatureSettings, Featurizer
from envs.parts import CoreSettings, Parts
from envs.readers import ReaderScene
from envs.world import World, WorldSettings
from stream.codec import JsonCodec
from stream.events import Candidate, Click, Impression, Logged
from stream.identity import decision_id
from stream.memory import MemoryLog
from stream.meter import Tally
from stream.record_file import RecordingWorldLog, read_records
from stream.settings import AttributionSettings

T0_MS = 1_700_000_000_000
NUMERIC = Settings(readers={"features": "numeric", "base": -1.0})


def env_of(*events, form=None, reads_to_its_end=True):
    """An environment over given events, with a world that ends there, or one that is elsewhere and shows no more."""

    def open_core(seed):
        log = MemoryLog()
        for event in events:
            log.append(event)
        featurizer = Featurizer(FeatureSettings(text="off", context_dim=0, candidate_dim=1), None)
        featurizer.settle([])
        attribution = AttributionSettings(window_ms=1_000, out_of_order_ms=0)
        parts = Parts(
            log=log,
            featurizer=featurizer,
            interests=InterestStore(InterestSettings()),
            meter=Tally(),
            clock=lambda: 0,
            supply=(lambda _: 0) if reads_to_its_end else None,
        )
        return Core(CoreSettings(attribution=attribution), parts)

    return StreamBanditEnv(open_core, form or EnvSettings(max_candidates=4, poll_ms=1))


def impression(name, ts_ms=T0_MS, items=3, **more):
    candidates = tuple(Candidate(item_id=f"{place}", features=(place + 1.0,)) for place in range(items))
    return Impression(impression_id=name, user_id="u1", ts_ms=ts_ms, candidates=candidates, **more)


def click(name, item="0", ts_ms=T0_MS + 100):
    return Click(impression_id=name, user_id="u1", item_id=item, ts_ms=ts_ms)


def play(env, seed, choose=lambda observation: 0):
    """A whole episode: everything that can be seen of it."""
    observation, info = env.reset(seed=seed)
    steps, ended = [(observation, 0.0, info)], info["impression_id"] is None
    while not ended:
        observation, reward, terminated, truncated, info = env.step(choose(observation))
        steps.append((observation, reward, info))
        ended = terminated or truncated
    return steps


def same(one, other):
    assert len(one) == len(other)
    for (one_seen, one_reward, one_info), (other_seen, other_reward, other_info) in zip(one, other, strict=True):
        assert one_reward == other_reward
        assert one_info == other_info
        for name, values in one_seen.items():
            np.testing.assert_array_equal(values, other_seen[name], strict=True)


# The registered ids


def test_the_memory_id_keeps_gymnasiums_contract():
    env = gymnasium.make("StreamBandit/Memory-v0", impressions=50)
    check_env(env.unwrapped, skip_render_check=True)
    env.close()


def test_the_replay_id_keeps_gymnasiums_contract_and_shows_what_was_recorded(recorded):
    env = gymnasium.make("StreamBandit/Replay-v0", path=recorded)
    check_env(env.unwrapped, skip_render_check=True)
    assert len(play(env, seed=0)) == 1 + 40
    env.close()


def test_a_long_slate_keeps_gymnasiums_contract():
    readers = {"features": "numeric", "slots": 3}
    env = gymnasium.make(
        "StreamBandit/Memory-v0", impressions=20, settings=Settings(readers=readers), form=EnvSettings(slots=3)
    )
    check_env(env.unwrapped, skip_render_check=True)


def test_only_kafka_is_not_repeatable():
    specs = {name: gymnasium.spec(f"StreamBandit/{name}-v0").nondeterministic for name in ("Memory", "Replay", "Kafka")}
    assert specs == {"Memory": False, "Replay": False, "Kafka": True}


# Episodes


@pytest.mark.parametrize("seed", [0, 7])
def test_the_same_seed_gives_the_same_episode_bit_for_bit(seed):
    one, other = (memory_env(NUMERIC, impressions=60) for _ in range(2))
    first = play(one, seed)
    same(first, play(other, seed))
    same(first, play(one, seed))  # again, in the same environment
    assert any(reward for _, reward, _ in first)


def test_another_seed_gives_another_episode():
    env = memory_env(NUMERIC, impressions=5)
    assert not np.array_equal(play(env, 0)[0][0]["context"], play(env, 1)[0][0]["context"])


def test_without_a_seed_an_episode_has_that_of_the_settings():
    env = memory_env(NUMERIC.model_copy(update={"seed": 7}), impressions=10)
    unseeded = play(env, None)
    same(unseeded, play(env, None))
    same(unseeded, play(env, 7))


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


# Actions


@pytest.mark.parametrize(("action", "shown"), [(2, "0"), (3, "0"), (-1, "0"), (1, "1"), (np.int64(1), "1")])
def test_a_padded_action_is_replaced_by_the_first_candidate_counted_and_named(action, shown):
    env = env_of(impression("i1", items=2), impression("i2"))
    env.reset(seed=0)
    _, _, _, _, info = env.step(action)
    replaced = 0 if shown == str(action) else 1
    assert info.get("replaced", 0) == replaced
    assert env.core.parts.meter.total("actions_replaced") == replaced
    assert published(env)[0].slate[0].item_id == shown


def test_a_slate_is_shown_in_the_order_of_its_indices_and_repeats_are_replaced():
    env = env_of(
        impression("i1", items=4, slots=3),
        impression("i2", items=4, slots=3),
        impression("i3", items=4, slots=2),
        form=EnvSettings(max_candidates=4, slots=3),
    )
    env.reset(seed=0)
    infos = [env.step(np.array(action))[-1] for action in ([3, 0, 2], [1, 1, 0], [2, 3, 0])]
    shown = [[slot.item_id for slot in each.slate] for each in published(env)]
    assert shown == [["3", "0", "2"], ["1", "0", "2"], ["2", "3"]]  # the third 0 is taken by then; i3 has two slots
    assert [info.get("replaced", 0) for info in infos] == [0, 2, 0]


def test_a_bare_action_is_published_as_external_without_a_propensity():
    env = env_of(impression("i1"), impression("i2"))
    env.reset(seed=0)
    env.step(1)
    (shown,) = published(env)
    assert (shown.strategy, shown.slate[0].propensity, shown.slate_propensity, shown.probabilities) == (
        "external",
        None,
        None,
        None,
    )


def test_an_action_with_too_few_indices_is_an_error():
    env = env_of(impression("i1", slots=2), form=EnvSettings(max_candidates=4, slots=2))
    env.reset(seed=0)
    with pytest.raises(ActionError, match=r"action must have one index per slot \(2\); got \[1\]"):
        env.step([1])


def test_more_candidates_than_fit_are_an_error_here():
    env = env_of(impression("i1", items=5))
    with pytest.raises(ActionError, match="candidates of a Gymnasium observation must be at most 4; got 5"):
        env.reset(seed=0)


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


# Recorded logs


@pytest.fixture
def recorded(tmp_path):
    """What `streambandit simulate --out` writes: a world of 40 impressions, decided by a uniform choice."""
    path = tmp_path / "log.jsonl"
    simulate(NUMERIC, SimulateOptions(impressions=40, out=path))
    return path


def test_a_world_recorded_by_an_environments_own_supply_replays_with_the_same_rewards(tmp_path):
    path = tmp_path / "own.jsonl"
    with recording_env(path) as env:
        first = play(env, None)
    again = play(replay_env(path), None)
    for (one, _, one_info), (other, _, other_info) in zip(first, again, strict=True):
        assert one_info["impression_id"] == other_info["impression_id"]
        np.testing.assert_array_equal(one["candidates"], other["candidates"])
    outcomes = [{o["decision_id"]: o["rewards"] for _, _, i in run for o in i["outcomes"]} for run in (first, again)]
    assert outcomes[0] == outcomes[1]
    assert sum(rewards[0] for rewards in outcomes[0].values()) > 3


@contextmanager
def recording_env(path):
    """An environment whose world writes down what it shows; the same actions get the same clicks in a replay."""
    log = MemoryLog()
    with RecordingWorldLog(log, path) as recording:
        scene = ReaderScene(NUMERIC.readers, seed=2)
        world = World(scene, recording, WorldSettings(impressions=40), seed=2)
        dim = scene.feature_dim
        featurizer = Featurizer(FeatureSettings(text="off", context_dim=dim, candidate_dim=dim), None)
        featurizer.settle([])
        interests = InterestStore(InterestSettings())
        parts = Parts(log, featurizer, interests, Tally(), lambda: 0, supply_of(world))
        yield StreamBanditEnv(lambda seed: Core(CoreSettings(), parts))


def test_a_replay_has_no_dead_letters_and_joins_the_clicks_on_what_is_shown_again(recorded):
    clicks = [r for r in read_records(recorded) if r.topic == "clicks"]
    first = JsonCodec().decode(clicks[0].value, Click)
    env = replay_env(recorded)

    def same_item(observation):
        impression = env._impression
        items = [candidate.item_id for candidate in impression.candidates]
        return items.index(first.item_id) if impression.impression_id == first.impression_id else 0

    steps = play(env, 0, same_item)
    assert env.core.parts.meter.total("dead_letters") == 0
    rewarded = {o["decision_id"]: o["rewards"] for _, _, info in steps for o in info["outcomes"]}
    assert rewarded[decision_id(first.user_id, first.impression_id)] == (1.0,)


def test_a_replay_of_what_another_policy_showed_gives_its_outcomes_and_nothing_to_decide(tmp_path):
    path = tmp_path / "logged.jsonl"
    tally = simulate(NUMERIC, SimulateOptions(impressions=40, out=path, logged=True))
    env = replay_env(path)
    observation, info = env.reset(seed=0)
    assert (info["impression_id"], observation["action_mask"].sum()) == (None, 0)
    closed = sum(sum(each["rewards"]) for each in info["outcomes"])
    assert 0 < closed <= tally.clicks
    assert env.core.parts.meter.counters["impressions", "logged"] == 40


def test_texts_of_a_recorded_log_are_read_where_there_is_an_encoder(tmp_path):
    path = tmp_path / "texts.jsonl"
    simulate(Settings(), SimulateOptions(impressions=3, out=path))
    observation, _ = replay_env(path, encoder=LengthEncoder()).reset(seed=0)
    lengths = observation["candidates"][mask_of(observation)]
    assert lengths.shape[1] == 1
    assert (lengths > 10).all()


class LengthEncoder:
    """An `Encoder` of one number: how long a text is."""

    dim, version = 1, "length"

    def encode(self, texts):
        return np.array([[len(text)] for text in texts], np.float32).reshape(-1, 1)


def test_a_recorded_log_without_an_impression_is_an_error(tmp_path):
    path = tmp_path / "empty.jsonl"
    path.write_bytes(b"")
    with pytest.raises(WorldError, match="recorded log must hold an impression; got none in"):
        replay_env(path)


def published(env):
    return env.core.parts.log.recommendations(100, 0)
