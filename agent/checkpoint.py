"""A checkpoint: the settled state of a learner, the positions up to which it has learned, and proof of what it learned.

    checkpoint = Checkpoint.of(learning, positions={0: 1_200}, learned=learned)
    folders.save(number, checkpoint.files())                    # a sealed folder: safetensors and JSON
    checkpoint = Checkpoint.from_files(files)                   # runs no code of it
    checkpoint.restore_into(learning)                           # exactly as it was; the epoch is the caller's to raise

Interests, open decisions and positions of the inputs are not in it: they are the log's.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from agent.errors import CheckpointError
from agent.learned import Learned
from agent.learning import Learning
from agent.policy import Policy
from agent.settings import AgentSettings

STATE, TENSORS = "state.json", "tensors.safetensors"
FORMAT = 1
_POLICY, _LEARNING = "policy.", "learning."
_SHAPING = ("scorer", "features", "expert", "recent", "network", "stack", "change", "delay", "slates", "update_rows")
_UNTOLD = {"manner": 0}  # of the layout in files of earlier versions
Arrays = dict[str, NDArray[Any]]


class State(msgspec.Struct, frozen=True, kw_only=True):
    """All of a checkpoint but its arrays.

    Attributes:
        epoch: of the weights.
        updates: the number n of the version `epoch.n`.
        positions: the next outcome offset to learn, by partition.
        learned: which outcomes were learned.
        layout: lengths of the feature blocks.
        encoder_version: of the encoder whose embeddings were learned from; empty where no text is read.
        settings: those of the agent that shape its state, by section; `update_rows` says where updates were cut.
        format: of these files.
    """

    epoch: int
    updates: int
    positions: dict[int, int]
    learned: Learned
    layout: dict[str, int]
    encoder_version: str
    settings: dict[str, Any]
    format: int = FORMAT


@dataclass(frozen=True)
class Checkpoint:
    """Settled state at one moment; it shares no memory with the learner, so that it can be written meanwhile."""

    state: State
    arrays: Arrays

    @classmethod
    def of(
        cls, learning: Learning, positions: Mapping[int, int], learned: Learned, encoder_version: str = ""
    ) -> "Checkpoint":
        """The state of a learner as it stands.

        Args:
            learning: the learner's.
            positions: the next outcome offset to learn, by partition.
            learned: which outcomes were learned.
            encoder_version: of the encoder in use.

        Raises:
            CheckpointError: the policy has weights that are learned by gradient, whose optimiser is not held here.
        """
        policy = learning.policy
        weights = [name for name, _ in policy.named_parameters()]
        if weights:
            raise CheckpointError(f"checkpointed policy must keep all its state in buffers; got weights {weights}")
        buffers = {_POLICY + name: tensor.numpy().copy() for name, tensor in policy.state_dict().items()}
        kept = {_LEARNING + name: np.array(array) for name, array in learning.get_state().items()}
        state = State(
            epoch=int(policy.epoch),
            updates=int(policy.updates),
            positions=dict(positions),
            learned=learned,
            encoder_version=encoder_version,
            **_shape(policy),
        )
        return cls(state, buffers | kept)

    def files(self) -> dict[str, bytes]:
        """The contents of the files by name."""
        arrays = {name: np.asarray(array, order="C") for name, array in self.arrays.items()}
        return {STATE: msgspec.json.format(msgspec.json.encode(self.state), indent=1), TENSORS: save(arrays)}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> "Checkpoint":
        """The inverse of `files`.

        Raises:
            CheckpointError: the files are of another format.
        """
        try:
            found = msgspec.json.decode(files[STATE])["format"]
            if found != FORMAT:
                raise CheckpointError(f"checkpoint format must be {FORMAT}; got {found!r}, written by another version")
            return cls(msgspec.json.decode(files[STATE], type=State), load(files[TENSORS]))
        except (KeyError, TypeError, ValueError, SafetensorError) as error:
            raise CheckpointError(f"checkpoint must hold {STATE} and {TENSORS} of this format; got {error}") from error

    def require_fit(self, policy: Policy, encoder_version: str = "") -> None:
        """Raises CheckpointError, naming each difference, unless the state is of this policy and encoder."""
        mine = _shape(policy)
        different = _differences("agent", self.state.settings, mine["settings"])
        different += _differences("layout", _UNTOLD | self.state.layout, mine["layout"])
        different += _differences("encoder version", self.state.encoder_version, encoder_version)
        if different:
            raise CheckpointError(
                f"checkpoint must be of these settings; it differs in {'; '.join(different)}. Set them back, or remove "
                f"the checkpoints of this consumer group: the learner is then rebuilt from the outcomes in the log"
            )

    def restore_into(self, learning: Learning, encoder_version: str = "") -> None:
        """Sets a learner to this state, epoch included.

        Raises:
            CheckpointError: it is of other settings, of another layout or encoder; the learner is as it was.
        """
        self.require_fit(learning.policy, encoder_version)
        tensors = {name: torch.from_numpy(array.copy()) for name, array in self._part(_POLICY).items()}
        try:
            learning.policy.load_state_dict(tensors)
        except RuntimeError as error:
            raise CheckpointError(f"checkpoint must hold the policy's buffers; got {error}") from error
        learning.set_state(self._part(_LEARNING))

    def _part(self, prefix: str) -> Arrays:
        named = self.arrays.items()
        return {name.removeprefix(prefix): array for name, array in named if name.startswith(prefix)}


def _shape(policy: Policy) -> dict[str, Any]:
    return {"layout": asdict(policy.layout), "settings": shaping(policy.settings)}


def shaping(settings: AgentSettings) -> dict[str, Any]:
    """The settings that shape what is learned, by section."""
    return settings.model_dump(mode="json", include=set(_SHAPING))


def _differences(name: str, theirs: Any, mine: Any) -> list[str]:  # noqa: ANN401 - any part of the settings
    if theirs == mine:
        return []
    if isinstance(theirs, dict) and isinstance(mine, dict):
        keys = dict.fromkeys((*theirs, *mine))
        return [each for key in keys for each in _differences(f"{name}.{key}", theirs.get(key), mine.get(key))]
    return [f"{name}: {theirs!r} there, {mine!r} here"]
