"""Where converted models are kept, so that each is converted once on a machine, whoever starts at the same time."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

from agent.errors import SnapshotError
from agent.sealed import SealedFolders
from agent.settings import EncoderSettings

_EXPORTERS = ("torch", "transformers", "onnx")
_log = logging.getLogger("streambandit.encoder")


def converted(folder: Path, digest: bytes, revision: int, settings: EncoderSettings) -> dict[str, bytes]:
    """The files of a converted model, as kept, else converted now and kept.

    One process converts, others wait for it. What is damaged is made anew. Where nothing can be written the model is
    converted at each start.

    Args:
        folder: of the weights.
        digest: their hash.
        revision: of the conversion.
        settings: of the encoder.

    Raises:
        EncoderError: the model cannot be converted.
    """
    root = Path(settings.converted) if settings.converted else _user_folder()
    folders = SealedFolders(root, f"int8-{_name(digest, revision)}", keep=1)
    found = _newest(folders)
    if found is not None:
        return found
    with _alone(root):
        return _newest(folders) or _convert(folder, settings, folders)


def _convert(folder: Path, settings: EncoderSettings, folders: SealedFolders) -> dict[str, bytes]:
    from agent.encoder.convert import convert  # noqa: PLC0415 - loads torch and transformers

    model = settings.model or folder.name
    _log.info("%s is converted to integers, once for this machine", model)
    files = convert(folder, model)
    try:
        folders.save(1, files)
    except SnapshotError as error:
        _log.warning("the converted model is not kept, so the next start converts it again: %s", error)
    return files


def _newest(folders: SealedFolders) -> dict[str, bytes] | None:
    return next((files for _, files in folders.newest_first()), None)


def _name(digest: bytes, revision: int) -> str:
    exporters = "|".join(f"{name}={version(name)}" for name in _EXPORTERS)
    return blake2b(f"{revision}|{exporters}|".encode() + digest, digest_size=8).hexdigest()


def _user_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "streambandit"


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One process at a time inside the block, as far as files can be made there."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = (root / "lock").open("w")
    except OSError:
        yield
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file closes, also by a process that dies
        yield
