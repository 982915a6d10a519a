"""The driver's own way from outcomes in the log to training rows, for what no runner handed over."""

import logging
from typing import Any

import numpy as np
import ray

from agent.deciding import Resolved
from agent.encoder.actors import served_encoder
from agent.encoder.cache import CachedEncoder
from agent.encoder.local import local_encoder
from agent.missing import Found
from envs.errors import FeatureError
from envs.features import Featurizer
from stream.meter import Meter

_log = logging.getLogger("streambandit.learner")


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
        """The rows of outcomes in their order; those that do not fit the features are counted and left out.

        Raises:
            EncoderError: the encoder did not answer.
        """
        try:
            return self._rows(found)
        except FeatureError:
            parts = [self._fitting(each) for each in found]
            fitting = [part for part in parts if part is not None]
            return Resolved.concatenate(fitting) if fitting else None

    def _fitting(self, found: Found) -> Resolved | None:
        try:
            return self._rows([found])
        except FeatureError as error:
            self._meter.count("outcomes_missed", label="unfit")
            _log.warning("outcomes[%d]@%d does not fit the features: %s", found.partition, found.offset, error)
            return None

    def _rows(self, found: list[Found]) -> Resolved:
        for each in found:
            self._featurizer.check([each.outcome.impression])
        slots = [len(each.outcome.rewards) for each in found]
        return Resolved(
            self._featurizer.rows([each.outcome for each in found]),
            np.repeat(np.array([each.partition for each in found], dtype=np.int64), slots),
            np.repeat(np.array([each.offset for each in found], dtype=np.int64), slots),
        )


def encoder_of(config: Any) -> CachedEncoder | None:
    """The encoder that a process uses: the actors' where there are any, else its own; None where no text is read."""
    if config.agent.features.text == "off":
        return None
    if config.encoders:
        actors = [ray.get_actor(name) for name in config.encoders]
        return served_encoder(actors, config.agent.encoder)
    return local_encoder(config.agent.encoder)
