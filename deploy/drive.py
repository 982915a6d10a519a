"""Driving the algorithm: build it, step it until it ends, and say at each moment how the run stands."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agent.deciding import Ending
from agent.encoder.actors import dim_of, name_of, require_dim
from agent.history import OpenHistory
from agent.rllib.algorithm import BanditAlgorithm
from deploy.beside import apprentice_figures
from deploy.clocks import steps_of_this_process, timer_s
from deploy.cluster import start_encoders
from deploy.compose import settle
from deploy.logs import log_to_terminal
from deploy.metrics import Metrics
from deploy.record import Progress
from deploy.settings import Settings
from envs.session import OpenSession
from stream.meter import Histogram, Tally

_WINDOW_S = 5.0
_PROGRESS_S = 0.5
_MOST_PROGRESS = 4_000


def build(
    settings: Settings,
    open_session: OpenSession,
    *,
    numeric: int | None = None,
    ending: Ending | None = None,
    open_history: OpenHistory | None = None,
    encoders: list[Any] | None = None,
) -> BanditAlgorithm:
    """The algorithm, with its encoder actors, ready to step.

    Args:
        settings: all of them.
        open_session: opens a runner's share of the log.
        numeric: numeric features of a simulated world; None where the settings say.
        ending: when the runners end by themselves.
        open_history: opens the log for the driver; None where the log lives in the runners' processes.
        encoders: the encoder actors, where they were started already.
    """
    actors = start_encoders(settings.agent) if encoders is None else encoders
    dim = dim_of(actors, settings.agent.encoder) if actors else 0
    agent, layout = settle(settings.agent, dim, numeric)
    config = BanditAlgorithm.get_default_config()
    config.env_runners(num_env_runners=settings.runner.runners)
    config.streaming(
        agent=agent,
        layout=layout,
        open_session=open_session,
        timer=timer_s,
        run_seed=settings.seed,
        encoders=tuple(name_of(index) for index in range(len(actors))),
        queue_rows=settings.runner.queue_rows,
        learner_workers=settings.learner.workers,
        ending=ending or Ending(),
        open_history=open_history,
        prepare=log_to_terminal,
        steps=steps_of_this_process,
    )
    algorithm: BanditAlgorithm = config.build_algo()
    algorithm.encoder_actors = actors
    if actors:
        require_dim(actors, dim)
    return algorithm


@dataclass
class Run:
    """One run of an algorithm, and what it has shown so far.

    Attributes:
        algorithm: to step.
        metrics: takes in every count; None without an endpoint.
        rates: of the world, where it is known outside the runner's process: click rates by name.
        progress: how the run stood, about twice a second, in a long run less often.
        totals: all counts.
    """

    algorithm: BanditAlgorithm
    metrics: Metrics | None = None
    rates: Callable[[], dict[str, float | None]] | None = None
    progress: list[Progress] = field(default_factory=list)
    totals: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self._every_s = _PROGRESS_S
        self._started_s: float | None = None
        self._latest: Progress | None = None
        self._recent: deque[tuple[float, float, Histogram, float]] = deque()

    @property
    def ended(self) -> bool:
        """Whether all runners have ended and all that they resolved is learned."""
        return self.algorithm.finished

    def step(self) -> Progress:
        """One training step; returns how the run stands. The time runs from the first decision."""
        self.algorithm.train()
        tally = Tally()
        for index, counted in self.algorithm.take_tallies().items():
            tally.merge(counted)
            if self.metrics is not None:
                self.metrics.absorb(counted, source=str(index))
        self.totals.merge(tally)
        now_s = timer_s()
        if self._started_s is None and (self.totals.total("decisions") or self.totals.total("apprentice_decisions")):
            self._started_s = now_s
        progress = self._stand(tally, now_s)
        if self.metrics is not None:
            self.metrics.policy(self.algorithm.runners.version)
        self._latest = progress
        if not self.progress or progress.t_s - self.progress[-1].t_s >= self._every_s:
            self.progress.append(progress)
        if len(self.progress) > _MOST_PROGRESS:  # a run of a year keeps as many as one of an hour
            del self.progress[1::2]
            self._every_s *= 2
        return progress

    def absorb(self, tally: Tally) -> None:
        """Takes in what the driver itself counted."""
        self.totals.merge(tally)
        if self.metrics is not None:
            self.metrics.absorb(tally)

    def finish(self) -> None:
        """Keeps how the run stood in the end; steps after that are not expected."""
        if self._latest is not None and self._latest is not self.progress[-1]:
            self.progress.append(self._latest)

    def _stand(self, tally: Tally, now_s: float) -> Progress:
        decided = tally.total("decisions")
        latency = tally.histograms.get("decision_latency_ms", Histogram())
        self._recent.append((now_s, decided, latency, tally.total("exploration")))
        while len(self._recent) > 1 and now_s - self._recent[0][0] > _WINDOW_S:
            self._recent.popleft()
        window = Tally()
        for _, _, histogram, _ in self._recent:
            window.merge(Tally(histograms={"latency": histogram}))
        recent = sum(count for _, count, _, _ in self._recent)
        span_s = max(now_s - self._recent[0][0], 1e-3)
        latencies = window.histograms["latency"]
        return Progress(
            t_s=now_s - (self._started_s or now_s),
            decisions=int(self.totals.total("decisions")),
            **self._rates(),
            decisions_per_s=(recent - self._recent[0][1]) / span_s if len(self._recent) > 1 else 0.0,
            latency_p50_ms=latencies.quantile(0.5) if recent else None,
            latency_p99_ms=latencies.quantile(0.99) if recent else None,
            policy_version=int(self.algorithm.runners.version.split(".")[1]),
            loss=self.algorithm.learner_metrics["loss"] or None,  # 0 before anything was fitted
            exploration=sum(share for _, _, _, share in self._recent) / recent if recent else None,
        )

    def _rates(self) -> dict[str, Any]:
        """The world's own rates where there are any, else what the feedback tells: rewards, and their IPS estimate."""
        if self.rates is not None:
            return self.rates()
        told = [world["rates"] for world in self.algorithm.runners.worlds.values() if "rates" in world]
        if told:
            return dict(told[0])
        rewarded, weight = self.totals.total("rewarded"), self.totals.total("uniform_weight")
        return {
            "click_rate": self.totals.total("reward") / rewarded if rewarded else None,
            "click_rate_uniform": self.totals.total("uniform_reward") / weight if weight else None,
        }


def summary_of_run(run: Run) -> dict[str, Any]:
    """The figures that a run's counts hold; those of the world are the report's."""
    totals = run.totals
    latency = totals.histograms.get("decision_latency_ms", Histogram())
    decisions = int(totals.total("decisions"))
    elapsed_s = run.progress[-1].t_s if run.progress else 0.0
    return {
        "decisions": decisions,
        "decisions_per_second": decisions / elapsed_s if elapsed_s else None,
        "latency_p50_ms": latency.quantile(0.5),
        "latency_p99_ms": latency.quantile(0.99),
        "outcome_staleness_p50_ms": _quantile(totals, "outcome_staleness_ms", 0.5),
        "outcome_staleness_p99_ms": _quantile(totals, "outcome_staleness_ms", 0.99),
        "click_staleness_p50_ms": _quantile(totals, "click_staleness_ms", 0.5),
        "click_staleness_p99_ms": _quantile(totals, "click_staleness_ms", 0.99),
        "policy_versions": int(run.algorithm.runners.version.split(".")[1]),
        "outcomes": int(totals.total("outcomes")),
        "dead_letters": int(totals.total("dead_letters")),
        "learner_updates": int(totals.total("learner_updates")),
        "learner_rows": int(totals.total("learner_rows")),
        "outcomes_refused": int(totals.total("outcomes_refused")),
        "outcomes_fetched": int(totals.total("outcomes_fetched")),
        "runner_restarts": int(totals.total("runner_restarts")),
        "checkpoints": int(totals.total("checkpoints")),
        "exploration_share": totals.total("exploration") / decisions if decisions else None,
        "clicks": {label: int(count) for (name, label), count in totals.counters.items() if name == "clicks"},
        "impressions": {label: int(n) for (name, label), n in totals.counters.items() if name == "impressions"},
        "run_seconds": round(elapsed_s, 2),
        "apprentice": apprentice_figures(totals),
    }


def _quantile(totals: Tally, name: str, q: float) -> float | None:
    found = totals.histograms.get(name)
    return None if found is None else found.quantile(q)
