"""The encoder that is served: the same weights as integers, for ONNX Runtime."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from agent.encoder.converted import converted
from agent.encoder.graph import Graph
from agent.encoder.reading import CHARS_PER_TOKEN, read_of
from agent.encoder.weights import digest_of, folder_of
from agent.settings import EncoderSettings
from envs.protocols import Floats

_REVISION = 2  # of what conversion makes of weights; with another, embeddings and so the version change


class Int8Encoder:
    """As `BertEncoder`, with weights of 8-bit integers.

    The first time a model is used it is converted, which takes seconds and needs torch; what comes out is kept, and
    loads in a fraction of a second without it.

    Args:
        settings: model id or folder, manner, tokens read, batch size, where converted models are kept.

    Raises:
        EncoderError: the model cannot be loaded or converted.

    References:
        Reimers, Gurevych (2019), Sentence-BERT, section 3 (mean pooling).
    """

    def __init__(self, settings: EncoderSettings) -> None:
        folder = folder_of(settings.model)
        digest = digest_of(folder)
        self._settings = settings
        self._graph = Graph(converted(folder, digest, _REVISION, settings), settings.max_tokens)
        pooling = "mean+manner" if settings.manner else "mean"
        named = f"{pooling}|{settings.max_tokens}|{CHARS_PER_TOKEN}|onnx-int8|{_REVISION}|".encode()
        self._version = blake2b(named + digest, digest_size=8).hexdigest()

    @property
    def dim(self) -> int:
        """E, the length of an embedding."""
        return self._graph.width - self.manner

    @property
    def manner(self) -> int:
        """W, the columns behind an embedding that tell how the text is written; 0 where that is not read."""
        return self._graph.width // 2 if self._settings.manner else 0

    @property
    def version(self) -> str:
        """Hash of weights, pooling, length and engine."""
        return self._version

    def encode(self, texts: Sequence[str]) -> Floats:
        """The embeddings [N, E + W]."""
        read = read_of(texts, self._settings.max_tokens)
        filled = [index for index, text in enumerate(read) if text]
        if len(filled) == len(read):
            return self._graph.encode(read, self._settings.batch_size)
        vectors_NX = np.zeros((len(read), self._graph.width), np.float32)
        vectors_NX[filled] = self._graph.encode([read[index] for index in filled], self._settings.batch_size)
        return vectors_NX
