"""The Open Bandit data set: a folder of one policy and campaign, as its authors lay it out.

Every row has all items of the campaign as candidates. The position (1 to 3) of the shown item is part of the context.
Rows carry no text and no user.

References:
    Saito, Aihara, Matsutani, Narita (2020), Open Bandit dataset and pipeline: towards realistic and reproducible
    off-policy evaluation, arXiv 2008.07146.
"""

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from deploy.errors import EvaluateError
from deploy.evaluating.log import Doubles, LoggedDecisions

ITEMS = "item_context.csv"
_COLUMNS = ("item_id", "position", "click", "propensity_score")
_POSITIONS = 3


def is_open_bandit(path: Path) -> bool:
    """Whether a folder is one of this data set."""
    return path.is_dir() and file_of(path, ITEMS) is not None


def folders_below(path: Path) -> list[Path]:
    """The folders of this data set somewhere below a folder, at most two levels down."""
    found = [*path.glob(f"*/{ITEMS}*"), *path.glob(f"*/*/{ITEMS}*")]
    return sorted({file.parent for file in found})


def read_open_bandit(folder: Path, limit: int) -> LoggedDecisions:
    """The newest rows of a folder such as `bts/all`.

    Args:
        folder: holds `item_context.csv` and the log under the folder's own name, `all.csv`; both may be gzipped.
        limit: rows at most.

    Raises:
        EvaluateError: a file, a column or a value is not as it must be.
    """
    items, contexts_KD = _items(folder)
    logs = file_of(folder, f"{folder.resolve().name}.csv")
    if logs is None:
        raise EvaluateError(f"--log {folder} must hold {folder.resolve().name}.csv or .csv.gz beside {ITEMS}; got none")
    rows = [_row(logs, number, row, items) for number, row in enumerate(rows_of(logs, _COLUMNS), start=2)][-limit:]
    if not rows:
        raise EvaluateError(f"--log must hold at least one row; got none in {logs}")
    table_N4 = np.array(rows, dtype=np.float64)
    N, K = len(rows), len(items)
    action_N, propensity_N = table_N4[:, 0].astype(np.int64), table_N4[:, 3]
    context_N3 = np.eye(_POSITIONS)[table_N4[:, 1].astype(np.int64) - 1]
    even = bool((propensity_N == propensity_N[0]).all()) and abs(propensity_N[0] * K - 1.0) < 1e-6
    return LoggedDecisions(
        name=f"Open Bandit {folder}",
        reward_N=table_N4[:, 2],
        action_N=action_N,
        propensity_N=propensity_N,
        counts_N=np.full(N, K, dtype=np.int64),
        logging_M=np.full(N * K, 1.0 / K if even else np.nan),
        item_M=np.tile(np.arange(K, dtype=np.int64), N),
        context_NC=context_N3,
        candidate_MD=np.tile(contexts_KD, (N, 1)),
        group_N=np.arange(N, dtype=np.int64),
        notes=("each position is judged as a decision of its own",),
    )


def _items(folder: Path) -> tuple[dict[str, int], Doubles]:
    """Items by their id, and the one number that is known of each."""
    file = file_of(folder, ITEMS)
    if file is None:
        raise EvaluateError(f"--log {folder} must hold {ITEMS} or {ITEMS}.gz; got neither")
    rows = list(rows_of(file, ("item_id", "item_feature_0")))
    try:
        values = [float(row["item_feature_0"]) for row in rows]
    except ValueError as error:
        raise EvaluateError(f"item_feature_0 of {file} must be numbers; got {error}") from error
    return {row["item_id"]: index for index, row in enumerate(rows)}, np.array(values).reshape(-1, 1)


def _row(file: Path, number: int, row: dict[str, str], items: dict[str, int]) -> tuple[int, int, float, float]:
    try:
        position, click, propensity = int(row["position"]), float(row["click"]), float(row["propensity_score"])
        action = items[row["item_id"]]
    except (KeyError, TypeError, ValueError) as error:
        raise EvaluateError(f"line {number} of {file} must have a known item and numbers; got {error}") from error
    if not (1 <= position <= _POSITIONS and 0.0 < propensity <= 1.0):
        raise EvaluateError(
            f"line {number} of {file} must have a position of 1 to {_POSITIONS} and a propensity in (0, 1]; "
            f"got {position} and {propensity}"
        )
    return action, position, click, propensity


def rows_of(file: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """The rows of a csv file that may be gzipped.

    Raises:
        EvaluateError: it cannot be read, or lacks one of the columns.
    """
    try:
        with (gzip.open if file.suffix == ".gz" else open)(file, "rt", encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise EvaluateError(f"{file} must have the column {missing[0]!r}; got {(reader.fieldnames or [])[:12]}")
            yield from reader
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise EvaluateError(f"--log must be files that can be read; got {file} ({error})") from error


def file_of(folder: Path, name: str) -> Path | None:
    """A file of a folder, plain or gzipped; None where there is neither."""
    return next((file for file in (folder / name, folder / f"{name}.gz") if file.is_file()), None)
