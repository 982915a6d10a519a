"""A core over a memory log with a policy that always shows the first candidates, and events to feed it."""

from functools import partial

from agent.settings import InterestSettings
from agent.user_snapshots import UserStores
from envs.core import Core
from envs.decision import Decision
from envs.features import FeatureSettings, Featurizer
from envs.parts import CoreSettings, Parts
from stream.codec import JsonCodec
from stream.errors import CommitFailedError, LogUnavailableError
from stream.events import Candidate, Click, Context, Impression, Outcome, Recommendation
from stream.identity import Pseudonyms
from stream.memory import MemoryLog
from stream.meter import Tally
from stream.settings import AttributionSettings

T0_MS = 1_700_000_000_000
CODEC = JsonCodec()
WINDOW = AttributionSettings(window_ms=1_000, out_of_order_ms=0)


class Clock:
    """Processing time that a test moves on."""

    def __init__(self):
        self.now_ms = T0_MS

    def __call__(self):
        return self.now_ms


class Bench:
    """A core over a memory log, driven by a policy that always shows the first candidates.

    `supply` is the world in this process, if any; see `Parts`.
    """

    pseudonyms = Pseudonyms(None)
    features = FeatureSettings(text="off", context_dim=2, candidate_dim=1)

    def __init__(self, log=None, partitions=1, supply=None, **settings):
        self.log = log or MemoryLog(partitions)
        self.supply = supply
        self.settings = CoreSettings(**{"attribution": WINDOW} | settings)
        self.start()

    def start(self):
        """A new process on the same log: nothing of the old one is left but what it committed."""
        self.log.begin().abort()
        self.clock, self.meter = Clock(), Tally()
        self.users = UserStores(InterestSettings())
        parts = Parts(
            self.log,
            Featurizer(self.features, None),
            self.users,
            self.meter,
            self.clock,
            self.supply,
            pseudonyms=self.pseudonyms,
        )
        self.core = Core(self.settings, parts)

    def step(self, max_records=100):
        impressions = self.core.poll(max_records)
        if impressions:
            self.core.observe(impressions)
        return self.core.publish([first_of(impression) for impression in impressions])

    def users_of(self, partition=0):
        """What is known of the users of a partition."""
        return self.core._partitions[partition].users

    def append(self, *events):
        for event in events:
            self.log.append(event)

    def records(self, topic, partition=0):
        return list(self.log.read(topic, partition, 0, self.log.end(topic, partition)))

    def published(self, partition=0):
        return [CODEC.decode(r.value, Recommendation, r.headers) for r in self.records("recommendations", partition)]

    def outcomes(self, partition=0):
        return [CODEC.decode(r.value, Outcome, r.headers) for r in self.records("outcomes", partition)]

    def counted(self, name):
        return {label: count for (key, label), count in self.meter.counters.items() if key == name and count}


class LateLog(MemoryLog):
    """A memory log whose units become visible only as they land; the next to land may fail to."""

    fails = False

    def send(self, unit, progress):
        self._open = None
        return partial(self.land, unit, progress)

    def land(self, unit, progress):
        if not self.fails:
            return super().send(unit, progress)()
        self.fails = False
        with self._arrived:
            self._rewind()
        raise CommitFailedError("transaction must take its events and positions; got a timeout")


class FailingLog(MemoryLog):
    """A memory log whose next unit does not land, or whose next look at the recommendations fails, as with a broker."""

    fail_commit = fail_end = False

    def send(self, unit, progress):
        if not self.fail_commit:
            return super().send(unit, progress)
        self.fail_commit, self._open = False, None
        return self.fail

    def fail(self):
        with self._arrived:
            self._rewind()
        raise CommitFailedError("transaction must take its events and positions; got a timeout")

    def end(self, topic, partition):
        if self.fail_end:
            self.fail_end = False
            raise LogUnavailableError("log must answer in time; got nothing")
        return super().end(topic, partition)


def first_of(impression):
    slots, count = impression.slots, len(impression.candidates)
    return Decision(
        slate=tuple(range(slots)),
        propensities=tuple(1.0 / (count - slot) for slot in range(slots)),
        scores=(0.5,) * slots,
        probabilities=(1.0 / count,) * count,
        greedy_probability=1.0 / count,
        strategy="first",
        policy_version="3.4",
        seed=5,
    )


def impression(name="i1", ts_ms=T0_MS, user="u1", **more):
    fields = {"context": Context(features=(0.5, -0.5)), "candidates": candidates("a", "b", "c", "d")}
    return Impression(impression_id=name, user_id=user, ts_ms=ts_ms, **fields | more)


def candidates(*items):
    return tuple(Candidate(item_id=item, features=(float(place),)) for place, item in enumerate(items))


def click(name="i1", ts_ms=T0_MS + 100, item="a", user="u1", **more):
    return Click(impression_id=name, user_id=user, item_id=item, ts_ms=ts_ms, **more)


def tick(ts_ms, user="u1"):
    """An event that does nothing but say how late it is: a click on an impression that nobody sees."""
    return click("nothing", ts_ms, user=user)
