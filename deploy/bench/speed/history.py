"""Figures by commit, in one file: what a commit made faster or slower shows in its line."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.bench.errors import BenchError
from deploy.bench.speed.figure import Figure, short


def commit_of(folder: Path) -> str:
    """The commit that is checked out in a folder, with `+` behind it where files differ; `unknown` outside git."""
    head = _git(folder, "rev-parse", "--short=12", "HEAD")
    if head is None:
        return "unknown"
    return f"{head}+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else head


def earlier(path: Path, *, quick: bool) -> dict[str, dict[str, Any]]:
    """The latest line of each figure in a file of figures; quick runs are compared with quick runs.

    Raises:
        BenchError: a line is not one of `keep`.
    """
    found: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines() if path.exists() else (), start=1):
        try:
            kept = json.loads(line)
            if kept["quick"] == quick:
                found[kept["name"]] = kept
        except (ValueError, KeyError, TypeError) as error:
            raise BenchError(f"Line {number} of {path} must be a figure; got {line[:80]!r}") from error
    return found


def keep(figures: Sequence[Figure], path: Path, commit: str, *, quick: bool) -> None:
    """Appends figures to a file, a line each, with their commit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        for figure in figures:
            file.write(json.dumps({"commit": commit, "quick": quick, **json.loads(figure.json_line())}) + "\n")


def change(figure: Figure, before: dict[str, dict[str, Any]]) -> str:
    """What became of the ratio since the last line: `+12 % since 1a2b3c`, or nothing.

    >>> change(Figure("x", 1, 2, "s", 0.55), {"x": {"ratio": 0.5, "commit": "1a2b3c"}})
    '+10 % since 1a2b3c'
    """
    kept = before.get(figure.name)
    if kept is None or not kept["ratio"]:
        return ""
    return f"{100 * (short(figure.ratio) / kept['ratio'] - 1):+.0f} % since {kept['commit']}"


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - the arguments are ours
            ["git", "-C", str(folder), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
