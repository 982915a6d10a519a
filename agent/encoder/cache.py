"""A bounded cache of embeddings on the caller's side, so that a known text never leaves the process."""

from collections.abc import Callable, Sequence
from hashlib import blake2b

import numpy as np

from agent.encoder.recency import Places, Recency
from envs.protocols import Encoder, Floats, manner_of
from stream.meter import Meter

_LONGEST_KEY = 256  # characters of a text that is its own key
_FIRST_ROWS = 1_024

Key = str | bytes


class CachedEncoder:
    """An `Encoder` that asks another one only for texts it has not seen; the least recently used text goes first.

    Embeddings are rows of one table, so that those of a batch are gathered at once. A text is its own key; of a long
    one a hash is kept instead.

    Args:
        open_encoder: makes the encoder when it is first needed.
        capacity: texts kept; 4 bytes times the embedding's length each, and some 200 for key and order.
        meter: counts `encoder_texts` by label `hit` or `miss`, and what was forgotten; may be set later.
    """

    def __init__(self, open_encoder: Callable[[], Encoder], capacity: int, meter: Meter | None = None) -> None:
        self._open = open_encoder
        self._inner: Encoder | None = None
        self._capacity = capacity
        self._row_of: dict[Key, int] = {}
        self._keys: list[Key] = []
        self._table_XE: Floats = np.zeros((0, 0), np.float32)
        self._recency = Recency(0)
        self.meter = meter

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def dim(self) -> int:
        """E, the length of an embedding."""
        return self._encoder.dim

    @property
    def manner(self) -> int:
        """W, see `envs.protocols.manner_of`."""
        return manner_of(self._encoder)

    @property
    def version(self) -> str:
        """The version of the encoder behind."""
        return self._encoder.version

    def encode(self, texts: Sequence[str]) -> Floats:
        """The embeddings [N, E + W]; every unknown text is asked for once."""
        if not texts:
            return np.zeros((0, self.dim + self.manner), np.float32)
        try:
            row_N = np.fromiter(map(self._row_of.__getitem__, texts), np.intp, len(texts))
        except KeyError:
            return self._encode_some([text if len(text) <= _LONGEST_KEY else _digest(text) for text in texts], texts)
        if self.meter is not None:
            self.meter.count("encoder_texts", len(texts), label="hit")
        return self._gather(row_N)

    @property
    def _encoder(self) -> Encoder:
        if self._inner is None:
            self._inner = self._open()
        return self._inner

    def _encode_some(self, keys: Sequence[Key], texts: Sequence[str]) -> Floats:
        """As `encode`, where a text may be unknown, or is too long to be its own key."""
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._row_of}
        if self.meter is not None:
            self.meter.count("encoder_texts", len(texts) - len(missing), label="hit")
            self.meter.count("encoder_texts", len(missing), label="miss")
        if not missing:
            return self._gather(self._rows(keys))
        fresh_ME = self._encoder.encode(list(missing.values()))
        known = [key not in missing for key in keys]
        vectors_NE = np.empty((len(keys), fresh_ME.shape[1]), np.float32)
        if any(known):
            vectors_NE[known] = self._gather(self._rows([key for key in keys if key not in missing]))
        order = {key: row for row, key in enumerate(missing)}
        vectors_NE[np.logical_not(known)] = fresh_ME[[order[key] for key in keys if key in order]]
        self._keep(list(missing), fresh_ME)
        return vectors_NE

    def _rows(self, keys: Sequence[Key]) -> Places:
        return np.fromiter(map(self._row_of.__getitem__, keys), np.intp, len(keys))

    def _gather(self, row_N: Places) -> Floats:
        self._recency.use(row_N)
        return self._table_XE.take(row_N, axis=0)

    def _keep(self, keys: list[Key], fresh_ME: Floats) -> None:
        """Takes new texts in; where there is not room for all, the last of them."""
        before = len(self._keys)
        forgotten = max(0, before + len(keys) - self._capacity)
        keys, fresh_ME = keys[-self._capacity :], fresh_ME[-self._capacity :]
        added = np.arange(before, min(before + len(keys), self._capacity))
        self._grow(before + len(added), fresh_ME.shape[1])
        self._recency.use(added)
        replaced = self._recency.oldest(len(keys) - len(added))
        for row in replaced.tolist():
            del self._row_of[self._keys[row]]
        row_M = np.concatenate([added, replaced])
        self._keys += keys[: len(added)]
        for row, key in zip(row_M.tolist(), keys, strict=True):
            self._keys[row] = key
            self._row_of[key] = row
        self._table_XE[row_M] = fresh_ME
        self._recency.use(row_M)
        if self.meter is not None:
            self.meter.level("encoder_texts_known", len(self._keys))
        if self.meter is not None and forgotten:
            self.meter.count("encoder_texts_forgotten", forgotten)

    def _grow(self, rows: int, dim: int) -> None:
        """Makes room for so many rows, by doubling, so that a table that is never filled takes little memory."""
        if rows > len(self._table_XE):
            size = min(self._capacity, max(rows, 2 * len(self._table_XE), _FIRST_ROWS))
            table_XE = np.empty((size, dim), np.float32)
            if self._keys:
                table_XE[: len(self._keys)] = self._table_XE[: len(self._keys)]
            self._table_XE, self._recency = table_XE, self._recency.grown(size)


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()
