"""The file of the Upworthy Research Archive: gzipped CSV, one row per package (arm) of a test."""

import csv
import gzip
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from envs.errors import WorldError

FILE_NAME = "packages.csv.gz"
_COLUMNS = ("test_id", "test_created_utc", "arm", "headline", "lede", "impressions", "clicks", "clean")
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class Arm:
    """One headline of a test with what was counted of it."""

    item_id: str
    headline: str
    impressions: int
    clicks: int
    image: str = ""


@dataclass(frozen=True, slots=True)
class HeadlineTest:
    """One test: its arms, and the lede as plain text where all arms share it."""

    arms: tuple[Arm, ...]
    lede: str | None


def read_tests(path: Path, max_tests: int | None = None) -> list[HeadlineTest]:
    """The clean tests with at least two arms, oldest first.

    Args:
        path: the file, or the folder that holds it as `packages.csv.gz`.
        max_tests: how many at most; all without.

    Raises:
        WorldError: the path, a column or a value is not as it must be, or no test is left.
    """
    file = path / FILE_NAME if path.is_dir() else path
    rows = sorted(_clean_rows(file), key=lambda row: (row["test_created_utc"], row["test_id"]))  # stable: arms stay
    by_test: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_test.setdefault(row["test_id"], []).append(row)
    tests = [_test(file, group) for group in by_test.values() if len(group) > 1]
    if not tests:
        raise WorldError(f"upworthy file must hold a test with two clean arms; got none in {file}")
    return tests[:max_tests]


def plain_text(markup: str) -> str:
    """The text of a piece of HTML, its spaces collapsed.

    >>> plain_text("<p>Cats &amp; dogs,<br>together</p>")
    'Cats & dogs, together'
    """
    return " ".join(html.unescape(_TAG.sub(" ", markup)).split())


def _clean_rows(file: Path) -> Iterator[dict[str, str]]:
    if not file.is_file():
        raise WorldError(f"upworthy path must be {FILE_NAME} or the folder that holds it; got {file}")
    try:
        with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines)
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise WorldError(f"upworthy file {file} must have the column {missing[0]!r}; got {reader.fieldnames}")
            yield from (row for row in reader if row["clean"] == "1")
    except (gzip.BadGzipFile, EOFError, UnicodeDecodeError) as error:
        raise WorldError(f"upworthy file must be gzipped UTF-8 text; got {file}: {error}") from error


def _test(file: Path, rows: list[dict[str, str]]) -> HeadlineTest:
    ledes = {row["lede"] for row in rows}
    shared = plain_text(ledes.pop()) if len(ledes) == 1 else ""
    return HeadlineTest(tuple(_arm(file, row) for row in rows), shared or None)


def _arm(file: Path, row: dict[str, str]) -> Arm:
    item_id = f"{row['test_id']}:{row['arm']}"
    impressions, clicks = row["impressions"], row["clicks"]
    if not (impressions.isdecimal() and clicks.isdecimal() and 0 < int(impressions) >= int(clicks)):
        raise WorldError(
            f"upworthy arm {item_id} must have impressions >= clicks >= 0; got {impressions!r} and {clicks!r} ({file})"
        )
    return Arm(item_id, plain_text(row["headline"]), int(impressions), int(clicks), row.get("eyecatcher_id", ""))
