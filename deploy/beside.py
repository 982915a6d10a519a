"""How the policy stands beside an incumbent, as figures of a run's summary."""

import math

from agent.apprentice import standing
from stream.meter import Tally


def apprentice_figures(totals: Tally) -> dict[str, float | int | str]:
    """Agreement, rewards and estimates with their 95 % intervals; empty where no decision of an incumbent was judged.

    >>> apprentice_figures(Tally())
    {}
    """
    found = standing(totals)
    if found is None:
        return {}
    figures: dict[str, float | int | str] = {
        "decisions": found.decisions,
        "agreement": found.agreement,
        "same": found.same,
        "reward": found.earned,
        "with_propensity": found.weighted,
    }
    for name, estimate in found.estimates().items():
        ends = {name: estimate.value, f"{name}_low": estimate.lower, f"{name}_high": estimate.upper}
        figures |= {key: value for key, value in ends.items() if math.isfinite(value)}
    warnings = dict.fromkeys(estimate.warning for estimate in found.estimates().values() if estimate.warning)
    return figures | ({"warning": "; ".join(warnings)} if warnings else {})
