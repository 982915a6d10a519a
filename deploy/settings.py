"""All settings as one frozen, validated tree.

`deploy.settings_load` reads it from the command line, the environment and a TOML file; `streambandit settings` prints
every key. Imports no torch, ray or kafka, so that the command line stays quick.
"""

from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from agent.settings import AgentSettings
from envs.parts import CoreSettings
from envs.readers import ReaderSettings
from envs.upworthy import UpworthySettings
from envs.world import WorldSettings
from stream.kafka.settings import KafkaSettings
from stream.settings import Section


class MetricsSettings(Section):
    """The endpoint that Prometheus scrapes."""

    enabled: bool = Field(True, description="whether the endpoint is opened")
    host: str = Field("127.0.0.1", min_length=1, description="address to listen on; 0.0.0.0 for all of the machine's")
    port: int = Field(9464, ge=0, le=65_535, description="port to listen on; 0 takes a free one, which is printed")


class RunnerSettings(Section):
    """The processes that decide, and how the driver keeps in touch with them."""

    runners: int = Field(1, ge=1, description="deciding processes; the partitions are shared among them")
    queue_batches: int = Field(4_096, ge=1, description="micro-batches a runner holds for the learner; then it waits")


class ArchiveSettings(UpworthySettings):
    """The Upworthy archive as a world; read only where that world is asked for."""

    path: Path = Field(Path("upworthy"), description="the archive's file, or the folder with its packages.csv.gz")


class Settings(BaseSettings):
    """All of it. Built directly it reads neither environment nor files; `load_settings` does.

    >>> Settings(seed=7, agent={"explore": {"floor": 0.05}}).agent.explore.floor
    0.05
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=False,
        env_prefix="STREAMBANDIT_",
        env_nested_delimiter="__",
        env_parse_none_str="null",
    )

    seed: int = Field(0, ge=0, description="of the run: the same seed and log give the same decisions")
    run_dir: Path = Field(Path("runs"), description="where each run leaves its folder with summary and report")
    kafka: KafkaSettings = KafkaSettings()
    core: CoreSettings = CoreSettings()
    agent: AgentSettings = AgentSettings()
    runner: RunnerSettings = RunnerSettings()
    metrics: MetricsSettings = MetricsSettings()
    world: WorldSettings = WorldSettings()
    readers: ReaderSettings = ReaderSettings()
    upworthy: ArchiveSettings = ArchiveSettings()

    @classmethod
    def settings_customise_sources(  # the framework's signature
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed in: the other sources are read, and named in errors, by `load_settings`."""
        return (init_settings,)

    def redacted(self) -> dict[str, Any]:
        """All values as JSON can hold them, secrets replaced by asterisks."""
        return self.model_dump(mode="json")
