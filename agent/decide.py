"""From beliefs to decisions: explore, draw."""

from collections.abc import Sequence

from agent.draw import draw_slate, split
from agent.explore import Belief, probabilities, sigmoid
from agent.settings import ExploreSettings
from envs.decision import Decision
from stream.events import Impression
from stream.identity import decision_id, decision_seed


def decide(
    impressions: Sequence[Impression],
    belief: Belief,
    explore: ExploreSettings,
    *,
    run_seed: int,
    version: str,
) -> list[Decision]:
    """One decision for each impression; the same impressions, belief and run seed give the same decisions.

    Args:
        impressions: B impressions.
        belief: what the policy believes of their candidates.
        explore: how beliefs become probabilities.
        run_seed: of the run; a decision's own seed follows from it and the decision's id.
        version: `epoch.n` of the policy's weights.
    """
    shares_B = split(probabilities(explore, belief), belief.counts_B)
    scores_B = split(sigmoid(belief.logit_N), belief.counts_B)
    decisions = []
    greedy_B = belief.greedy_B - belief.starts_B
    for impression, shares_K, scores_K, greedy in zip(impressions, shares_B, scores_B, greedy_B, strict=True):
        seed = decision_seed(run_seed, decision_id(impression.user_id, impression.impression_id))
        slate, propensities = draw_slate(shares_K, impression.slots, seed)
        decisions.append(
            Decision(
                slate=tuple(slate),
                propensities=tuple(propensities),
                scores=tuple(float(scores_K[index]) for index in slate),
                probabilities=tuple(shares_K.tolist()),
                greedy_probability=float(shares_K[greedy]),
                strategy=explore.strategy,
                policy_version=version,
                seed=seed,
            )
        )
    return decisions
