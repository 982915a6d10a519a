"""The Gymnasium form: `check_env` as its contract for every registered id, and the actions that it takes."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from support.episodes import env_of, impression, play, published

import deploy.registration  # noqa: F401 - registers the ids
from deploy.settings import Settings
from envs.env import EnvSettings
from envs.errors import ActionError

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
