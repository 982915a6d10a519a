"""One endpoint for the whole loop. The only file that imports prometheus_client.

Runners count in their own processes (`stream.meter.Tally`); the driver absorbs what they hand over, and the endpoint
shows the sums. Histograms come as counts per bucket, so they are shown by a collector, not observed again.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from itertools import accumulate
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from agent.apprentice import standing
from agent.exploring_cost import ExploringCost
from agent.monitor import TARGETS, PropensityMonitor
from deploy.clocks import timer_s
from deploy.errors import MetricsError
from deploy.metric_names import BESIDE, COUNTERS, DISTRIBUTIONS, GAUGES, RATIOS, WEIGHTS, Counter, Distribution, Gauge
from stream.meter import LATENCY_BUCKETS_MS, Histogram, Tally

_PREFIX = "streambandit_"
_NOT_NAMED = "Counted by the loop; see its code."
_log = logging.getLogger("streambandit.metrics")


class Metrics(Collector):
    """The sums of all runners and of the driver; can be absorbed into and scraped from different threads.

    Args:
        registry: where the endpoint looks; one of its own without.
        timer: seconds from an arbitrary start; tells when the propensities' monitor begins a new day.

    >>> metrics = Metrics()
    >>> metrics.absorb(Tally(counters={("decisions", ""): 3.0}), source="runner-0")
    >>> metrics.registry.get_sample_value("streambandit_decisions_total")
    3.0
    """

    def __init__(self, registry: CollectorRegistry | None = None, timer: Callable[[], float] = timer_s) -> None:
        self.registry = registry or CollectorRegistry()
        self._lock = threading.Lock()
        self._sums = Tally()
        self._levels: dict[str, dict[str, float]] = {}
        self._monitor, self._timer = PropensityMonitor(), timer
        self._exploring = ExploringCost()
        self._server: WSGIServer | None = None
        self.registry.register(self)

    def absorb(self, tally: Tally, source: str = "driver") -> None:
        """Adds what a process counted since its last hand-over; its levels replace its earlier ones.

        Args:
            tally: what `Tally.take` gave.
            source: which process it came from.
        """
        with self._lock:
            self._sums.merge(tally)
            self._levels.setdefault(source, {}).update(tally.levels)
            self._exploring.absorb(tally, self._timer())
            if self._monitor.absorb(tally, self._timer()):
                self._sums.count("propensity_alarms")
                _log.error("choices must follow the logged propensities; got mean weights %s", _told(self._monitor))

    def policy(self, version: str) -> None:
        """Notes the version `epoch.n` that decides now."""
        epoch, _, number = version.partition(".")
        self.absorb(Tally(levels={"policy_epoch": float(epoch), "policy_version": float(number or 0)}))

    def forget(self, source: str) -> None:
        """Drops the levels of a process that has ended; what it counted stays counted."""
        with self._lock:
            self._levels.pop(source, None)

    def serve(self, host: str, port: int) -> int:
        """Opens the endpoint `http://host:port/metrics` and returns its port; 0 takes a free one.

        Raises:
            MetricsError: the address cannot be listened on.
        """
        self.close()
        try:
            self._server, _ = start_http_server(port, addr=host, registry=self.registry)
        except OSError as error:
            raise MetricsError(
                f"metrics endpoint must be free to listen on; got {host}:{port} ({error.strerror}). "
                f"Set metrics.port, or 0 for any free port"
            ) from error
        return self._server.server_port

    def close(self) -> None:
        """Closes the endpoint if it is open."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def collect(self) -> Iterator[Metric]:
        """All metrics as they stand; called at each scrape."""
        with self._lock:
            sums = Tally()
            sums.merge(self._sums)
            levels = [dict(found) for found in self._levels.values()]
            levels.append({"propensity_alarm": float(self._monitor.alarmed)})
            day = self._exploring.day(self._timer())
            names = ("exploration_cost_day", "exploration_cost_day_low", "exploration_cost_day_high")
            levels.append(dict(zip(names, day, strict=True)))
            weights = list(_weights(self._monitor))
        yield from _counters(sums)
        yield from _ratios(sums)
        yield from _gauges(levels)
        yield from weights
        yield from _beside(sums)
        for name in sorted({*DISTRIBUTIONS, *sums.histograms}):
            shown = DISTRIBUTIONS.get(name) or Distribution(name.removesuffix("_ms") + "_seconds", _NOT_NAMED)
            yield _histogram(shown, sums.histograms.get(name, Histogram()))


def _counters(sums: Tally) -> Iterator[Metric]:
    found: dict[str, dict[str, float]] = {}
    for (name, value), amount in sums.counters.items():
        found.setdefault(name, {})[value] = amount
    for name in sorted({*COUNTERS, *found}):
        amounts = found.get(name, {})
        shown = COUNTERS.get(name) or Counter(name, _NOT_NAMED, "label" if any(amounts) else "")
        family = CounterMetricFamily(_PREFIX + shown.name, shown.about, labels=[shown.label] if shown.label else [])
        if shown.label:
            for value in dict.fromkeys((*shown.values, *amounts)):
                family.add_metric([value], amounts.get(value, 0.0))
        else:
            family.add_metric([], sum(amounts.values()))
        yield family


def _ratios(sums: Tally) -> Iterator[Metric]:
    for name, (about, above, below) in RATIOS.items():
        family = GaugeMetricFamily(_PREFIX + name, about)
        if weight := sums.total(below):
            family.add_metric([], sums.total(above) / weight)
        yield family


def _gauges(levels: list[dict[str, float]]) -> Iterator[Metric]:
    for name in sorted({*GAUGES, *(name for found in levels for name in found)}):
        shown = GAUGES.get(name) or Gauge(name, _NOT_NAMED)
        family = GaugeMetricFamily(_PREFIX + shown.name, shown.about)
        values = [found[name] for found in levels if name in found]
        if values:
            family.add_metric([], shown.together(values))
        yield family


def _weights(monitor: PropensityMonitor) -> Iterator[Metric]:
    found = {target: (sums.mean, *monitor.interval(target)) for target, sums in monitor.sums.items() if sums.count}
    for place, (name, about) in enumerate(WEIGHTS.items()):
        family = GaugeMetricFamily(_PREFIX + name, about, labels=["target"])
        for target, values in found.items():
            family.add_metric([target], values[place])
        yield family


def _beside(sums: Tally) -> Iterator[Metric]:
    found = standing(sums)
    estimates = found.estimates() if found is not None else {}
    values = {name: (each.value, each.lower, each.upper) for name, each in estimates.items()}
    for place, (name, about) in enumerate(BESIDE.items()):
        family = GaugeMetricFamily(_PREFIX + name, about, labels=["estimate"])
        for estimate, ends in values.items():
            family.add_metric([estimate], ends[place])
        yield family


def _told(monitor: PropensityMonitor) -> str:
    found = ((target, monitor.sums[target].mean, monitor.interval(target)) for target in TARGETS)
    return ", ".join(f"{target} {mean:.4f} in [{low:.4f}, {high:.4f}]" for target, mean, (low, high) in found)


def _histogram(shown: Distribution, histogram: Histogram) -> Metric:
    bounds = [str(bound / 1_000) for bound in LATENCY_BUCKETS_MS] + ["+Inf"]
    buckets = list(zip(bounds, accumulate(histogram.buckets), strict=True))
    family = HistogramMetricFamily(_PREFIX + shown.name, shown.about)
    family.add_metric([], buckets, histogram.total / 1_000)
    return family
