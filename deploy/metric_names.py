"""What each metric of the loop is called at the endpoint, what it means, and how runners' values go together."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from agent.evaluation.running import RunningSums
from agent.monitor import TARGETS
from stream.join import Arrival, ClickFate
from stream.log import INPUT_TOPICS


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter at the endpoint; the ending `_total` is added there.

    Attributes:
        name: without the prefix of the project.
        about: its HELP text.
        label: name of its one label; "" without.
        values: label values that exist from the start, at 0.
    """

    name: str
    about: str
    label: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gauge:
    """A gauge at the endpoint; several runners' values are added up, or the largest counts."""

    name: str
    about: str
    over_runners: Literal["sum", "max"] = "sum"

    def together(self, values: Iterable[float]) -> float:
        """One value of several runners'."""
        return sum(values) if self.over_runners == "sum" else max(values)


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram at the endpoint, in seconds."""

    name: str
    about: str


COUNTERS = {
    "decisions": Counter("decisions", "Decisions published."),
    "impressions": Counter(
        "impressions", "Impressions read, by what became of them.", "fate", (*get_args(Arrival), "logged", "too_old")
    ),
    "clicks": Counter("clicks", "Clicks read, by what became of them.", "fate", get_args(ClickFate)),
    "dead_letters": Counter(
        "dead_letters", "Records that could not be used, by the topic they came from.", "topic", INPUT_TOPICS
    ),
    "outcomes": Counter("outcomes", "Decisions that closed, with their rewards."),
    "outcomes_refused": Counter("outcomes_refused", "Outcomes that had been learned from already."),
    "outcomes_fetched": Counter("outcomes_fetched", "Outcomes read from the log because no runner handed them over."),
    "outcomes_missed": Counter(
        "outcomes_missed",
        "Outcomes in the log that are not learned, by the reason; offsets where they are not read at all.",
        "reason",
        ("bound", "expired", "unreadable", "unfit"),
    ),
    "unreadable_decisions": Counter(
        "unreadable_decisions", "Decisions without an outcome: what the log holds of them cannot be read."
    ),
    "restore_skipped": Counter(
        "restore_skipped",
        "Records of our own topics that a restore could not read, by what they were read for.",
        "part",
        ("open_decisions", "users"),
    ),
    "forced_closes": Counter("forced_closes", "Decisions that closed before their time, because memory was short."),
    "exploration": Counter("exploration", "Sum over decisions of the probability of not showing the greedy candidate."),
    "exploring_cost": Counter(
        "exploration_cost", "Reward that exploring was expected to cost closed decisions, by the policy that took them."
    ),
    "lost_reward": Counter(
        "exploration_lost_reward",
        "Reward that exploring cost closed decisions, by the doubly robust estimate: lost, less what it won by luck.",
        "sign",
        ("lost", "won"),
    ),
    "lost_reward_variance": Counter("exploration_lost_reward_variance", "Variance of that difference."),
    "reward": Counter(
        "reward", "Sum of the rewards of the policy's closed decisions with a known propensity, first slot."
    ),
    "rewarded": Counter("rewarded", "Closed decisions of the policy with a known propensity."),
    "uniform_reward": Counter(
        "uniform_reward", "Sum of their rewards, weighted as if a uniform choice had been shown."
    ),
    "uniform_weight": Counter("uniform_weight", "Sum of these weights."),
    "propensity_decisions": Counter(
        "propensity_decisions", "Decisions whose choice was held against its logged probabilities."
    ),
    "propensity_weight": Counter(
        "propensity_weight",
        "Sum of their importance weights, each in [0, 2], by target policy; its mean is 1 where propensities are true.",
        "target",
        TARGETS,
    ),
    "propensity_deviation": Counter(
        "propensity_deviation", "Sum of the squared deviations of these weights from 1.", "target", TARGETS
    ),
    "propensity_alarms": Counter("propensity_alarms", "Days on which choices disagreed with their propensities."),
    "apprentice_decisions": Counter("apprentice_decisions", "Decisions of an incumbent that closed and were judged."),
    "apprentice_agreement": Counter(
        "apprentice_agreement", "Sum of the probabilities with which the policy would have shown the same first."
    ),
    "apprentice_same": Counter("apprentice_same", "Decisions of the incumbent that were the policy's favourite."),
    "apprentice_reward": Counter("apprentice_reward", "Sum of the rewards of the judged decisions, first slot."),
    "apprentice_sum": Counter(
        "apprentice_sum",
        "Sums over judged decisions with a logged propensity, from which the values are estimated.",
        "of",
        tuple(RunningSums().by_name()),
    ),
    "apprentice_passed": Counter(
        "apprentice_passed", "Decisions of the incumbent that were not judged: too many at once, or not to be read."
    ),
    "rows_skipped": Counter("rows_skipped", "Training rows that are not finite, and taught nothing."),
    "gradients_clipped": Counter("gradients_clipped", "Steps of the network whose gradient was shortened."),
    "changes_detected": Counter("changes_detected", "Times the learner noticed that readers had changed."),
    "encoder_texts": Counter("encoder_texts", "Texts asked of the encoder, by cache.", "cache", ("hit", "miss")),
    "features_misfit": Counter(
        "features_misfit",
        "Clicks whose item does not fit the features: the settings had another layout when it was shown.",
    ),
    "open_clicks_past": Counter(
        "open_clicks_past", "Clicks of users with too many at once: not read of them until their decisions close."
    ),
    "encoder_texts_forgotten": Counter("encoder_texts_forgotten", "Embeddings dropped because the cache was full."),
    "users_evicted": Counter("users_evicted", "Users forgotten because more than the bound came."),
    "learner_updates": Counter("learner_updates", "Updates of the learner."),
    "learner_rows": Counter("learner_rows", "Training rows that the learner took in."),
    "learner_shares": Counter(
        "learner_shares", "Shares of rows, by who added them up: learner for a worker.", "by", ("worker", "learner")
    ),
    "weights_handed_out": Counter(
        "weights_handed_out",
        "Times a runner was sent the learner's weights: whole, or what was written since those that it had.",
        "form",
        ("since", "whole"),
    ),
    "weights_bytes": Counter(
        "weights_bytes",
        "Bytes of these weights; those that go to several runners count once.",
        "form",
        ("since", "whole"),
    ),
    "rows_evicted": Counter(
        "rows_evicted",
        "Items, users and contexts that the policy forgot because more than the bound came, by table.",
        "table",
        ("expert.items", "recent.items", "users", "levels"),
    ),
    "log_errors": Counter("log_errors", "Failed polls and commits, by the kind of error.", "error"),
    "actions_replaced": Counter("actions_replaced", "Actions of the Gymnasium form that named a padded candidate."),
    "runner_restarts": Counter("runner_restarts", "Runners that died and came back."),
    "checkpoints": Counter("checkpoints", "Checkpoints written."),
    "checkpoint_errors": Counter("checkpoint_errors", "Checkpoints that could not be written."),
    "queue_full": Counter("queue_full", "Times a runner waited because its queue to the learner was full."),
}
GAUGES = {
    "consumer_lag": Gauge("consumer_lag_records", "Records that wait unread in the input topics."),
    "start_seconds": Gauge("start_seconds", "From the start of the process to its first decision.", "max"),
    "open_decisions": Gauge("open_decisions", "Decisions whose attribution window has not passed."),
    "open_bytes": Gauge("open_decisions_bytes", "Memory of the open decisions and their clicks."),
    "early_clicks": Gauge("early_clicks", "Clicks that wait for their impression."),
    "encoder_texts_known": Gauge("encoder_texts_known", "Embeddings in the runners' caches."),
    "network_weight": Gauge("network_weight", "Weight of the network's logit beside the expert's.", "max"),
    "learner_rows_kept": Gauge("learner_rows_kept", "Rows that the learner keeps for a refresh.", "max"),
    "open_rows_read": Gauge("open_rows_read", "Rows of open decisions that the deciding weights have in them.", "max"),
    "users_known": Gauge("users_known", "Users that something is settled of."),
    "queue_rows": Gauge("queue_rows", "Rows that wait in the runners for the learner."),
    "learner_rows_waiting": Gauge("learner_rows_waiting", "Rows that wait in the learner."),
    "checkpoint_age_seconds": Gauge("checkpoint_age_seconds", "Time since the newest checkpoint was gathered.", "max"),
    "learner_loss": Gauge("learner_loss", "Loss of the last update.", "max"),
    "calibration_error": Gauge(
        "calibration_error", "Mean distance of predicted probabilities from what came, over bins of them.", "max"
    ),
    "calibration_ratio": Gauge(
        "calibration_ratio", "Rewards that came for each that was predicted, over the last rows.", "max"
    ),
    "normalised_entropy": Gauge(
        "normalised_entropy", "Log loss over that of always predicting the mean reward, over the last rows.", "max"
    ),
    "exploration_level": Gauge(
        "exploration_level", "Share of decisions that explore what could be, for a usual user.", "max"
    ),
    "exploration_trust": Gauge(
        "exploration_trust", "Reward that exploring costs for each that the policy expects it to cost.", "max"
    ),
    "exploration_cost_share": Gauge(
        "exploration_cost_share",
        "Share of rewards that exploring costs, by the doubly robust estimate over the last rows.",
        "max",
    ),
    "exploration_cost_share_low": Gauge("exploration_cost_share_low", "Lower 95 % bound of that share.", "max"),
    "exploration_cost_share_high": Gauge("exploration_cost_share_high", "Upper 95 % bound of that share.", "max"),
    "exploration_cost_day": Gauge(
        "exploration_cost_day", "Reward that exploring cost in the last 24 hours, by the doubly robust estimate.", "max"
    ),
    "exploration_cost_day_low": Gauge("exploration_cost_day_low", "Lower 95 % bound of that cost.", "max"),
    "exploration_cost_day_high": Gauge("exploration_cost_day_high", "Upper 95 % bound of that cost.", "max"),
    "propensity_alarm": Gauge(
        "propensity_alarm", "1 where choices disagreed with their propensities within the day, else 0.", "max"
    ),
    "policy_version": Gauge("policy_version", "Number n of the deciding policy's version epoch.n.", "max"),
    "policy_epoch": Gauge("policy_epoch", "Epoch of the deciding policy's version epoch.n.", "max"),
    "policy_staleness_seconds": Gauge(
        "policy_staleness_seconds", "How long the deciding weights have been in use; the oldest of all runners.", "max"
    ),
}
DISTRIBUTIONS = {
    "decision_latency_ms": Distribution(
        "decision_latency_seconds", "From reading an impression to its published recommendation."
    ),
    "outcome_staleness_ms": Distribution(
        "outcome_staleness_seconds", "From the close of an outcome to deciding by weights that learned it."
    ),
    "click_staleness_ms": Distribution(
        "click_staleness_seconds", "From joining a click to an open decision to deciding by weights that hold it."
    ),
    "learner_update_ms": Distribution("learner_update_seconds", "Duration of an update of the learner."),
    "learner_provide_ms": Distribution("learner_provide_seconds", "Taking open decisions into the weights."),
    "learner_hand_out_ms": Distribution("learner_hand_out_seconds", "Putting weights together and sending them out."),
    "checkpoint_gather_ms": Distribution("checkpoint_gather_seconds", "How long a checkpoint holds the learner up."),
    "checkpoint_write_ms": Distribution("checkpoint_write_seconds", "Writing a checkpoint, beside everything else."),
}
# name: what it is, the counter above, the counter below
RATIOS = {
    "click_rate": ("Reward per decision of the policy, over the whole run.", "reward", "rewarded"),
    "click_rate_uniform": (
        "Estimated reward per decision of a uniform choice (self-normalised inverse propensity), over the whole run.",
        "uniform_reward",
        "uniform_weight",
    ),
    "exploration_share": ("Mean probability of not showing the greedy candidate.", "exploration", "decisions"),
    "apprentice_agreement_mean": (
        "Mean probability with which the policy would have shown what an incumbent did, over the whole run.",
        "apprentice_agreement",
        "apprentice_decisions",
    ),
    "apprentice_same_share": (
        "Share of the incumbent's decisions that were the policy's favourite.",
        "apprentice_same",
        "apprentice_decisions",
    ),
}
# name: what it is, of each target policy
WEIGHTS = {
    "propensity_mean_weight": "Mean importance weight of a target policy since the day began; 1 is expected.",
    "propensity_weight_low": "Lower bound of that mean, at all times of a day together.",
    "propensity_weight_high": "Upper bound of that mean, at all times of a day together.",
}
# name: what it is, of each estimate: incumbent, snips, dr, gain
BESIDE = {
    "apprentice_value": "Reward per decision of an incumbent, of the policy in its place by estimator, and the gain.",
    "apprentice_value_low": "Lower end of the 95 % interval of that.",
    "apprentice_value_high": "Upper end of the 95 % interval of that.",
}
