"""From outcomes to arrays: the first slot of each decision, with the propensity that its recommendation holds."""

from collections.abc import Sequence

import numpy as np

from deploy.errors import EvaluateError
from deploy.evaluating.log import Doubles, LoggedDecisions
from stream.events import Candidate, Context, Outcome


def log_of_outcomes(name: str, outcomes: Sequence[Outcome], notes: Sequence[str] = ()) -> LoggedDecisions:
    """The arrays of outcomes, in their order.

    Args:
        name: what was read, for a person.
        outcomes: closed decisions. Of several slots the first is judged, as though shown alone.
        notes: what is known of the reading already.

    Raises:
        EvaluateError: there are none, a shown item is no candidate, or numeric features differ in length.
    """
    if not outcomes:
        raise EvaluateError(f"log must hold at least one outcome; got none from {name}")
    kept = list(outcomes)
    candidates = [candidate for each in kept for candidate in each.impression.candidates]
    number_of: dict[str, int] = {}
    items = [number_of.setdefault(candidate.item_id, len(number_of)) for candidate in candidates]
    users: dict[str, int] = {}
    propensities = [each.recommendation.slate[0].propensity for each in kept]
    return LoggedDecisions(
        name=name,
        reward_N=np.array([each.rewards[0] for each in kept], dtype=np.float64),
        action_N=np.array([_action(each) for each in kept], dtype=np.int64),
        propensity_N=np.array([np.nan if p is None else p for p in propensities], dtype=np.float64),
        counts_N=np.array([len(each.impression.candidates) for each in kept], dtype=np.int64),
        logging_M=np.concatenate([_probabilities(each) for each in kept]),
        item_M=np.array(items, dtype=np.int64),
        context_NC=_features("contexts", [each.impression.context for each in kept]),
        candidate_MD=_features("candidates", candidates),
        group_N=np.array([users.setdefault(each.impression.user_id, len(users)) for each in kept], dtype=np.int64),
        outcomes=lambda: kept,
        notes=(*notes, *_of_slates(kept)),
    )


def _of_slates(outcomes: Sequence[Outcome]) -> list[str]:
    several = sum(len(each.recommendation.slate) > 1 for each in outcomes)
    if not several:
        return []
    return [f"{several:,} of {len(outcomes):,} decisions show several slots: the first slot alone is judged"]


def _action(outcome: Outcome) -> int:
    shown = outcome.recommendation.slate[0].item_id
    for index, candidate in enumerate(outcome.impression.candidates):
        if candidate.item_id == shown:
            return index
    raise EvaluateError(
        f"outcome slate item must be a candidate of its impression {outcome.impression.impression_id!r}; got {shown!r}"
    )


def _probabilities(outcome: Outcome) -> Doubles:
    found, count = outcome.recommendation.probabilities, len(outcome.impression.candidates)
    if found is None or len(found) != count:
        return np.full(count, np.nan)
    return np.array(found, dtype=np.float64)


def _features(name: str, parts: Sequence[Context | Candidate]) -> Doubles:
    """Numeric features, one row each; zeros where there are none."""
    lengths = {len(part.features) for part in parts if part.features}
    if len(lengths) > 1:
        raise EvaluateError(f"features of the log's {name} must have one length; got {sorted(lengths)}")
    rows = np.zeros((len(parts), lengths.pop() if lengths else 0))
    for row, part in enumerate(parts):
        if part.features:
            rows[row] = part.features
    return rows
