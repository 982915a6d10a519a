"""What a search tries of each setting, as `--space` writes it: some values, or a range."""

import json
from dataclasses import dataclass

from deploy.errors import EvaluateError


@dataclass(frozen=True)
class Choice:
    """One of some values, each as `--set` would have it."""

    values: tuple[str, ...]


@dataclass(frozen=True)
class Range:
    """Any number from `low` to `high`; where `log`, evenly in its logarithm; where `whole`, whole numbers."""

    low: float
    high: float
    log: bool
    whole: bool


Space = dict[str, Choice | Range]


def parse_space(options: tuple[str, ...], *, grid: bool) -> Space:
    """What is tried of each setting.

    Args:
        options: `KEY=a,b,c`, `KEY=low..high` or `KEY=log:low..high`; values in brackets may hold commas.
        grid: whether every combination is tried, which ranges do not allow.

    Raises:
        EvaluateError: one is not written so, comes twice, or is a range in a grid.

    >>> parse_space(("agent.explore.floor=log:0.001..0.1", "agent.expert.rank=8,16"), grid=False)
    ... # doctest: +NORMALIZE_WHITESPACE
    {'agent.explore.floor': Range(low=0.001, high=0.1, log=True, whole=False),
     'agent.expert.rank': Choice(values=('8', '16'))}
    """
    space: Space = {}
    for option in options:
        key, separator, text = option.partition("=")
        key = key.strip()
        if not separator or not key or not text.strip():
            raise EvaluateError(f"--space must be KEY=VALUES; got {option!r}")
        if key in space:
            raise EvaluateError(f"--space must name a setting once; got {key} twice")
        space[key] = _range(option, text) if ".." in text else Choice(tuple(_values(text)))
        if grid and isinstance(space[key], Range):
            raise EvaluateError(f"--space of a grid must name its values; got the range {option!r}")
    return space


def extremes(space: Space) -> list[dict[str, str]]:
    """Settings that hold every value and every end of a range once, to be checked before anything is run."""
    ends = {k: p.values if isinstance(p, Choice) else (written(p.low, p), written(p.high, p)) for k, p in space.items()}
    most = max(map(len, ends.values()))
    return [{key: values[min(number, len(values) - 1)] for key, values in ends.items()} for number in range(most)]


def written(value: float | str, part: Choice | Range) -> str:
    """A value that was drawn, as `--set` would have it."""
    if isinstance(part, Choice):
        return str(value)
    return str(round(float(value))) if part.whole else repr(float(value))


def _range(option: str, text: str) -> Range:
    kind, _, ends = text.rpartition(":")
    parts = [part.strip() for part in ends.split("..")]
    try:
        low, high = (float(part) for part in parts)
    except ValueError as error:
        raise EvaluateError(f"--space range must be low..high or log:low..high; got {option!r}") from error
    log = kind.strip() == "log"
    if not low < high or (kind.strip() and not log) or (log and low <= 0.0):
        raise EvaluateError(f"--space range must rise, and with log begin above 0; got {option!r}")
    return Range(low, high, log, whole=all(part.lstrip("+-").isdigit() for part in parts))


def _values(text: str) -> list[str]:
    """Values parted by commas that are not in brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def toml_of(settings: dict[str, str]) -> str:
    """Settings as a TOML file.

    >>> print(toml_of({"agent.explore.floor": "0.02", "seed": "3", "agent.explore.strategy": "greedy"}), end="")
    seed = 3
    <BLANKLINE>
    [agent.explore]
    floor = 0.02
    strategy = "greedy"
    """
    sections: dict[str, list[str]] = {"": []}
    for key, value in sorted(settings.items()):
        section, _, name = key.rpartition(".")
        sections.setdefault(section, []).append(f"{name} = {_toml(value)}")
    parts = [
        "\n".join([*([f"[{section}]"] if section else []), *lines]) for section, lines in sections.items() if lines
    ]
    return "\n\n".join(parts) + "\n"


def _toml(value: str) -> str:
    if value in ("true", "false") or value.startswith(("[", '"', "'")):
        return value
    try:
        float(value)
    except ValueError:
        return json.dumps(value)
    return value
