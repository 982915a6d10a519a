"""All settings as one frozen, validated tree.

`deploy.settings_load` reads it from the command line, the environment and a TOML file; `streambandit settings` prints
every key. Imports no torch, ray or kafka, so that the command line stays quick.
"""

from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from agent.settings import AgentSettings
from envs.parts import CoreSettings
from envs.readers import ReaderSettings
from envs.upworthy import UpworthySettings
from envs.world import WorldSettings
from stream.errors import SecretError
from stream.identity import Pseudonyms
from stream.kafka.settings import KafkaSettings
from stream.secrets import require_one_source, secret_of
from stream.settings import Section

LEAST_KEY = 16  # characters of the users' key: a shorter one can be found by trying


class MetricsSettings(Section):
    """The endpoint that Prometheus scrapes."""

    enabled: bool = Field(True, description="whether the endpoint is opened")
    host: str = Field("127.0.0.1", min_length=1, description="address to listen on; 0.0.0.0 for all of the machine's")
    port: int = Field(9464, ge=0, le=65_535, description="port to listen on; 0 takes a free one, which is printed")


class PrivacySettings(Section):
    """Under which names users go inside: in outcomes, snapshots, logs, metrics and reports."""

    user_key: SecretStr | None = Field(None, description="secret of the users' pseudonyms; unset, ids stay as they are")
    user_key_file: Path | None = Field(None, description="file that holds it instead, as one line")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        require_one_source("user_key", self.user_key, self.user_key_file)
        if self.user_key is not None and len(self.user_key.get_secret_value()) < LEAST_KEY:
            raise ValueError(f"user_key must have at least {LEAST_KEY} characters; it has fewer")
        return self

    def pseudonyms(self) -> Pseudonyms:
        """The keys of users.

        Raises:
            SecretError: the key's file cannot be read, or its key is too short.
        """
        secret = secret_of("privacy.user_key", self.user_key, self.user_key_file)
        if secret is None:
            return Pseudonyms(None)
        if len(secret.get_secret_value()) < LEAST_KEY:
            raise SecretError(f"privacy.user_key_file must hold at least {LEAST_KEY} characters; it holds fewer")
        return Pseudonyms(secret.get_secret_value().encode())


class RunnerSettings(Section):
    """The processes that decide, and how the driver keeps in touch with them."""

    runners: int = Field(1, ge=1, description="deciding processes; the partitions are shared among them")
    queue_rows: int = Field(
        8_192, ge=1, description="rows a runner holds for the learner, then it waits; 5 kB each with the packaged model"
    )
    stop_deadline_s: float = Field(30.0, gt=0, description="time to end in order after SIGTERM; past it the run fails")


class LearnerSettings(Section):
    """How the learner is spread over processes and stands back; what it learns does not depend on it."""

    workers: int = Field(0, ge=0, description="actors that add up an update's rows; 0: the learner does it alone")
    niceness: int = Field(
        5, ge=0, le=19, description="of the learner's thread: how far it stands back where a machine is busy (Linux)"
    )


class CheckpointSettings(Section):
    """What the learner keeps, so that a restart goes on where the last run stood."""

    enabled: bool = Field(True, description="whether a run resumes and keeps checkpoints")
    folder: Path = Field(Path("checkpoints"), description="where they lie; under it one folder for each consumer group")
    every_s: float = Field(60.0, gt=0, description="time between two")
    keep: int = Field(3, ge=1, description="how many of the newest stay")
    rebuild_outcomes: int = Field(
        200_000, ge=0, description="without a checkpoint: newest outcomes of each partition that are learned first"
    )
    start: Path | None = Field(
        None, description="without a checkpoint: folder of `streambandit learn`, or of checkpoints, to begin from"
    )


def group_folder(settings: CheckpointSettings, group_id: str) -> Path:
    """Where a consumer group's checkpoints lie."""
    return settings.folder / quote(group_id, safe="")


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
        hide_input_in_errors=True,  # it may hold a secret
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
    learner: LearnerSettings = LearnerSettings()
    checkpoint: CheckpointSettings = CheckpointSettings()
    privacy: PrivacySettings = PrivacySettings()
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
