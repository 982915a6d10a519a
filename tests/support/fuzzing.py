"""Mutated records through codec and environment, and the accounts that must balance whatever came in.

Every record ends once: decided, logged, late, repeated, too old, a click with a fate, or a dead letter with a reason.
"""

import re
from collections import Counter, deque
from itertools import pairwise
from random import Random
from time import perf_counter

from stream.codec import SCHEMA_HEADER, read_dead_letter
from stream.events import Logged
from stream.memory import MemoryLog
from stream.settings import AttributionSettings
from support.core_bench import CODEC, T0_MS, Bench, click, impression
from support.mutations import Raw, mutated

PARTITIONS = 2
BATCH = 1_000
STEP = 50
VERSION = ((SCHEMA_HEADER, b"1"),)
WINDOW = AttributionSettings(
    window_ms=5_000, out_of_order_ms=500, max_skew_ms=2_000, max_open_bytes=40_000, max_early_bytes=8_000, max_clicks=2
)


class ViolationError(Exception):
    """An account that does not balance; `records` are what came in, the last of them (if known) the cause."""

    def __init__(self, what, records):
        super().__init__(what)
        self.records = records


class SeenLog(MemoryLog):
    """A memory log that remembers what was polled; its time goes with the events of the batch."""

    def __init__(self):
        self.now_ms = T0_MS
        super().__init__(PARTITIONS, clock=lambda: self.now_ms)
        self.seen = {}

    def poll(self, max_records, timeout_ms):
        records = super().poll(max_records, timeout_ms)
        self.seen.update({(r.topic, r.partition, r.offset): r for r in records})
        return records


def raw_records(random, count):
    """Times and records: impressions and clicks of a few users on a few items, three of ten as they should be."""
    made, now_ms, last = [], T0_MS, _raw_of(click())
    recent = deque([impression("i")], maxlen=30)
    for number in range(count):
        now_ms += random.randrange(0, 100)
        raw = last if random.random() < 0.08 else _raw_of(_event(random, number, now_ms, recent))
        made.append((now_ms, raw if random.random() < 0.3 else mutated(random, raw, last)))
        last = raw
    return made


def fuzz(seed, count=BATCH, step=STEP, restart=False):
    """Sends one batch through and checks all accounts; a restart in its middle leaves them as they are.

    Returns:
        Counts by what became of the records and by class of reason, and the seconds of the slowest step.

    Raises:
        ViolationError: a crash, or an account that does not balance.
    """
    bench = Bench(SeenLog(), attribution=WINDOW, decide_deadline_ms=4_000)
    raws = raw_records(Random(seed), count)
    totals, slowest = Counter(), 0.0
    for start in range(0, count, step):
        started = perf_counter()
        _step(bench, raws[start : start + step])
        slowest = max(slowest, perf_counter() - started)
        if restart and start <= count // 2 < start + step:
            totals.update(_counts(bench))
            bench.start()
    bench.core.publish([], final=True)
    totals.update(_counts(bench))
    require(bench, totals, count, restart)
    return totals + _reasons(bench), slowest


def _step(bench, raws):
    for now_ms, raw in raws:
        bench.log.now_ms = bench.clock.now_ms = now_ms
        bench.log.append_raw(raw.topic, raw.key, raw.value, raw.headers)
    try:
        bench.step(len(raws))
    except Exception as error:
        raise ViolationError(f"{type(error).__name__}: {error}", list(bench.log.seen.values())) from error


def require(bench, totals, count, restarted):
    """Raises ViolationError unless all accounts balance."""
    fates = _of(totals, "impressions")
    clicks, dead = _of(totals, "clicks"), _of(totals, "dead_letters")
    waiting = sum(partition.join.early for partition in bench.core._partitions.values())
    letters = [read_dead_letter(r.value, r.headers) for r in bench.records("dead-letters")]
    shown = [each for number in range(PARTITIONS) for each in bench.published(number)]
    outcomes = [each for number in range(PARTITIONS) for each in bench.outcomes(number)]
    places = {(letter.topic, letter.partition, letter.offset): letter for letter in letters}
    first_fates = sum(clicks.values()) - clicks["early"] + waiting  # an early click gets a second fate
    checks = {
        "every record was read": len(bench.log.seen) == count,
        "every impression has one fate": sum(fates.values()) + dead["impressions"] == _read(bench, "impressions"),
        "every click has one fate": restarted or first_fates + dead["clicks"] == _read(bench, "clicks"),
        "every decision is published once": _are_apart(shown) and len(shown) == fates["new"],
        "every decision has one outcome": len(outcomes) == fates["new"] + fates["logged"],
        "no outcome comes twice": _are_apart([each.recommendation for each in outcomes]),
        "every dead letter is published once": len(places) == len(letters) == sum(dead.values()),
        "dead letters are as they came": all(_is_whole(bench.log.seen[p], letter) for p, letter in places.items()),
        "reasons are for a person": all(5 < len(x.reason) <= 500 and x.reason.isprintable() for x in letters),
        "positions are behind all": sum(sum(bench.log.progress(n).next.values()) for n in range(PARTITIONS)) == count,
    }
    for what, holds in checks.items():
        if not holds:
            raise ViolationError(f"{what}: not so in {dict(totals)}", list(bench.log.seen.values()))


def _are_apart(shown):
    """Whether decisions of one id are of impressions that lie a window apart: a name used again, and no repeat."""
    times = sorted((each.decision_id, each.ts_ms) for each in shown)
    return all(one[0] != other[0] or other[1] - one[1] >= WINDOW.window_ms for one, other in pairwise(times))


def _event(random, number, now_ms, recent):
    """An impression, or a click on a recent one: mostly of its user, mostly in its window."""
    of = random.choice(recent)
    if random.random() < 0.45:
        logged = Logged(item_ids=("b",), propensities=(0.5,), policy="p") if random.random() < 0.1 else None
        ts_ms = now_ms - random.choice([0, 0, 0, 0, 300, 4_500, 9_000])
        user = f"u{random.randrange(8)}"
        recent.append(impression(f"i{number}", ts_ms, user, slots=random.randint(1, 3), logged=logged))
        return recent[-1]
    name = random.choice([of.impression_id] * 8 + [f"i{number + 1}", "never"])
    user = random.choice([of.user_id] * 8 + ["u1"])
    ts_ms = min(of.ts_ms + random.choice([0, 1, 100, 900, 6_000]), now_ms + 500)
    return click(name, ts_ms, random.choice("aaabbcx"), user, value=random.choice([1.0, 0.5]))


def _raw_of(event):
    topic = "clicks" if hasattr(event, "item_id") else "impressions"
    return Raw(topic, event.user_id.encode(), CODEC.encode(event), VERSION)


def _is_whole(record, letter):
    if letter.truncated is None:
        return letter.value == record.value
    return letter.truncated == len(record.value) and record.value.startswith(letter.value)


def _counts(bench):
    names = ("impressions", "clicks", "dead_letters")
    return Counter({(name, label): n for name in names for label, n in bench.counted(name).items()})


def _of(totals, name):
    return Counter({label: n for (key, label), n in totals.items() if key == name})


def _read(bench, topic):
    return sum(place[0] == topic for place in bench.log.seen)


def _reasons(bench):
    letters = [read_dead_letter(r.value, r.headers).reason for r in bench.records("dead-letters")]
    return Counter(("reason", reason_class(reason)) for reason in letters)


def reason_class(reason):
    """What reasons of one kind have in common: without values, places and numbers."""
    text = re.sub(r"^(Impression|Click) is not valid: ", "", reason)
    text = re.sub(r"(; got | - at |, in b['\"]|, 'utf-8' codec ).*", "", text)
    text = re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`", "...", text)
    return re.sub(r"\d+(,\d{3})*", "N", text)[:90]
