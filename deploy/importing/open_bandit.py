"""The Open Bandit data set as events: every row an impression of all items of its campaign.

A context has the position (1 to 3) and the four hashed features of the user, a column for each value of each. A
candidate has its number, a column for each value of its other three features that several items share, and the user's
affinity to it. Nobody is named, so each row has a user of its own.

References:
    Saito, Aihara, Matsutani, Narita (2020), Open Bandit dataset and pipeline: towards realistic and reproducible
    off-policy evaluation, arXiv 2008.07146.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from deploy.errors import HistoryError
from deploy.evaluating.open_bandit import ITEMS, file_of, is_open_bandit, rows_of
from deploy.importing.foreign import Foreign, click_on
from envs.parts import CoreSettings
from stream.events import Candidate, Click, Context, Impression, Logged

_COLUMNS = ("timestamp", "item_id", "position", "click", "propensity_score")
_POSITIONS = 3
_NUMBER = "item_feature_0"
_AFFINITY = "user-item_affinity_"


def read_open_bandit(folder: Path, settings: CoreSettings, foreign: Foreign) -> Iterator[Impression | Click]:
    """The rows of a folder such as `bts/all`, each as an impression that carries `logged`, followed by its click.

    Args:
        folder: holds `item_context.csv` and the log under the folder's own name; both may be gzipped.
        settings: of the reward.
        foreign: counts rows whose item is not known.

    Raises:
        HistoryError: the folder is not one of this data set, or a value is not as it must be.
        EvaluateError: a file cannot be read or lacks a column.
    """
    name = folder.resolve().name
    log = file_of(folder, f"{name}.csv")
    if not is_open_bandit(folder) or log is None:
        raise HistoryError(f"{folder} must hold {ITEMS} and {name}.csv, plain or as .gz; it does not")
    items = _items(folder)
    user = _Categories.of(rows_of(log, _COLUMNS), "user_feature_", least=1)
    for number, row in enumerate(rows_of(log, _COLUMNS)):
        if row["item_id"] not in items:
            foreign.left_out[f"rows whose item is not in {ITEMS}"] += 1
            continue
        where = f"line {number + 2} of {log}"
        impression = _impression(folder, f"{name}-{number}", row, items, user, where)
        yield impression
        click = click_on(impression, row["item_id"], _number(row["click"], where), where, settings)
        if click is not None:
            yield click


class _Categories:
    """Columns for the values of some features: one for each value of each.

    Args:
        columns: features with the values that have a column, in order.
    """

    def __init__(self, columns: Sequence[tuple[str, str]]) -> None:
        self._columns = columns

    @classmethod
    def of(cls, rows: Iterable[dict[str, str]], prefix: str, least: int, but: str = "") -> "_Categories":
        """The values that at least so many rows have, of the features whose names begin with the prefix."""
        counts = Counter((n, v) for row in rows for n, v in row.items() if n.startswith(prefix) and n != but)
        return cls(sorted(value for value, count in counts.items() if count >= least))

    def __call__(self, row: dict[str, str]) -> tuple[float, ...]:
        return tuple(float(row[name] == value) for name, value in self._columns)


def _items(folder: Path) -> dict[str, tuple[float, ...]]:
    """The features of each item by its id; a value that only one item has tells no more than the item itself."""
    file = file_of(folder, ITEMS)
    rows = list(rows_of(file, ("item_id", _NUMBER))) if file is not None else []
    categories = _Categories.of(rows, "item_feature_", least=2, but=_NUMBER)
    where = f"{_NUMBER} of {file}"
    return {row["item_id"]: (_number(row[_NUMBER], where), *categories(row)) for row in rows}


def _impression(
    folder: Path,
    name: str,
    row: dict[str, str],
    items: dict[str, tuple[float, ...]],
    user: _Categories,
    where: str,
) -> Impression:
    position, propensity = _number(row["position"], where), _number(row["propensity_score"], where)
    if position not in range(1, _POSITIONS + 1) or not 0.0 < propensity <= 1.0:
        raise HistoryError(
            f"position must be 1 to {_POSITIONS} and propensity_score in (0, 1]; got {position:g} and {propensity:g} "
            f"in {where}"
        )
    place = tuple(float(position == each) for each in range(1, _POSITIONS + 1))
    affinities = {item: row.get(f"{_AFFINITY}{item}") for item in items}
    return Impression(
        impression_id=name,
        user_id=name,
        ts_ms=_ts_ms(row["timestamp"], where),
        context=Context(features=(*place, *user(row))),
        candidates=tuple(
            Candidate(item_id=item, features=(*features, _number(affinities[item] or "0", where)))
            for item, features in items.items()
        ),
        logged=Logged(item_ids=(row["item_id"],), propensities=(propensity,), policy=folder.resolve().parent.name),
    )


def _number(value: str, where: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise HistoryError(f"values must be numbers; got {value!r} in {where}") from error


def _ts_ms(value: str, where: str) -> int:
    try:
        return round(datetime.fromisoformat(value).timestamp() * 1_000)
    except ValueError as error:
        raise HistoryError(f"timestamp must be a date and a time; got {value!r} in {where}") from error
