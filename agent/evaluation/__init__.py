"""Off-policy evaluation: what another policy would have earned, from a log that keeps its propensities.

Needs neither torch nor ray. Every estimator returns an `Estimate`: a value, how sure it is, and in words where the log
cannot carry the answer. `ips`, `snips` and `clipped_ips` read rewards and propensities alone; `dm`, `dr`, `sndr`,
`switch_dr` and `dr_os` also read a model of rewards, which `cross_fit` predicts for decisions it was not fitted to.
For slates: `slate_ips`, `independent_ips`, `rips`, `cascade_dr` and the pseudo-inverse, by what they assume of readers.
"""

from agent.evaluation.cross_fit import cross_fit
from agent.evaluation.errors import EvaluationError
from agent.evaluation.estimate import Estimate
from agent.evaluation.modelled import dm, dr, dr_os, sndr, switch_dr
from agent.evaluation.modelled_log import ModelledLog
from agent.evaluation.pseudo_inverse import (
    Slates,
    independent_pseudo_inverse,
    pseudo_inverse,
    pseudo_inverse_weight,
    without_replacement,
)
from agent.evaluation.slates import cascade_dr, independent_ips, rips, slate_ips
from agent.evaluation.support import with_lost, with_support
from agent.evaluation.weighted import clipped_ips, ips, snips

__all__ = [
    "Estimate",
    "EvaluationError",
    "ModelledLog",
    "Slates",
    "cascade_dr",
    "clipped_ips",
    "cross_fit",
    "dm",
    "dr",
    "dr_os",
    "independent_ips",
    "independent_pseudo_inverse",
    "ips",
    "pseudo_inverse",
    "pseudo_inverse_weight",
    "rips",
    "slate_ips",
    "sndr",
    "snips",
    "switch_dr",
    "with_lost",
    "with_support",
    "without_replacement",
]
