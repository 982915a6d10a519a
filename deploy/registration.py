"""Importing this registers the Gymnasium ids; what they make is in `deploy.gym_envs`.

Gymnasium imports it by itself where an id names it: `gymnasium.make("deploy.registration:StreamBandit/Memory-v0")`.
(Gymnasium 1.x no longer looks for ids in the entry points of installed packages.)

>>> import gymnasium
>>> env = gymnasium.make("deploy.registration:StreamBandit/Memory-v0", impressions=10)
>>> env.action_space
Discrete(32)
"""

import gymnasium

for _name, _maker in (("Memory", "memory_env"), ("Replay", "replay_env"), ("Kafka", "kafka_env")):
    gymnasium.register(
        id=f"StreamBandit/{_name}-v0",
        entry_point=f"deploy.gym_envs:{_maker}",
        nondeterministic=_name == "Kafka",
    )
