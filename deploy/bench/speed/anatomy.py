"""Where the time of one decision goes, and that of one learned row: the deciding loop over real Kafka, sampled.

The loop of a runner and the learner take turns in one thread of this process, as in the deterministic schedule, so that
neither waits for the other. Time is the processor's, of this process with the threads of its Kafka clients; broker and
driver are not in it. Texts are known, candidates 20, batches those of the default.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from agent.deciding import DecidingLoop
from agent.encoder.local import local_encoder
from agent.learning import Learning
from agent.policy import Policy
from agent.rllib.open_feed import OpenFeed, open_feed
from agent.threads import one_thread
from agent.user_snapshots import UserStores
from deploy.bench.speed.anatomy_picture import draw
from deploy.bench.speed.figure import Figure
from deploy.bench.speed.sampling import Place, Sampler
from deploy.bench.speed.sides import Wire, wire
from deploy.bench.speed.traffic import Traffic, TrafficSettings
from deploy.bench.speed.transport import settings_for
from deploy.broker.broker import start_broker
from deploy.clocks import wall_clock_ms
from deploy.compose import KafkaSession, settle
from deploy.settings import Settings
from envs.features import Featurizer
from envs.rows import Rows
from envs.session import Share
from stream.meter import Tally

PICTURE = Path("runs/bench/anatomy.png")
_WARM = 6_000
DECIDING: Mapping[Place, str] = {
    ("stream/kafka/log.py", "poll"): "read from Kafka",
    ("envs/core.py", "poll"): "decode, check, join",
    ("envs/core.py", "observe"): "features and texts",
    ("agent/policy.py", "believe"): "believe",
    ("agent/decide.py", "decide"): "explore and draw",
    ("envs/core.py", "_recommended"): "record the decision",
    ("envs/core.py", "_close"): "close windows",
    ("envs/core.py", "_told"): "encode",
    ("envs/core.py", "land"): "publish and commit",
    ("envs/core.py", "_landed"): "settle users, count",
    ("agent/resolved.py", "resolve"): "rows for the learner",
    ("agent/open_book.py", "note"): "open decisions",
    ("agent/open_book.py", "look"): "open decisions",
    ("agent/monitor.py", "count_weights"): "watch propensities",
    ("agent/deciding.py", "step"): "the rest of a step",
}
LEARNING: Mapping[Place, str] = {
    ("agent/expert.py", "learn"): "expert",
    ("agent/levels.py", "commit"): "expert",
    ("agent/last_layer.py", "learn"): "last layer",
    ("agent/stack.py", "learn"): "stack",
    ("agent/user_effects.py", "learn"): "users",
    ("agent/policy.py", "read"): "projections",
    ("agent/policy.py", "steps"): "network's steps",
    ("agent/slate_effects.py", "learn"): "slates",
    ("agent/policy.py", "learn"): "predictions",
    ("agent/kept.py", "append"): "keep the rows",
    ("agent/learning.py", "learn"): "the rest of an update",
}


class Anatomy(NamedTuple):
    """Microseconds by stage of one decision, and of one learned row."""

    decision_us: dict[str, float]
    row_us: dict[str, float]


def measure(quick: bool, say: Callable[[str], None]) -> list[Figure]:
    """The whole of a decision and of a row, in microseconds; the stages are said, and drawn as a picture."""
    with start_broker() as broker:
        found = anatomy(settings_for(broker.bootstrap), 4_000 if quick else 20_000)
    for name, stages in zip(("decision", "row"), found, strict=True):
        say(f"{name}: " + ", ".join(f"{stage} {us:.0f}" for stage, us in stages.items()) + " µs")
    draw(found.decision_us, found.row_us, PICTURE)
    say(f"The picture is {PICTURE}")
    decision, row = (sum(stages.values()) for stages in found)
    return [Figure("anatomy-decision-beside-row", decision, row, "µs", decision / row)]


@one_thread()
def anatomy(settings: Settings, decisions: int) -> Anatomy:
    """Decides and learns in turns; returns the time of each stage, the longest first."""
    sampler = Sampler({**DECIDING, **LEARNING})
    with wire(settings, "anatomy", transactional=True) as (mine, one), closing(_Loop(mine)) as loop:
        traffic = Traffic(TrafficSettings(), wall_clock_ms())
        loop.work_off(one, traffic, _WARM)
        one.feed.preload(traffic.burst(decisions))
        with sampler.sampling():
            rows = loop.decide(decisions)
    seconds = sampler.seconds()
    return Anatomy(_share(seconds, DECIDING, decisions), _share(seconds, LEARNING, rows))


def _share(seconds: Mapping[str, float], stages: Mapping[Place, str], count: int) -> dict[str, float]:
    """Microseconds for each of so many, the longest first."""
    mine = {stage: seconds[stage] for stage in stages.values() if stage in seconds}
    return {stage: 1e6 * mine[stage] / max(count, 1) for stage in sorted(mine, key=lambda each: -mine[each])}


class _Loop:
    """A runner's loop and a learner in one thread."""

    def __init__(self, settings: Settings) -> None:
        encoder = local_encoder(settings.agent.encoder)
        agent, layout = settle(settings.agent, encoder.dim)
        self._update_rows = agent.update_rows
        policy = Policy(agent, layout)
        self._learning = Learning(policy)
        featurizer = Featurizer(agent.features, encoder)
        featurizer.fix(layout)
        stores = UserStores(agent.interests)
        self._session = KafkaSession(settings)(Share(0, 1, featurizer, stores, Tally()))
        self._feed: OpenFeed | None = open_feed(self._session, agent.delay, seed=0)
        book = self._feed.book if self._feed is not None else None
        self._loop = DecidingLoop(self._session, policy, run_seed=0, book=book)
        self._waiting: list[Rows] = []
        self._looks = 0

    def work_off(self, one: Wire, traffic: Traffic, decisions: int) -> int:
        """Decides a burst, and learns what closes; returns how many rows were learned."""
        one.feed.preload(traffic.burst(decisions))
        return self.decide(decisions)

    def decide(self, decisions: int) -> int:
        """Decides so many impressions, which wait, and learns what closes; returns how many rows were learned."""
        decided = rows = 0
        while decided < decisions:
            resolved = self._loop.step()
            self._look()
            self._loop.take_spans()
            self._loop.take_clicks()
            meter = self._session.core.parts.meter
            decided += int(meter.take().total("decisions")) if isinstance(meter, Tally) else 0
            if resolved is not None:
                self._waiting.append(resolved.rows)
            if sum(map(len, self._waiting)) >= self._update_rows:
                batch, self._waiting = Rows.concatenate(self._waiting), []
                self._learning.learn(batch)
                rows += len(batch)
        return rows

    def _look(self) -> None:
        """Looks at open decisions as often as a driver would ask for it."""
        if self._feed is not None:
            self._feed.ask(self._looks)
            look = self._feed.look()
            if look is not None:
                self._looks = look.number
                self._feed.taken()

    def close(self) -> None:
        """Closes the log."""
        self._session.close()
