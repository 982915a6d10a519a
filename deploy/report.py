"""Writes what a run leaves: `summary.json` for programs, and `report.html`, one page that a person understands."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from deploy import plots
from deploy.compare import Difference, last_quarter, mean_or_none, paired_difference
from deploy.errors import ReportError
from deploy.record import REQUIRED, RunRecord, summary_of

_EXPLAINED = {
    "decisions": ("Decisions", "impressions for which the agent chose what to show"),
    "decisions_per_second": ("Decisions per second", "over the whole run"),
    "latency_p50_ms": ("Latency, half within", "from reading an impression to its published recommendation"),
    "latency_p99_ms": ("Latency, 99 % within", "the same; one decision in a hundred took longer"),
    "click_rate": ("Click rate, whole run", "expected clicks per decision, the learning from nothing included"),
    "click_rate_last_quarter": ("Click rate, last quarter", "the same, once it had learned"),
    "click_rate_uniform": ("Uniform choice", "click rate had any candidate been shown with the same probability"),
    "click_rate_oracle": ("Best possible", "click rate had somebody who knows every reader chosen"),
    "policy_versions": ("Policy versions", "times that newly learned weights began to decide"),
    "outcomes": ("Outcomes", "decisions whose time for clicks was over; the policy learned from them"),
    "dead_letters": ("Dead letters", "records that could not be used; each is kept with the reason"),
}

_ALSO_EXPLAINED = {
    "exploration_share": ("Exploration share", "mean probability of not showing what the policy held best"),
    "learner_updates": ("Learner updates", "times that the learner took closed decisions in"),
    "learner_rows": ("Learner rows", "shown items with their rewards that it learned from"),
    "outcomes_refused": ("Outcomes refused", "repeats of what had been learned from already"),
    "outcomes_fetched": ("Outcomes fetched", "read from the log because no runner handed them over"),
    "runner_restarts": ("Runner restarts", "times that a runner died and came back"),
    "checkpoints": ("Checkpoints", "times that what was learned was written to the disk"),
    "outcome_staleness_p50_ms": ("Age of outcomes, half within", "from the close of an outcome to deciding by it"),
    "outcome_staleness_p99_ms": ("Age of outcomes, 99 % within", "the same; one outcome in a hundred was older"),
    "click_staleness_p50_ms": ("Age of clicks, half within", "from the joining of a click to deciding by it"),
    "click_staleness_p99_ms": ("Age of clicks, 99 % within", "the same; one click in a hundred was older"),
    "run_seconds": ("Duration of the run", "from the first decision to the last"),
    "apprentice: decisions": ("Decisions of an incumbent", "impressions with `logged` that closed and were judged"),
    "apprentice: agreement": ("Agreement with it", "mean probability with which the policy would have shown the same"),
    "apprentice: same": ("The same favourite", "share of its decisions that the policy holds best"),
    "apprentice: reward": ("Reward of the incumbent", "mean over the judged decisions"),
    "apprentice: with_propensity": ("Decisions with a propensity", "of the incumbent; the estimates are from these"),
    "apprentice: incumbent": ("Its reward in these", "mean, with the ends of its 95 % interval below"),
    "apprentice: snips": ("The policy in its place (SNIPS)", "estimated reward per decision, with its interval"),
    "apprentice: dr": ("The policy in its place (DR)", "the same, doubly robust"),
    "apprentice: gain": ("Gain over the incumbent", "DR less the incumbent's reward, with its interval"),
    "total_seconds": ("Duration of everything", "with the start and the policies that it is compared with"),
}
_START = "start: "


class Figure(NamedTuple):
    """One row of the table of figures."""

    label: str
    value: str
    about: str


class Compared(NamedTuple):
    """One row of the table of policies; differences are to the frozen policy, in the last quarter."""

    label: str
    note: str
    colour: str
    click_rate: float | None
    click_rate_last_quarter: float | None
    times_uniform: float | None
    difference: Difference | None


def write_report(record: RunRecord, folder: Path) -> Path:
    """Writes `summary.json` and `report.html` into an existing folder and returns the path of the page.

    Raises:
        ReportError: the folder cannot be written to, or the summary holds what JSON cannot.
    """
    summary = summary_of(record)
    arms = compare_arms(record)
    content = summary | {"title": record.title, "arms": _for_json(record, arms)}
    try:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        (folder / "summary.json").write_text(f"{text}\n", encoding="utf-8")
        page = folder / "report.html"
        page.write_text(_render(record, summary, arms), encoding="utf-8")
    except (TypeError, ValueError) as error:
        raise ReportError(f"summary must hold what JSON can; got {error}") from error
    except OSError as error:
        raise ReportError(f"report's folder must be writable; got {folder} ({error.strerror})") from error
    return page


def headline(summary: Mapping[str, Any]) -> str:
    """What came of the run, in a sentence or three.

    >>> headline({"click_rate": 0.16, "click_rate_oracle": None})
    'In this run, readers clicked on 16.0 % of what it showed.'
    """
    rate = _first(summary, "click_rate_last_quarter", "click_rate")
    if rate is None:
        return "The run ended before anything could be said about clicks."
    part = "In the last quarter of the run" if summary.get("click_rate_last_quarter") is not None else "In this run"
    text = f"{part}, readers clicked on {_percent(rate)} of what it showed."
    uniform = _first(summary, "click_rate_uniform_last_quarter", "click_rate_uniform")
    if uniform:
        times = rate / uniform
        measure = f"{times:.1f} times as often as" if times >= 1.05 else f"{times:.2f} times the clicks of"
        text += f" That is {measure} a uniform choice from the same candidates ({_percent(uniform)})."
    oracle = _first(summary, "click_rate_oracle_last_quarter", "click_rate_oracle")
    return text if oracle is None else f"{text} The best possible choice would have reached {_percent(oracle)}."


def compare_arms(record: RunRecord) -> list[Compared]:
    """Every arm beside the others, with its difference to the frozen one over the last quarter."""
    frozen = next((arm for arm in record.arms if arm.name == "frozen"), None)
    uniform = mean_or_none(last_quarter(record.uniform))
    rows = []
    for arm, colour in zip(record.arms, plots.COLOURS * 4, strict=False):
        late = mean_or_none(last_quarter(arm.shown))
        difference = None
        if frozen is not None and arm is not frozen:
            size = min(len(arm.shown), len(frozen.shown))
            difference = paired_difference(last_quarter(arm.shown[:size]), last_quarter(frozen.shown[:size]))
        rows.append(
            Compared(
                label=arm.label,
                note=arm.note,
                colour=colour,
                click_rate=mean_or_none(arm.shown),
                click_rate_last_quarter=late,
                times_uniform=late / uniform if late is not None and uniform else None,
                difference=difference,
            )
        )
    return rows


def _for_json(record: RunRecord, rows: Sequence[Compared]) -> dict[str, Any]:
    return {
        arm.name: {
            "click_rate": row.click_rate,
            "click_rate_last_quarter": row.click_rate_last_quarter,
            "times_uniform_last_quarter": row.times_uniform,
            "minus_frozen_last_quarter": row.difference._asdict() if row.difference else None,
        }
        for arm, row in zip(record.arms, rows, strict=True)
    }


def _render(record: RunRecord, summary: Mapping[str, Any], arms: Sequence[Compared]) -> str:
    environment = Environment(
        loader=PackageLoader("deploy", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "points": _points}
    charts = {
        "click_rates": plots.click_rates(record),
        "speed": plots.speed(record.progress),
        "learning": plots.learning(record.progress),
        "exploration": plots.exploration(record.progress),
    }
    return environment.get_template("report.html").render(
        title=record.title,
        headline=headline(summary),
        figures=_figures(summary),
        others=_others(summary),
        arms=arms,
        compared=any(row.difference for row in arms),
        charts={name: Markup(svg) for name, svg in charts.items() if svg},  # noqa: S704 - made here, of numbers and labels
        settings=json.dumps(record.settings, indent=2, ensure_ascii=False, default=str),
    )


def _figures(summary: Mapping[str, Any]) -> list[Figure]:
    return [Figure(label, _shown(key, summary.get(key)), about) for key, (label, about) in _EXPLAINED.items()]


def _others(summary: Mapping[str, Any]) -> list[Figure]:
    """What the run reports beyond the figures that every run has; counts by label stand one by one."""
    extra = {key: value for key, value in summary.items() if key not in REQUIRED and not key.startswith("click_rate")}
    flat: dict[str, Any] = {}
    for key, value in extra.items():
        flat |= {f"{key}: {label}": each for label, each in value.items()} if isinstance(value, dict) else {key: value}
    plain = {key: value for key, value in flat.items() if isinstance(value, str | int | float)}
    rows = []
    for key, value in plain.items():
        about = "done so long after the start of the process" if key.startswith(_START) else ""
        label, about = _ALSO_EXPLAINED.get(key, (key.replace("_", " ").capitalize(), about))
        rows.append(Figure(label, _shown(key, value), about))
    return rows


def _shown(key: str, value: Any) -> str:  # noqa: ANN401 - a figure of any kind
    if value is None:
        return "not known"
    if isinstance(value, bool | str):
        return str(value)
    if "click_rate" in key or key.endswith("_share"):
        return _percent(value)
    number = f"{value:,}" if isinstance(value, int) else f"{value:,.1f}" if abs(value) >= 1 else f"{value:.3g}"
    unit = "ms" if key.endswith("_ms") else "s" if key.endswith(("_s", "_seconds")) or key.startswith(_START) else ""
    return f"{number} {unit}".strip()


def _first(summary: Mapping[str, Any], *keys: str) -> float | None:
    return next((float(summary[key]) for key in keys if summary.get(key) is not None), None)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.1f} %"


def _points(value: float | None) -> str:
    """A difference of shares, in percentage points with its sign."""
    return "–" if value is None else f"{value * 100:+.2f}".replace("-", "−")
