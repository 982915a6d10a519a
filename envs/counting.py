"""What is counted of a unit of work once it is committed, and how full the owned partitions are."""

from collections.abc import Collection, Sequence

from envs.decision import LOGGED, Decision
from envs.exploring import count_lost
from envs.partition import Partition
from stream.events import Outcome
from stream.meter import Meter


def count_committed(meter: Meter, decisions: Sequence[Decision], outcomes: Sequence[Outcome]) -> None:
    """Counts decisions, outcomes and what these earned, beside what a uniform choice would have earned by IPS."""
    meter.count("decisions", len(decisions))
    meter.count("exploration", sum(1.0 - d.greedy_probability for d in decisions if d.greedy_probability))
    meter.count("outcomes", len(outcomes))
    count_lost(outcomes, meter)
    for outcome in outcomes:
        propensity = outcome.recommendation.slate[0].propensity
        if propensity is not None and outcome.recommendation.strategy != LOGGED:
            weight = 1.0 / (len(outcome.impression.candidates) * propensity)
            meter.count("reward", outcome.rewards[0])
            meter.count("rewarded", 1)
            meter.count("uniform_weight", weight)
            meter.count("uniform_reward", weight * outcome.rewards[0])


def tell_levels(meter: Meter, partitions: Collection[Partition]) -> None:
    """Tells how many users are known, and what is open, over all partitions."""
    meter.level("users_known", sum(len(partition.users) for partition in partitions))
    meter.level("open_decisions", sum(len(partition.join) for partition in partitions))
    meter.level("open_bytes", sum(partition.join.open_bytes for partition in partitions))
    meter.level("early_clicks", sum(partition.join.early for partition in partitions))
