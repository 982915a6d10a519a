"""What the Gymnasium ids make: environments over a simulated world, a recorded log, or Kafka.

    gymnasium.make("StreamBandit/Memory-v0", impressions=1_000)
    gymnasium.make("StreamBandit/Replay-v0", path="log.jsonl")
    gymnasium.make("StreamBandit/Kafka-v0", settings=settings, features=features)

The ids are registered by importing `deploy.registration`.
"""

from pathlib import Path
from typing import Any

from agent.user_snapshots import UserStores
from deploy.clocks import stopped_clock_ms, wall_clock_ms
from deploy.compose import numeric_dim, scene_of, supply_of
from deploy.settings import Settings
from envs.core import Core
from envs.env import EnvSettings, StreamBanditEnv
from envs.errors import WorldError
from envs.features import FeatureSettings, Featurizer
from envs.parts import Parts
from envs.session import Share
from envs.world import World
from stream.codec import JsonCodec
from stream.events import Impression
from stream.log import INPUT_TOPICS, EventLog
from stream.memory import MemoryLog
from stream.meter import Tally
from stream.record_file import read_records


def memory_env(
    settings: Settings | None = None,
    *,
    impressions: int = 1_000,
    encoder: Any = None,  # noqa: ANN401 - an `envs.protocols.Encoder`; one would load torch to be named here
    form: EnvSettings | None = None,
) -> StreamBanditEnv:
    """Simulated readers in memory. Without an encoder the readers show numeric features, and nothing is downloaded.

    Args:
        settings: of world, readers, attribution and rewards.
        impressions: of an episode.
        encoder: reads the titles; the observation then holds embeddings.
        form: of the environment.
    """
    chosen = settings or Settings(readers={"features": "text" if encoder is not None else "numeric"})
    world_settings = chosen.world.model_copy(update={"impressions": impressions})
    numeric = numeric_dim(chosen, "readers")
    features = FeatureSettings(text="on" if encoder is not None else "off", context_dim=numeric, candidate_dim=numeric)

    def open_core(seed: int | None) -> Core:
        seed = chosen.seed if seed is None else seed
        log = MemoryLog()
        world = World(scene_of(chosen, "readers", seed), log, world_settings, seed)
        return Core(chosen.core, _parts(chosen, log, Featurizer(features, encoder), supply_of(world)))

    return StreamBanditEnv(open_core, form)


def replay_env(
    path: str | Path,
    settings: Settings | None = None,
    *,
    features: FeatureSettings | None = None,
    encoder: Any = None,  # noqa: ANN401 - as above
    form: EnvSettings | None = None,
) -> StreamBanditEnv:
    """A recorded log of impressions and clicks, again. A click on what is not shown this time is not joined.

    Args:
        path: of the file; `streambandit simulate --out FILE` writes one.
        settings: of attribution and rewards.
        features: with everything settled; by default numeric ones as in the first recorded impression, and texts
            where there is an encoder.
        encoder: reads the texts.
        form: of the environment.

    Raises:
        WorldError: no impression is recorded.
    """
    chosen = settings or Settings()
    settled = features or _recorded_features(Path(path), reads_text=encoder is not None)

    def open_core(seed: int | None) -> Core:  # noqa: ARG001 - what is recorded does not depend on a seed
        written_ms = 0
        log = MemoryLog(capacity=10_000_000, clock=lambda: written_ms)
        for record in read_records(Path(path)):
            if record.topic in INPUT_TOPICS:
                written_ms = record.timestamp_ms  # records keep their time: an event far ahead of it is a dead letter
                log.append_raw(record.topic, record.key, record.value, record.headers)
        return Core(chosen.core, _parts(chosen, log, Featurizer(settled, encoder), lambda _: 0))

    return StreamBanditEnv(open_core, form)


def kafka_env(
    settings: Settings,
    *,
    features: FeatureSettings,
    encoder: Any = None,  # noqa: ANN401 - as above
    form: EnvSettings | None = None,
) -> StreamBanditEnv:
    """Kafka, as this process's share of the group. A reset goes to the committed position.

    Args:
        settings: with the section `kafka`.
        features: with everything settled.
        encoder: reads the texts.
        form: of the environment.
    """
    from stream.kafka.log import KafkaLog  # noqa: PLC0415 - only where Kafka is used

    def open_core(seed: int | None) -> Core:  # noqa: ARG001 - Kafka has no seed
        log = KafkaLog(settings.kafka)
        return Core(settings.core, _parts(settings, log, Featurizer(features, encoder), None))

    return StreamBanditEnv(open_core, form)


def _parts(settings: Settings, log: EventLog, featurizer: Featurizer, supply: Any) -> Parts:  # noqa: ANN401 - optional
    featurizer.settle([])
    share = Share(0, 1, featurizer, UserStores(settings.agent.interests), Tally())
    return share.parts(log, stopped_clock_ms if supply is not None else wall_clock_ms, supply)


def _recorded_features(path: Path, *, reads_text: bool) -> FeatureSettings:
    first = next((record for record in read_records(path) if record.topic == "impressions"), None)
    if first is None:
        raise WorldError(f"recorded log must hold an impression; got none in {path}")
    impression = JsonCodec().decode(first.value, Impression, first.headers)
    return FeatureSettings(
        text="on" if reads_text else "off",
        context_dim=len(impression.context.features or ()),
        candidate_dim=max(len(candidate.features or ()) for candidate in impression.candidates),
    )
