"""The agent: encoder, user interests, policy and exploration, learning, and its RLlib form.

Lazy, so that `agent.evaluation` needs neither torch nor ray.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.bandit import BanditAgent
    from agent.settings import AgentSettings

__all__ = ["AgentSettings", "BanditAgent"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type is that of the name
    if name == "BanditAgent":
        from agent.bandit import BanditAgent  # noqa: PLC0415 - loads torch

        return BanditAgent
    if name == "AgentSettings":
        from agent.settings import AgentSettings  # noqa: PLC0415 - lazy like the other

        return AgentSettings
    raise AttributeError(f"module 'agent' has no attribute {name!r}")
