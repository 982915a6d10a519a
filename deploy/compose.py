"""Putting the parts together: factories of sessions, which cross process walls, and the agent's final settings."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from agent.settings import AgentSettings
from agent.user_snapshots import Keeping, UserStores
from deploy.clocks import stopped_clock_ms, timer_s, wall_clock_ms
from deploy.settings import Settings, group_folder
from envs.core import Core
from envs.features import FeatureSettings, Layout
from envs.readers import ReaderScene
from envs.session import Session, Share
from envs.tally import WorldTally
from envs.upworthy import UpworthyScene
from envs.world import Scene, World
from stream.memory import MemoryLog

WorldName = Literal["readers", "upworthy"]
_WORLD_REPORT_S = 0.5


def scene_of(settings: Settings, world: WorldName, seed: int) -> Scene:
    """The scene that a world plays."""
    if world == "upworthy":
        return UpworthyScene(settings.upworthy, seed)
    return ReaderScene(settings.readers, seed)


def numeric_dim(settings: Settings, world: WorldName) -> int:
    """Numeric features that a simulated world shows, of contexts and candidates alike."""
    return ReaderScene(settings.readers, seed=0).feature_dim if world == "readers" else 0


def settle(agent: AgentSettings, encoder_dim: int, numeric: int | None = None) -> tuple[AgentSettings, Layout]:
    """The agent's settings with nothing left to the first impressions, and the layout that follows.

    Args:
        agent: settings as given.
        encoder_dim: E; 0 where no text is read.
        numeric: numeric features of a simulated world; None where the settings say.
    """
    features = agent.features
    context = features.context_dim if features.context_dim is not None else numeric or 0
    candidate = features.candidate_dim if features.candidate_dim is not None else numeric or 0
    text: Literal["on", "off"] = "on" if encoder_dim else "off"
    settled = FeatureSettings(text=text, context_dim=context, candidate_dim=candidate)
    manner = encoder_dim if agent.encoder.manner else 0
    layout = Layout(text=encoder_dim, context=context, candidate=candidate, manner=manner)
    return agent.model_copy(update={"features": settled}), layout


@dataclass(frozen=True)
class MemorySession:
    """Opens a memory log with a world of its own in the runner's process.

    Attributes:
        settings: all of them.
        world: which world.
    """

    settings: Settings
    world: WorldName = "readers"

    def __call__(self, share: Share) -> Session:
        """The session of one runner; each runner has a world of its own, with its own part of the impressions."""
        settings = self.settings
        seed = settings.seed + share.index
        impressions = settings.world.impressions // share.count
        named = settings.world.model_copy(update={"impressions": impressions, "name": f"w{share.index}-"})
        log = MemoryLog()
        world = World(scene_of(settings, self.world, seed), log, named, seed)
        core = Core(settings.core, share.parts(log, stopped_clock_ms, supply_of(world)))
        return Session(core=core, close=log.close, timer=timer_s, world=WorldReport(world, core))


@dataclass(frozen=True)
class KafkaSession:
    """Opens this runner's share of the topics on Kafka.

    Attributes:
        settings: all of them.
        users: where users are saved; under the present folder of the process that makes this, whoever opens it.
    """

    settings: Settings
    users: Path = field(init=False)

    def __post_init__(self) -> None:
        folder = group_folder(self.settings.checkpoint, self.settings.kafka.group_id).absolute()
        object.__setattr__(self, "users", folder / "users")

    def __call__(self, share: Share) -> Session:
        """The session of one runner; the broker shares the partitions out."""
        from stream.kafka.log import KafkaLog  # noqa: PLC0415 - only where Kafka is used

        settings = self.settings
        share = replace(share, users=self._stores(), pseudonyms=settings.privacy.pseudonyms())
        log = KafkaLog(settings.kafka, share.index)
        core = Core(settings.core, share.parts(log, wall_clock_ms))

        def close() -> None:
            core.close()
            log.close()

        return Session(core=core, close=close, timer=timer_s)

    def _stores(self) -> UserStores:
        """The users of each partition, saved beside the checkpoints where those are kept."""
        kept = self.settings.checkpoint
        keeping = Keeping(self.users, int(1_000 * kept.every_s), kept.keep, wall_clock_ms) if kept.enabled else None
        return UserStores(self.settings.agent.interests, kept.rebuild_outcomes, keeping)


def supply_of(world: World) -> Callable[[int], int]:
    """Makes a world show more impressions; at its end it hands out what clicks are left."""

    def supply(impressions: int) -> int:
        came = world.advance(impressions)
        if not came and world.ended:
            world.finish()
        return came

    return supply


class WorldReport:
    """What a world knows of itself: rates so far, now and then; everything once it has ended."""

    def __init__(self, world: World, core: Core) -> None:
        self._world = world
        self._core = core
        self._told_s = -_WORLD_REPORT_S

    def __call__(self) -> dict[str, Any]:
        """The rates, or {} where they were told a moment ago."""
        ended = self._core.ended and not self._core.open_decisions
        if not ended and timer_s() - self._told_s < _WORLD_REPORT_S:
            return {}
        self._told_s = timer_s()
        tally = self._world.tally
        return {"rates": rates(tally), **({"tally": tally.to_dict()} if ended else {})}


def rates(tally: WorldTally) -> dict[str, float | None]:
    """Rolling click rates on true probabilities, over the last quarter of what was decided."""
    return {
        "click_rate": tally.click_rate_last_quarter,
        "click_rate_uniform": tally.click_rate_uniform_last_quarter,
        "click_rate_oracle": tally.click_rate_oracle_last_quarter,
    }
