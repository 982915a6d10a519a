"""Snapshots of a `BanditAgent`: arrays as safetensors, the rest as JSON. Loading one runs no code of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from agent.errors import SnapshotError
from agent.interests import User
from agent.settings import AgentSettings
from envs.features import Layout

_FORMAT = 1
_STATE, _TENSORS = "state.json", "tensors.safetensors"
Arrays = dict[str, NDArray[Any]]


class UserState(msgspec.Struct):
    """One user of the store; the vectors lie among the tensors, one user's after the other's."""

    user_id: str
    weights: list[float]
    clicks: int
    decisions: int
    last_click_ms: int | None


class Snapshot(msgspec.Struct):
    """What an agent is, apart from its arrays. Without a layout it has decided nothing yet.

    Attributes:
        settings: of the agent.
        seed: of its draws.
        layout: lengths of the feature blocks.
        users: what is known of users.
        encoder_version: of the encoder whose embeddings were learned from; empty where no text is read.
        positions: the next outcome of a topic to learn, by partition; empty where what was learned has no places.
        format: of these files.
    """

    settings: dict[str, Any]
    seed: int
    layout: dict[str, int] | None
    users: list[UserState]
    encoder_version: str = ""
    positions: dict[int, int] = {}
    format: int = _FORMAT


def write(path: Path, snapshot: Snapshot, arrays: Arrays) -> None:
    """Writes a snapshot folder; the state goes last, so that a folder without it was not finished."""
    path.mkdir(parents=True, exist_ok=True)
    (path / _STATE).unlink(missing_ok=True)
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path / _TENSORS)
    part = path / f"{_STATE}.part"
    part.write_bytes(msgspec.json.format(msgspec.json.encode(snapshot), indent=1))
    part.replace(path / _STATE)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever does not fit while a snapshot is read becomes an error that names the folder.

    Raises:
        SnapshotError: the folder holds no finished snapshot of a known format, or its parts do not fit together.
    """
    try:
        yield
    except (OSError, msgspec.DecodeError, SafetensorError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise SnapshotError(f"snapshot must be a folder that `save` wrote; got {path}: {error}") from error


def read(path: Path) -> tuple[Snapshot, AgentSettings, Arrays]:
    """The parts of a snapshot folder; to be called within `reading`."""
    snapshot = msgspec.json.decode((path / _STATE).read_bytes(), type=Snapshot)
    if snapshot.format != _FORMAT:
        raise ValueError(f"format must be {_FORMAT}; got {snapshot.format}")
    return snapshot, AgentSettings.model_validate(_with_engine(snapshot.settings)), load_file(path / _TENSORS)


def _with_engine(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings, with the engine that encoded the texts where they name none: then there was only this one."""
    return settings | {"encoder": {"engine": "torch-fp32"} | settings.get("encoder", {})}


def users_of(users: dict[str, User]) -> tuple[list[UserState], Arrays]:
    """Users as plain data and one array of their interest vectors."""
    states = [UserState(k, list(u.weights), u.clicks, u.decisions, u.last_click_ms) for k, u in users.items()]
    vectors = [vector_E for user in users.values() for vector_E in user.vectors]
    return states, {"users.vectors": np.stack(vectors)} if vectors else {}


def users_from(states: list[UserState], arrays: Arrays, interest: int) -> dict[str, User]:
    """The inverse of `users_of`, for interest vectors of a length; raises ValueError where they do not fit."""
    vectors = arrays.get("users.vectors", np.zeros((0, interest), np.float32))
    expected = (sum(len(state.weights) for state in states), interest)
    if vectors.shape != expected:
        raise ValueError(f"users.vectors must have the shape {expected}; got {vectors.shape}")
    each = iter(vectors)
    return {
        state.user_id: User(
            vectors=[next(each) for _ in state.weights],
            weights=list(state.weights),
            clicks=state.clicks,
            decisions=state.decisions,
            last_click_ms=state.last_click_ms,
        )
        for state in states
    }


def tensors_of(module: torch.nn.Module) -> Arrays:
    """A module's buffers and weights, named `policy.*`."""
    return {f"policy.{name}": tensor.numpy() for name, tensor in module.state_dict().items()}


def tensors_from(arrays: Arrays) -> dict[str, torch.Tensor]:
    """The inverse of `tensors_of`."""
    named = ((name.removeprefix("policy."), array) for name, array in arrays.items() if name.startswith("policy."))
    return {name: torch.from_numpy(array) for name, array in named}


def layout_from(snapshot: Snapshot) -> Layout | None:
    """The layout of features; None where nothing was decided yet."""
    return None if snapshot.layout is None else Layout(**snapshot.layout)
