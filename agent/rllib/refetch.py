"""The driver's own way from outcomes in the log to training rows, for what no runner handed over."""

from typing import Any

import ray

from agent.encoder.actors import served_encoder
from agent.encoder.cache import CachedEncoder
from agent.encoder.local import local_encoder
from agent.missing import Found
from agent.resolved import Placed, Resolved, resolve
from envs.features import Featurizer
from stream.meter import Meter


class Refetch:
    """Makes rows of outcomes by the same code as the runners, with the encoder that they use.

    Args:
        config: the algorithm's.
        meter: counts `outcomes_missed` with the label `unfit`.
    """

    def __init__(self, config: Any, meter: Meter) -> None:
        self._config, self._meter = config, meter
        self._encoder = encoder_of(config)
        self._featurizer = Featurizer(config.agent.features, self._encoder)
        if config.layout is not None:
            self._featurizer.fix(config.layout)

    @property
    def encoder_version(self) -> str:
        """The version of the encoder; empty where no text is read."""
        return self._featurizer.encoder_version

    def __call__(self, found: list[Found]) -> Resolved | None:
        """The rows of outcomes in their order, without those that do not fit the features; None where none does.

        Raises:
            EncoderError: the encoder did not answer.
        """
        placed = [Placed(each.outcome, each.partition, each.offset) for each in found]
        return resolve(self._featurizer, placed, self._meter) or None


def encoder_of(config: Any) -> CachedEncoder | None:
    """The encoder that a process uses: the actors' where there are any, else its own; None where no text is read."""
    if config.agent.features.text == "off":
        return None
    if config.encoders:
        actors = [ray.get_actor(name) for name in config.encoders]
        return served_encoder(actors, config.agent.encoder)
    return local_encoder(config.agent.encoder)
