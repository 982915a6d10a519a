"""The vectors of texts: known before a run (kept in memory and in a folder), or encoded while it is played."""

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np

from agent.encoder.cache import CachedEncoder
from agent.encoder.local import exact_encoder, local_encoder
from agent.settings import EncoderSettings
from deploy.bench.rounds import Features, Ints
from envs.protocols import Encoder
from stream.meter import Tally


class Vectors:
    """Encodes a list of texts once.

    Args:
        encoder: of the texts; the packaged one in fp32 where not given, so that a world stays the same whatever engine
            reads its texts. It is loaded when it is first needed.
        folder: where vectors are kept for the next process; nowhere where not given.
    """

    def __init__(self, encoder: Encoder | None = None, folder: Path | None = None) -> None:
        self._encoder = exact_encoder(EncoderSettings()) if encoder is None else encoder
        self._folder = folder
        self._known: dict[str, Features] = {}

    @property
    def dim(self) -> int:
        """E, the length of an embedding; what stands behind it tells how a text is written."""
        return self._encoder.dim

    def of(self, texts: Sequence[str]) -> Features:
        """The vectors [N, E + W] of N texts."""
        name = blake2b("\0".join(texts).encode(), digest_size=12).hexdigest()
        if name not in self._known:
            path = self._folder / f"{name}-{self._encoder.version}.npy" if self._folder else None
            self._known[name] = self._encoder.encode(texts) if path is None else self._kept(path, texts)
        return self._known[name]

    def _kept(self, path: Path, texts: Sequence[str]) -> Features:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{path.stem}.{id(self)}.part.npy")
            np.save(part, self._encoder.encode(texts))
            part.replace(path)
        return np.asarray(np.load(path), dtype=np.float32)


class Reading:
    """Encodes the texts of each batch as they come, with a cache that starts empty, and counts what it knew.

    Args:
        contexts: the texts of the contexts.
        titles: the texts of the items.
        encoder: of the texts; the packaged one where not given.
    """

    def __init__(self, contexts: Sequence[str], titles: Sequence[str], encoder: Encoder | None = None) -> None:
        self._contexts, self._titles = contexts, titles
        self._tally = Tally()
        self._encoder = local_encoder(EncoderSettings()) if encoder is None else CachedEncoder(lambda: encoder, 100_000)
        self._encoder.meter = self._tally

    @property
    def met(self) -> float:
        """Share of the texts that came and were known."""
        hit, miss = (self._tally.counters.get(("encoder_texts", label), 0.0) for label in ("hit", "miss"))
        return hit / max(hit + miss, 1.0)

    def read(self, place_B: Ints, item_BK: Ints) -> tuple[Features, Features]:
        """The vectors of contexts [B, E] and candidates [B, K, E], given where their texts stand."""
        context_BC = self._encoder.encode([self._contexts[place] for place in place_B.tolist()])
        title_ND = self._encoder.encode([self._titles[item] for item in item_BK.ravel().tolist()])
        return context_BC, title_ND.reshape(*item_BK.shape, -1)
