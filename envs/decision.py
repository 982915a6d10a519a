"""A decision as the core takes it: indices into the candidates, with their probabilities."""

import msgspec

from stream.events import Exploring, Impression, Knew, Recommendation, Slot
from stream.identity import decision_id

LOGGED = "logged"  # the strategy of what another policy decided


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What a policy chose for one impression.

    Attributes:
        slate: indices of the shown candidates, first slot first.
        propensities: of each slot, given the slots above; None where unknown.
        scores: the policy's score of each shown candidate; None where it has none.
        probabilities: of every candidate for the first slot, summing to 1; None where unknown.
        greedy_probability: probability of the candidate that the policy holds best; None where unknown.
        strategy: name of the explorer.
        policy_version: `epoch.n` of the weights that decided.
        seed: the seed that the slate was drawn with.
        slot_probabilities: of every candidate for each slot after the first, given the slots above; None where they are
            in proportion to `probabilities` among what is left.
        exploring: how far it explored; None where unknown.
    """

    slate: tuple[int, ...]
    propensities: tuple[float | None, ...]
    scores: tuple[float | None, ...]
    probabilities: tuple[float, ...] | None
    greedy_probability: float | None
    strategy: str
    policy_version: str
    seed: int
    slot_probabilities: tuple[tuple[float, ...], ...] | None = None
    exploring: Exploring | None = None


def recommendation(
    impression: Impression,
    decision: Decision,
    *,
    knew: Knew | None,
    encoder_version: str,
    max_probabilities: int,
) -> Recommendation:
    """The event that records a decision. Above `max_probabilities` candidates all their probabilities are left out."""
    product: float | None = 1.0
    for propensity in decision.propensities:
        product = None if product is None or propensity is None else product * propensity
    candidates = impression.candidates
    tells = len(candidates) <= max_probabilities
    return Recommendation(
        decision_id=decision_id(impression.user_id, impression.impression_id),
        impression_id=impression.impression_id,
        user_id=impression.user_id,
        ts_ms=impression.ts_ms,
        slate=tuple(
            [
                Slot(item_id=candidates[index].item_id, propensity=propensity, score=score)
                for index, propensity, score in zip(decision.slate, decision.propensities, decision.scores, strict=True)
            ]
        ),
        slate_propensity=product or None,  # of a hundred slots and more it can be too small for a number
        probabilities=decision.probabilities if tells else None,
        slot_probabilities=decision.slot_probabilities if tells else None,
        knew=knew,
        strategy=decision.strategy,
        policy_version=decision.policy_version,
        encoder_version=encoder_version,
        seed=decision.seed,
        exploring=decision.exploring,
    )


def logged_recommendation(impression: Impression, user: str) -> Recommendation:
    """The decision that another policy took, as the impression logs it: of strategy `logged`, never published.

    Args:
        impression: one that carries `logged`.
        user: the key by which its user goes inside, from which the decision's id follows.
    """
    logged = impression.logged
    if logged is None:
        raise ValueError(f"impression {impression.impression_id!r} must carry `logged`; got None")
    propensities = logged.propensities or (None,) * len(logged.item_ids)
    return Recommendation(
        decision_id=decision_id(user, impression.impression_id),
        impression_id=impression.impression_id,
        user_id=impression.user_id,
        ts_ms=impression.ts_ms,
        slate=tuple(Slot(item_id=i, propensity=p) for i, p in zip(logged.item_ids, propensities, strict=True)),
        strategy=LOGGED,
        policy_version=logged.policy,
    )
