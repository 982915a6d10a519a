"""From observations to decisions: score, explore, draw."""

from collections.abc import Sequence

import numpy as np
import torch

from agent.draw import draw_slate, split
from agent.explore import Belief, probabilities, sigmoid
from agent.policy import Inputs, Policy
from envs.decision import Decision
from envs.observation import Observation
from stream.events import Impression
from stream.identity import decision_id, decision_seed


def observe(observation: Observation) -> Inputs:
    """An observation as tensors."""
    segment_N = np.repeat(np.arange(len(observation.counts_B)), observation.counts_B)
    return Inputs(
        torch.from_numpy(observation.context_BC),
        torch.from_numpy(observation.user_BU),
        torch.from_numpy(observation.candidates_ND),
        torch.from_numpy(segment_N),
    )


def believe(policy: Policy, observation: Observation) -> Belief:
    """What the policy believes of the candidates of an observation."""
    counts = observation.counts_B.tolist()
    logit_N, sd_N = policy.score(observe(observation), counts)
    return Belief(logit_N, sd_N, observation.counts_B, int(policy.rows))


def decide(
    policy: Policy,
    impressions: Sequence[Impression],
    observation: Observation,
    *,
    run_seed: int,
    version: str,
) -> list[Decision]:
    """One decision for each impression; the same policy, impressions and run seed give the same decisions.

    Args:
        policy: whose beliefs and exploration settings count.
        impressions: B impressions.
        observation: of these impressions.
        run_seed: of the run; a decision's own seed follows from it and the decision's id.
        version: `epoch.n` of the policy's weights.
    """
    if not impressions:
        return []
    explore = policy.settings.explore
    belief = believe(policy, observation)
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
