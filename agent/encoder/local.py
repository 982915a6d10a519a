"""The encoder in this process, behind a cache; loaded when the first text is read."""

from agent.encoder.cache import CachedEncoder
from agent.settings import EncoderSettings
from envs.protocols import Encoder


def local_encoder(settings: EncoderSettings) -> CachedEncoder:
    """A cached encoder in process."""
    return CachedEncoder(lambda: open_encoder(settings), settings.cache_texts)


def exact_encoder(settings: EncoderSettings) -> CachedEncoder:
    """A cached encoder in process, in fp32 whatever the engine: that of the deterministic schedule."""
    return local_encoder(settings.model_copy(update={"engine": "torch-fp32"}))


def open_encoder(settings: EncoderSettings) -> Encoder:
    """The encoder of the set engine, without a cache.

    Raises:
        EncoderError: its model cannot be loaded or converted.
    """
    if settings.engine == "torch-fp32":
        from agent.encoder.bert import BertEncoder  # noqa: PLC0415 - loads torch

        return BertEncoder(settings)
    from agent.encoder.int8 import Int8Encoder  # noqa: PLC0415 - loads ONNX Runtime

    return Int8Encoder(settings)
