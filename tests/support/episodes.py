"""Environments over given events, and whole episodes of them."""

import numpy as np

from agent.settings import InterestSettings
from agent.user_snapshots import UserStores
from deploy.settings import Settings
from envs.core import Core
from envs.env import EnvSettings, StreamBanditEnv
from envs.features import FeatureSettings, Featurizer
from envs.parts import CoreSettings, Parts
from stream.events import Candidate, Click, Impression
from stream.memory import MemoryLog
from stream.meter import Tally
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
            users=UserStores(InterestSettings()),
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


def assert_same(one, other):
    assert len(one) == len(other)
    for (one_seen, one_reward, one_info), (other_seen, other_reward, other_info) in zip(one, other, strict=True):
        assert one_reward == other_reward
        assert one_info == other_info
        for name, values in one_seen.items():
            np.testing.assert_array_equal(values, other_seen[name], strict=True)


def published(env):
    return env.core.parts.log.recommendations(100, 0)
