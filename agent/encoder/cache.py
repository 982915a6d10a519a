"""A bounded cache of embeddings on the caller's side, so that a known text never leaves the process."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import blake2b

import numpy as np

from envs.protocols import Encoder, Floats
from stream.meter import Meter


class CachedEncoder:
    """An `Encoder` that asks another one only for texts it has not seen; the least recently used text goes first.

    Args:
        open_encoder: makes the encoder when it is first needed.
        capacity: texts kept; 4 bytes times the embedding's length each.
        meter: counts `encoder_texts` by label `hit` or `miss`, and what was forgotten; may be set later.
    """

    def __init__(self, open_encoder: Callable[[], Encoder], capacity: int, meter: Meter | None = None) -> None:
        self._open = open_encoder
        self._inner: Encoder | None = None
        self._capacity = capacity
        self._known: OrderedDict[bytes, Floats] = OrderedDict()
        self.meter = meter

    def __len__(self) -> int:
        return len(self._known)

    @property
    def dim(self) -> int:
        """E, the length of an embedding."""
        return self._encoder.dim

    @property
    def version(self) -> str:
        """The version of the encoder behind."""
        return self._encoder.version

    def encode(self, texts: Sequence[str]) -> Floats:
        """The embeddings [N, E]; every unknown text is asked for once."""
        keys = [blake2b(text.encode(), digest_size=16).digest() for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if self.meter is not None:
            self.meter.count("encoder_texts", len(texts) - len(missing), label="hit")
            self.meter.count("encoder_texts", len(missing), label="miss")
        fresh = dict(zip(missing, self._encoder.encode(list(missing.values())), strict=True)) if missing else {}
        vectors = [fresh[key] if key in fresh else self._recall(key) for key in keys]
        for key, vector_E in fresh.items():
            self._known[key] = vector_E.copy()  # a row of the batch would keep all of the batch in memory
        past = max(0, len(self._known) - self._capacity)
        for _ in range(past):
            self._known.popitem(last=False)
        if self.meter is not None and past:
            self.meter.count("encoder_texts_forgotten", past)
        if self.meter is not None and missing:
            self.meter.level("encoder_texts_known", len(self._known))
        return np.stack(vectors) if vectors else np.zeros((0, self.dim), np.float32)

    @property
    def _encoder(self) -> Encoder:
        if self._inner is None:
            self._inner = self._open()
        return self._inner

    def _recall(self, key: bytes) -> Floats:
        self._known.move_to_end(key)
        return self._known[key]
