"""What `bench headlines` found, in Markdown and as lines of JSON."""

import json

from deploy.bench.headline_play import Earned, ratio
from deploy.bench.headlines import HeadlinePlan, Results

_HEAD = (
    "| player | impressions a slate | gain, as drawn | gain, as expected | of the best arm's | slates "
    "| of these, an arm ran empty |"
)


def markdown(results: Results, streamed: Results, plan: HeadlinePlan) -> str:
    """Two tables: cross-validation, and the stream with what its first form gains over its second."""
    lines = [f"## Held-out tests, {plan.folds} folds", "", _HEAD, "| --- | --- | --- | --- | --- | --- | --- |"]
    lines += [_row(name, size, earned) for name, sizes in results.items() for size, earned in sizes.items()]
    best = next(iter(results.values())) if results else {}
    lines += [_best(size, earned) for size, earned in best.items()]
    if streamed:
        title = f"## Stream in time order, from nothing, after {plan.skipped} slates, {plan.at_once} at once"
        lines += ["", title, "", _HEAD, "| --- | --- | --- | --- | --- | --- | --- |"]
        lines += [_row(name, size, earned) for name, sizes in streamed.items() for size, earned in sizes.items()]
        lines += ["", *_text(streamed)]
    return "\n".join(lines) + "\n"


def json_lines(results: Results, streamed: Results) -> list[str]:
    """A line for each player and size; `ratio` is the gain over a uniform choice, as drawn."""
    lines = []
    for kind, players in (("held-out", results), ("stream", streamed)):
        for name, sizes in players.items():
            for size, earned in sizes.items():
                gain, error = earned.gain()
                lines.append(
                    json.dumps(
                        {
                            "name": f"headlines-{kind}-{name}-{size}",
                            "ratio": round(gain, 4),
                            "ours": float(earned.clicks_S.sum()),
                            "theirs": round(float(earned.uniform_S.sum()), 1),
                            "unit": "gain in clicks over a uniform choice",
                            "spread": round(error, 4),
                        }
                    )
                )
    return lines


def _text(streamed: Results) -> list[str]:
    """What the first form, with texts, gains over the second, without them, both over the same uniform choice."""
    one, other = (next(iter(sizes.values())) for sizes in list(streamed.values())[:2])
    drawn = ratio(one.uniform_S + one.clicks_S - other.clicks_S, one.uniform_S)
    expected = ratio(one.uniform_S + one.rated_S - other.rated_S, one.uniform_S)
    return [f"Text over no text: {_points(*drawn)} points as drawn, {_points(*expected)} as expected."]


def _row(name: str, size: int, earned: Earned) -> str:
    gain, rated, best = earned.gain(), earned.rated_gain(), earned.best_gain()
    return (
        f"| {name} | {size:,} | {_percent(*gain)} | {_percent(*rated)} | {rated[0] / best[0]:.2f} | "
        f"{len(earned.slate_S):,} | {earned.emptied_S.mean():.1%} |"
    )


def _best(size: int, earned: Earned) -> str:
    best = _percent(*earned.best_gain())
    return f"| the best arm by its record | {size:,} | – | {best} | 1 | {len(earned.slate_S):,} | – |"


def _percent(gain: float, error: float) -> str:
    return f"{100 * gain:.1f} % ± {100 * error:.1f}"


def _points(gain: float, error: float) -> str:
    return f"{100 * gain:.1f} ± {100 * error:.1f}"
