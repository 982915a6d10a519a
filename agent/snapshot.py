"""Snapshots of a `BanditAgent`: tensors as safetensors, the rest as JSON. Loading one runs no code of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from agent.bandit import BanditAgent
    from envs.protocols import Encoder

_FORMAT = 1


def save_snapshot(path: Path, agent: BanditAgent) -> None:
    """Writes the folder `path`: `state.json`, `tensors.safetensors`."""
    raise NotImplementedError


def load_snapshot(path: Path, kind: type[BanditAgent], encoder: Encoder | None) -> BanditAgent:
    """The agent of a snapshot folder."""
    raise NotImplementedError
