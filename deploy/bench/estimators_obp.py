"""obp's estimates and intervals for the logs in a file; run by a Python that has obp, imports nothing of this project.

obp 0.5.7 asks for a Python before 3.11 and pins packages of 2022, but its estimators run with newer ones::

    python -m venv obp
    obp/bin/pip install numpy scipy pandas scikit-learn matplotlib seaborn pyyaml tqdm torch
    obp/bin/pip install --no-deps --ignore-requires-python obp==0.5.7
    python -m deploy.bench estimators --obp obp/bin/python

`python estimators_obp.py LOGS.npz` prints a JSON list of {estimator: [value, lower, upper]}, one for each log.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

_SAMPLES = 200  # of the bootstrap
CLIP = THRESHOLD = SHRINKAGE = 10.0  # our defaults


def main(path: str) -> None:
    """Reads the logs and prints obp's values."""
    import numpy as np  # noqa: PLC0415 - only in the environment apart is it obp's
    from obp import ope  # noqa: PLC0415

    estimators = {
        "ips": ope.InverseProbabilityWeighting(),
        "snips": ope.SelfNormalizedInverseProbabilityWeighting(),
        "clipped_ips": ope.InverseProbabilityWeighting(lambda_=CLIP),
        "dm": ope.DirectMethod(),
        "dr": ope.DoublyRobust(),
        "sndr": ope.SelfNormalizedDoublyRobust(),
        "switch_dr": ope.SwitchDoublyRobust(lambda_=THRESHOLD),
        "dr_os": ope.DoublyRobustWithShrinkage(lambda_=SHRINKAGE),
    }
    with np.load(path) as arrays:
        answers = [
            {name: _answer(each, _log(arrays, number)) for name, each in estimators.items()}
            for number in range(int(arrays["logs"]))
        ]
    print(json.dumps(answers))  # noqa: T201 - what the caller reads


def _answer(estimator: Any, log: dict[str, Any]) -> list[float]:  # noqa: ANN401 - of a package that is not here
    ends = estimator.estimate_interval(**log, alpha=0.05, n_bootstrap_samples=_SAMPLES, random_state=0)
    lower, upper = ends["95.0% CI (lower)"], ends["95.0% CI (upper)"]
    return [float(each) for each in (estimator.estimate_policy_value(**log), lower, upper)]


def _log(arrays: Mapping[str, Any], number: int) -> dict[str, Any]:
    reward_N = arrays[f"reward_{number}"]
    return {
        "reward": reward_N,
        "action": arrays[f"action_{number}"],
        "pscore": arrays[f"propensity_{number}"],
        "action_dist": arrays[f"target_{number}"][:, :, None],
        "estimated_rewards_by_reg_model": arrays[f"q_hat_{number}"][:, :, None],
        "position": arrays[f"action_{number}"] * 0,
    }


if __name__ == "__main__":
    main(sys.argv[1])
