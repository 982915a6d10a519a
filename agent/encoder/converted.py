"""Where converted models are kept, so that each is converted once on a machine, whoever starts at the same time."""

import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

from agent.errors import SnapshotError
from agent.sealed import SealedFolders
from agent.settings import EncoderSettings

_EXPORTERS = ("torch", "transformers", "onnx")
_KEPT = 2  # of the same weights: what is in use, and what was before an upgrade that may be taken back
_log = logging.getLogger("streambandit.encoder")


def converted(folder: Path, digest: bytes, revision: int, settings: EncoderSettings) -> dict[str, bytes]:
    """The files of a converted model, as kept, else converted now and kept.

    One process converts, others wait for it. What is damaged is made anew; of the same weights the newest two stay.
    Where nothing can be written the model is converted at each start.

    Args:
        folder: of the weights.
        digest: their hash.
        revision: of the conversion.
        settings: of the encoder.

    Raises:
        EncoderError: the model cannot be converted.
    """
    root = Path(settings.converted) if settings.converted else _user_folder()
    model = f"int8-{digest.hex()}"
    folders = SealedFolders(root, f"{model}-{_conversion(revision, settings)}", keep=1)
    found = _newest(folders)
    if found is not None:
        return found
    with _alone(root):
        found = _newest(folders) or _convert(folder, settings, folders)
        _remove_old(root, model)
        return found


def _convert(folder: Path, settings: EncoderSettings, folders: SealedFolders) -> dict[str, bytes]:
    from agent.encoder.convert import convert  # noqa: PLC0415 - loads torch and transformers

    model = settings.model or folder.name
    _log.info("%s is converted to integers, once for this machine", model)
    files = convert(folder, model, manner=bool(settings.manner))
    try:
        folders.save(1, files)
    except SnapshotError as error:
        _log.warning("the converted model is not kept, so the next start converts it again: %s", error)
    return files


def _newest(folders: SealedFolders) -> dict[str, bytes] | None:
    return next((files for _, files in folders.newest_first()), None)


def _remove_old(root: Path, model: str) -> None:
    """Removes what was made of some weights before the newest; whoever is reading one of these converts them again."""
    with suppress(OSError):  # without a lock somebody else may be at it
        made = sorted(root.glob(f"{model}-*"), key=lambda path: path.stat().st_mtime_ns)
        for old in (*made[:-_KEPT], *root.glob(f".{model}-*.part")):
            shutil.rmtree(old, ignore_errors=True)


def _conversion(revision: int, settings: EncoderSettings) -> str:
    exporters = "|".join(f"{name}={version(name)}" for name in _EXPORTERS)
    read = "|manner" if settings.manner else ""
    return blake2b(f"{revision}|{exporters}{read}".encode(), digest_size=8).hexdigest()


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
        with suppress(OSError):  # not every shared file system can lock
            fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file closes, also by a process that dies
        yield
