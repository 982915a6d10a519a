"""The long and the short form: which attacks, how much load, which kills."""

import sys
from pathlib import Path

from chaos.attack import AttackPlan

_RAY_LONG = {
    ("runner", "transaction"): 3,
    ("runner", "offsets"): 1,
    ("runner", "committing"): 2,
    ("runner", "committed"): 2,
    ("runner", "positions"): 1,
    ("runner", "replay"): 2,
    ("driver", "checkpoint"): 3,
    ("driver", "replay"): 1,
    ("driver", "stepping"): 1,
    ("broker", "up"): 3,
}
_BARE_LONG = {
    ("runner", "transaction"): 4,
    ("runner", "offsets"): 2,
    ("runner", "committing"): 3,
    ("runner", "committed"): 2,
    ("runner", "replay"): 3,
    ("broker", "up"): 2,
}
_BARE_SHORT = {
    ("runner", "transaction"): 1,
    ("runner", "committing"): 1,
    ("runner", "replay"): 1,
    ("broker", "up"): 1,
}
_RAY_SHORT = {("runner", "transaction"): 1, ("driver", "checkpoint"): 1}
_BROKEN = {("runner", "between"): 2}


def bare(seed: int, *, short: bool) -> AttackPlan:
    """Runners without Ray: many kills in little time."""
    if short:
        return AttackPlan("bare", seed, "bare", impressions=3_000, rate_per_s=60, kills=_BARE_SHORT)
    return AttackPlan("bare", seed, "bare", impressions=25_000, rate_per_s=150, kills=_BARE_LONG, until_s=400)


def ray(seed: int, *, short: bool) -> AttackPlan:
    """The whole agent: driver, learner, runners as actors of Ray."""
    if short:
        return AttackPlan("ray", seed, "ray", impressions=1_000, rate_per_s=40, kills=_RAY_SHORT, patience_s=300)
    return AttackPlan(
        "ray", seed, "ray", impressions=100_000, rate_per_s=200, kills=_RAY_LONG, until_s=700, patience_s=300
    )


def broken(seed: int, build: str) -> AttackPlan:
    """A build that the audit must catch."""
    return AttackPlan(build, seed, "bare", impressions=500, rate_per_s=60, kills=_BROKEN, build=build)


def others(folder: Path, seed: int, *, short: bool) -> dict[str, list[str]]:
    """The attacks that are programs of their own: name and command."""
    here = Path(__file__).parent
    records = "50000" if short else "1000000"
    rebuilt = ["10000"] if short else ["10000", "100000", "1000000"]
    programs = {
        "rebuild": ["rebuild.py", "--open", *rebuilt, "--bytes", "300"],
        "fuzz": ["fuzz.py", "--records", records, "--seed", str(seed), "--keep", str(folder / "fuzz")],
        "security": ["security.py"],
    }
    return {name: [sys.executable, str(here / program), *more] for name, (program, *more) in programs.items()}
