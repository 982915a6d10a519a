"""The encoder in this process, behind a cache; loaded when the first text is read."""

from agent.encoder.cache import CachedEncoder
from agent.settings import EncoderSettings
from envs.protocols import Encoder


def local_encoder(settings: EncoderSettings) -> CachedEncoder:
    """A cached encoder in process."""

    def load() -> Encoder:
        from agent.encoder.bert import BertEncoder  # noqa: PLC0415 - the model loads when a text comes

        return BertEncoder(settings)

    return CachedEncoder(load, settings.cache_texts)
