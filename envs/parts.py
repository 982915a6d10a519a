"""What a core is composed of, and its settings."""

from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import Field

from envs.features import Featurizer
from envs.protocols import UserStores
from envs.reward import RewardSettings
from stream.codec import Codec, JsonCodec
from stream.identity import Pseudonyms
from stream.log import EventLog
from stream.meter import Meter
from stream.settings import AttributionSettings, Section


class CoreSettings(Section):
    """How the core reads, joins and publishes."""

    attribution: AttributionSettings = AttributionSettings()
    reward: RewardSettings = RewardSettings()
    max_batch: int = Field(64, ge=1, description="records taken from the log at once")
    decide_deadline_ms: int | None = Field(None, ge=1, description="an older impression is counted and skipped")
    max_probabilities: int = Field(100, ge=0, description="candidates up to which all probabilities are published")


@dataclass(frozen=True)
class Parts:
    """What a core is composed of.

    Attributes:
        log: the agent's side of a log.
        featurizer: builds observations.
        users: where the users of each partition are kept.
        meter: counts what happens.
        clock: processing time in milliseconds.
        supply: makes the world in this process show up to n more impressions; returns how many came, 0 at its end.
            None where the world is elsewhere.
        codec: the wire format.
        pseudonyms: by which keys users go inside and in the outcomes.
    """

    log: EventLog
    featurizer: Featurizer
    users: UserStores
    meter: Meter
    clock: Callable[[], int]
    supply: Callable[[int], int] | None = None
    codec: Codec = field(default_factory=JsonCodec)
    pseudonyms: Pseudonyms = field(default_factory=lambda: Pseudonyms(None))
