"""Ray actors that serve the encoder to every process of the cluster."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import ray

from agent.encoder.cache import CachedEncoder
from agent.encoder.dims import dim_in_folder
from agent.encoder.local import open_encoder
from agent.errors import EncoderError
from agent.settings import EncoderSettings
from envs.protocols import Floats, manner_of

_DEADLINE_S = 120.0


class EncoderServer:
    """One encoder with one thread. It restarts by itself; a call that was under way is tried again."""

    def __init__(self, settings: EncoderSettings) -> None:
        if settings.engine == "torch-fp32":
            import torch  # noqa: PLC0415 - seconds to import, and the other engine does without

            torch.set_num_threads(1)
        self._encoder = open_encoder(settings)

    def describe(self) -> tuple[int, str, int]:
        """Length of an embedding, version, and how many numbers tell the manner of a text."""
        return self._encoder.dim, self._encoder.version, manner_of(self._encoder)

    def encode(self, texts: list[str]) -> Floats:
        """The embeddings [N, E + W]."""
        return self._encoder.encode(texts)


def start_encoders(settings: EncoderSettings) -> list[Any]:
    """Starts the actors; each has a name, by which any process of the cluster finds it."""
    actor: Any = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=3)(EncoderServer)
    return [actor.options(name=name_of(index)).remote(settings) for index in range(settings.actors)]


def dim_of(actors: Sequence[Any], settings: EncoderSettings) -> int:
    """The length of an embedding, from the model's folder where that says it: actors take seconds to load one.

    Raises:
        EncoderError: no model is set, or none can be loaded.
    """
    found = dim_in_folder(settings)
    return _loaded_dim(actors) if found is None else found


def require_dim(actors: Sequence[Any], dim: int) -> None:
    """Waits until the model is loaded, as long as that takes: it may have to be fetched and converted first.

    Raises:
        EncoderError: it cannot be, or its embeddings are not as long as its folder says.
    """
    loaded = _loaded_dim(actors)
    if loaded != dim:
        raise EncoderError(f"encoder.model must have embeddings of the length in its config.json, {dim}; got {loaded}")


def _loaded_dim(actors: Sequence[Any]) -> int:
    try:
        return int(ray.get(actors[0].describe.remote())[0])
    except (ray.exceptions.RayActorError, ray.exceptions.RayTaskError) as error:
        why = str(error).strip().splitlines()[-1]  # before it stand the stacks of the actor
        raise EncoderError(f"encoder.model must load in its actor; got {why}") from error


def name_of(index: int) -> str:
    """The name of an encoder actor of this driver; that of a driver that died may still be there for a moment."""
    return f"streambandit-encoder-{ray.get_runtime_context().get_job_id()}-{index}"


class ActorEncoder:
    """An `Encoder` that shares a batch out among actors.

    Raises (from its methods):
        EncoderError: an actor did not answer in time.
    """

    def __init__(self, actors: Sequence[Any], batch_size: int) -> None:
        self._actors = list(actors)
        self._batch_size = batch_size
        self._dim, self._version, self._manner = self._get([self._actors[0].describe.remote()])[0]

    @property
    def dim(self) -> int:
        """E, the length of an embedding."""
        return int(self._dim)

    @property
    def manner(self) -> int:
        """W, see `envs.protocols.manner_of`."""
        return int(self._manner)

    @property
    def version(self) -> str:
        """Hash of weights, pooling, length and engine."""
        return str(self._version)

    def encode(self, texts: Sequence[str]) -> Floats:
        """The embeddings [N, E + W]."""
        size = max(self._batch_size, -(-len(texts) // len(self._actors)))
        parts = [list(texts[start : start + size]) for start in range(0, len(texts), size)]
        actors = self._actors * -(-len(parts) // len(self._actors)) if parts else []
        vectors = self._get([actor.encode.remote(part) for actor, part in zip(actors, parts, strict=False)])
        return np.concatenate(vectors) if vectors else np.zeros((0, self.dim + self.manner), np.float32)

    @staticmethod
    def _get(references: list[Any]) -> list[Any]:
        try:
            return list(ray.get(references, timeout=_DEADLINE_S))
        except (ray.exceptions.GetTimeoutError, ray.exceptions.RayActorError, ray.exceptions.RayTaskError) as error:
            raise EncoderError(f"encoder actors must answer within {_DEADLINE_S:.0f} s; got {error}") from error


def served_encoder(actors: Sequence[Any], settings: EncoderSettings) -> CachedEncoder:
    """The actors behind a cache in this process."""
    return CachedEncoder(lambda: ActorEncoder(actors, settings.batch_size), settings.cache_texts)
