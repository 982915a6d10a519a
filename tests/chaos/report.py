"""The report of a run of attacks: JSON, and a table for people."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

_SHOWN = ("impressions", "decisions", "lost", "twice", "outcomes", "outcomes_lost", "outcomes_twice", "clicks_lost")
_LEARNER = ("learned", "learner_outcomes_differ", "learner_digest_differs", "learner_positions_differ")
_ATTACKS, _KILLS = 4, 30
_REQUIRED = ("runner transaction", "runner replay", "driver checkpoint", "broker up")


def text(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    lines = [f"# Chaos, seed {report['seed']}", "", f"{report['seconds']:.0f} s; {verdict(report)}", ""]
    for name, part in report["attacks"].items():
        counts = part["counts"]
        lines += [f"## {name}", "", *_table({key: counts[key] for key in (*_SHOWN, *_LEARNER) if key in counts}), ""]
        summary = {"kills": part["kills_counted"], "missed": part["kills_missed"], "seconds": part["seconds"]}
        summary |= {name: part[name] for name in ("processes_started", "checkpoints_restored", "partitions_rebuilt")}
        lines += [*_table(part["kills"] | summary), ""]
        lines += [f"- violation: {each}" for each in part["violations"]] + [""]
    total = kills_of_real(report)
    lines += ["## Kills of the real build, all together", "", *_table(total | {"all": sum(total.values())}), ""]
    for name, part in report["others"].items():
        lines += [f"## {name}", "", f"exit code {part['exit_code']}, {part['seconds']} s"]
        lines += ["", "```", part["said"], "```", ""]
    return "\n".join(lines) + "\n"


def verdict(report: dict[str, Any]) -> str:
    """One line: what is wrong, or that nothing is."""
    return "everything as it must be" if not report["failures"] else "; ".join(report["failures"])


def failures_of(report: dict[str, Any]) -> list[str]:
    """Every violation of a real build, every broken build that was not caught, every other attack that failed."""
    failures = []
    for name, part in report["attacks"].items():
        build = part["plan"]["build"]
        if build == "real":
            failures += [f"{name}: {violation}" for violation in part["violations"]]
        elif not caught(part):
            failures.append(f"{name}: the audit must catch a broken build; it did not")
    failures += _too_few(report)
    codes = {name: part["exit_code"] for name, part in report["others"].items()}
    return failures + [f"{name} ended with {code}" for name, code in codes.items() if code]


def kills_of_real(report: dict[str, Any]) -> dict[str, int]:
    """Kills of the real build by target and phase, over all attacks."""
    counted: Counter[str] = Counter()
    for part in report["attacks"].values():
        counted.update(part["kills"] if part["plan"]["build"] == "real" else {})
    return dict(sorted(counted.items()))


def _too_few(report: dict[str, Any]) -> list[str]:
    """What is missing to a whole attack; one by itself, or a short one, need not have it all."""
    if report["short"] or len(report["attacks"]) < _ATTACKS:
        return []
    counted = kills_of_real(report)
    failures = [f"{each} must be died in; it was not" for each in _REQUIRED if not counted.get(each)]
    total = sum(counted.values())
    return failures + ([f"kills must be at least {_KILLS}; got {total}"] if total < _KILLS else [])


def caught(part: dict[str, Any]) -> bool:
    """Whether what a broken build does wrong was found: swapped loses, repeat doubles."""
    wrong = {"swapped": ("lost", "outcomes_lost"), "repeat": ("twice", "outcomes_twice")}[part["plan"]["build"]]
    return part["kills_counted"] > 0 and any(part["counts"][name] > 0 for name in wrong)


def write(report: dict[str, Any], folder: Path) -> None:
    """Puts both forms into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(report, indent=1))
    (folder / "report.md").write_text(text(report))


def _table(row: dict[str, Any]) -> list[str]:
    return ["| what | count |", "|---|---:|", *(f"| {name} | {value} |" for name, value in row.items())]
