"""Recorded logs as environments: the same impressions, the same clicks on what is shown again."""

from contextlib import contextmanager

import numpy as np
import pytest
from support.episodes import NUMERIC, play

from agent.settings import InterestSettings
from agent.user_snapshots import UserStores
from deploy.compose import supply_of
from deploy.gym_envs import replay_env
from deploy.settings import Settings
from deploy.simulate import SimulateOptions, simulate
from envs.core import Core
from envs.env import StreamBanditEnv, mask_of
from envs.errors import WorldError
from envs.features import FeatureSettings, Featurizer
from envs.parts import CoreSettings, Parts
from envs.readers import ReaderScene
from envs.world import World, WorldSettings
from stream.codec import JsonCodec
from stream.events import Click
from stream.identity import decision_id
from stream.memory import MemoryLog
from stream.meter import Tally
from stream.record_file import RecordingWorldLog, read_records


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
        users = UserStores(InterestSettings())
        parts = Parts(log, featurizer, users, Tally(), lambda: 0, supply_of(world))
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
