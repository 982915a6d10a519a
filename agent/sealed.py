"""Sealed folders: written whole or not at all, numbered, checksummed; the last few are kept.

    root/
    └── checkpoint-000000000012/
        ├── state.json, tensors.safetensors, ...
        └── MANIFEST.json                        # length and SHA-256 of every other file

A folder is written beside its place under another name, forced to the disk, and renamed: a crash leaves the old ones
and at most an unfinished part, which the next `save` removes. Reading one runs no code of it.
"""

import json
import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from agent.errors import SnapshotError

MANIFEST = "MANIFEST.json"
_FORMAT = 1
_log = logging.getLogger("streambandit.sealed")


class SealedFolders:
    """The numbered folders of one kind under a root.

    Args:
        root: where they lie; made at the first `save`.
        kind: what they are, the first part of their names: letters, digits and dashes.
        keep: how many of the newest stay.

    >>> import tempfile
    >>> folders = SealedFolders(Path(tempfile.mkdtemp()), "checkpoint", keep=2)
    >>> for number in (1, 2, 3):
    ...     _ = folders.save(number, {"state.json": b"{}"})
    >>> [number for number, _ in folders.newest_first()]
    [3, 2]
    """

    def __init__(self, root: Path, kind: str, keep: int) -> None:
        self.root, self.kind, self._keep = root, kind, keep
        self._pattern = re.compile(rf"{re.escape(kind)}-(\d{{12,}})")

    def numbers(self) -> list[int]:
        """The numbers that there are, torn ones included, in ascending order."""
        names = [path.name for path in self.root.iterdir()] if self.root.is_dir() else []
        return sorted(int(found[1]) for name in names if (found := self._pattern.fullmatch(name)))

    def save(self, number: int, files: Mapping[str, bytes]) -> Path:
        """Writes a folder and removes those past `keep`; returns where it lies.

        Raises:
            SnapshotError: the disk refused; what was there before is as it was.
        """
        path = self._path(number)
        part = self.root / f".{path.name}.part"
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            for left in self.root.glob(f".{self.kind}-*.part"):
                shutil.rmtree(left)
            part.mkdir()
            sizes = {
                name: {"bytes": len(content), "sha256": sha256(content).hexdigest()} for name, content in files.items()
            }
            manifest = json.dumps({"format": _FORMAT, "files": sizes}, indent=1).encode()
            for name, content in {**files, MANIFEST: manifest}.items():
                _write(part / name, content)
            if path.exists():  # a torn one of the same number
                shutil.rmtree(path)
            part.rename(path)
            _sync_folder(self.root)
        except OSError as error:
            raise SnapshotError(f"{self.kind} {number} must be written to {self.root}; got {error}") from error
        for old in self.numbers()[: -self._keep]:
            shutil.rmtree(self._path(old), ignore_errors=True)
        return path

    def newest_first(self) -> Iterator[tuple[int, dict[str, bytes]]]:
        """Every whole folder with its files, the newest first; a torn one is skipped with a warning."""
        for number in reversed(self.numbers()):
            try:
                yield number, _read(self._path(number))
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                _log.warning("%s is torn and is skipped: %s", self._path(number), error)

    def _path(self, number: int) -> Path:
        return self.root / f"{self.kind}-{number:012d}"


def _read(path: Path) -> dict[str, bytes]:
    manifest = json.loads((path / MANIFEST).read_bytes())
    if manifest["format"] != _FORMAT:
        raise ValueError(f"format must be {_FORMAT}; got {manifest['format']!r}")
    files = {name: (path / Path(name).name).read_bytes() for name in manifest["files"]}
    for name, content in files.items():
        expected = manifest["files"][name]
        if len(content) != expected["bytes"] or sha256(content).hexdigest() != expected["sha256"]:
            raise ValueError(f"{name} must have the length and SHA-256 of {MANIFEST}; it has not")
    return files


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
