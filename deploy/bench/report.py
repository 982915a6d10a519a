"""The benchmark's report: tables in Markdown, and one JSON line for each world."""

import json
from collections.abc import Callable, Iterator, Sequence

from deploy.bench.compare import Comparison, compared, mean_of
from deploy.bench.results import Result

_HOW = """Normalised lift: 0 is a uniform choice, 1 the best choice of every round, by true click probabilities, over
all rounds from the first. Each player decides 256 rounds, then learns what closed. All meet the same rounds, candidates
and clicks. ± is the 95 % interval of Student's t over seeds; differences are paired by seed, to the peer that was best
on that seed."""
_Figure = Callable[[Sequence[Result]], str]
_FIGURES: dict[str, _Figure] = {
    "Lift": lambda found: str(mean_of([each.lift for each in found])),
    "Lift in the last quarter": lambda found: str(mean_of([each.quarters[-1] for each in found])),
    "Seconds of a run, in the mean": lambda found: f"{sum(each.seconds for each in found) / len(found):.1f}",
}


def markdown(results: Sequence[Result], ours: str) -> str:
    """The report.

    Args:
        results: of all runs.
        ours: the player that is compared to the others.
    """
    warm = [each for each in results if not each.cold]
    cold = [each for each in results if each.cold]
    parts = ["# Learning benchmark", _HOW, *_summary(warm, ours), *_lifts(warm), *_cold(cold), *_settings(warm)]
    return "\n\n".join(parts) + "\n"


def json_lines(results: Sequence[Result], ours: str) -> list[str]:
    """One line for each world: lift of ours, of the best peer of each seed, and half of the difference's interval."""
    return [_line(each) for each in compared([result for result in results if not result.cold], ours)]


def _line(one: Comparison) -> str:
    return json.dumps(
        {
            "name": f"learning-{one.world}",
            "ratio": round(one.ours.mean / one.theirs.mean, 4),
            "ours": round(one.ours.mean, 4),
            "theirs": round(one.theirs.mean, 4),
            "unit": "normalised lift",
            "spread": None if one.difference.half is None else round(one.difference.half, 4),
        }
    )


def _summary(results: Sequence[Result], ours: str) -> Iterator[str]:
    found = compared(results, ours)
    if not found:
        return
    met = {each.world: each.texts_met for each in results}
    yield f"## {ours} and the best peer of each seed"
    yield _table(
        ("world", "seeds", ours, "best peer", "difference", "", "last quarter", "best peers (seeds)", "texts met"),
        [
            (
                one.world,
                str(one.seeds),
                str(one.ours),
                str(one.theirs),
                str(one.difference),
                _verdict(one),
                str(one.last_quarter),
                ", ".join(f"{name} ({count})" for name, count in one.best.items()),
                _share(met[one.world]),
            )
            for one in found
        ],
    )
    yield (
        "“texts met” is the share of texts whose vectors were known before they came: a warm cache of the encoder. "
        "“–”: the world has none."
    )


def _verdict(one: Comparison) -> str:
    mean, half = one.difference
    if half is None or abs(mean) <= half:
        return "open"
    return "ahead" if mean > 0 else "behind"


def _lifts(results: Sequence[Result]) -> Iterator[str]:
    worlds = tuple(dict.fromkeys(each.world for each in results))
    players = tuple(dict.fromkeys(each.player for each in results))
    for title, figure in _FIGURES.items():
        rows = []
        for world in worlds:
            cells = [[each for each in results if (each.world, each.player) == (world, name)] for name in players]
            rows.append((world, *(figure(found) if found else "–" for found in cells)))
        yield f"## {title}"
        yield _table(("world", *players), rows)


def _cold(results: Sequence[Result]) -> Iterator[str]:
    if not results:
        return
    yield "## Texts encoded on the way"
    yield _table(
        ("world", "player", "seed", "lift", "texts met", "seconds of the player", "seconds of encoding and drawing"),
        [
            (
                each.world,
                each.player,
                str(each.seed),
                f"{each.lift:.3f}",
                _share(each.texts_met),
                f"{each.seconds:.1f}",
                f"{each.world_seconds:.1f}",
            )
            for each in results
        ],
    )


def _settings(results: Sequence[Result]) -> Iterator[str]:
    """How each player was set; its mean lift over all runs tells which setting of a peer served it best."""
    yield "## Players"
    rows = []
    for name, settings in {each.player: each.settings for each in results}.items():
        mine = [each for each in results if each.player == name]
        rows.append((name, f"`{settings}`", f"{sum(each.lift for each in mine) / len(mine):.3f}", str(len(mine))))
    yield _table(("player", "settings", "mean lift", "runs"), rows)


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.3f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
