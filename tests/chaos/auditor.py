"""The auditor: reads the topics raw, with a client and a JSON parser and nothing of the project, and counts.

Decisions and outcomes are multisets. Lost and twice are counted against the ledger of what was written.
"""

import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import kafka

from chaos.load import Ledger, click_id


@dataclass
class Findings:
    """What was counted, and what is wrong.

    Attributes:
        counts: by name.
        violations: each a promise that was broken; empty is what is asked for.
        examples: what each violation was found at, all of it.
    """

    counts: dict[str, Any] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def count(self, name: str, items: Any) -> None:
        """Counts things of which there must be none; keeps their names."""
        found = list(items)
        self.counts[name] = len(found)
        if found:
            self.violations.append(f"{name} must be 0; got {len(found):,}")
            self.examples[name] = [str(each) for each in found]


class Topics:
    """Committed records of topics, read from their start to their end.

    Args:
        bootstrap: the broker's address.
        names: topic names by role.
    """

    def __init__(self, bootstrap: str, names: Mapping[str, str]) -> None:
        self._bootstrap, self._names = bootstrap, names

    def records(self, role: str) -> Iterator[Any]:
        """Every committed record of a topic."""
        consumer = self._consumer("read_committed")
        places = self._places(consumer, role)
        ends = self.settled_ends(role)
        consumer.assign(places)
        consumer.seek_to_beginning()
        deadline = time.monotonic() + 300
        try:
            while any(consumer.position(place) < ends[place.partition] for place in places):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{role} must be readable to its end; it is not")
                for batch in consumer.poll(timeout_ms=500, max_records=5_000).values():
                    yield from batch
        finally:
            consumer.close()

    def settled_ends(self, role: str, timeout_s: float = 40) -> dict[int, int]:
        """The end of each partition, once no transaction is open in it."""
        written, committed = self._consumer("read_uncommitted"), self._consumer("read_committed")
        try:
            places = self._places(written, role)
            ends = written.end_offsets(places)
            deadline = time.monotonic() + timeout_s
            while any(committed.end_offsets(places)[place] < ends[place] for place in places):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{role} must settle its transactions; one stays open")
                time.sleep(0.2)
        finally:
            written.close()
            committed.close()
        return {place.partition: end for place, end in ends.items()}

    def _places(self, consumer: Any, role: str) -> list[Any]:
        name = self._names[role]
        return [kafka.TopicPartition(name, number) for number in sorted(consumer.partitions_for_topic(name))]

    def _consumer(self, isolation: str) -> Any:
        return kafka.KafkaConsumer(
            bootstrap_servers=self._bootstrap,
            isolation_level=isolation,
            enable_auto_commit=False,
            reconnect_backoff_max_ms=1_000,
        )


def audit(topics: Topics, ledger: Ledger) -> Findings:
    """Counts everything that can be counted without the agent's word."""
    findings = Findings()
    _inputs(topics, ledger, findings)
    decided = _decisions(topics, ledger, findings)
    _outcomes(topics, ledger, decided, findings)
    findings.count("dead_letters", (bytes(record.value)[:80] for record in topics.records("dead-letters")))
    return findings


def audit_learner(topics: Topics, state: Mapping[str, Any] | None, findings: Findings) -> None:
    """Compares what the last checkpoint says was learned with the outcomes of the topic."""
    places = [(record.partition, record.offset) for record in topics.records("outcomes")]
    numbers = (int.from_bytes(blake2b(b"%d:%d" % place, digest_size=8).digest(), "big") for place in places)
    digest = f"{sum(numbers) % 2**64:016x}"
    ends: dict[int, int] = {}
    for partition, offset in places:
        ends[partition] = max(ends.get(partition, 0), offset + 1)
    learned = (state or {}).get("learned", {})
    positions = {int(number): offset for number, offset in (state or {}).get("positions", {}).items()}
    log_ends = topics.settled_ends("outcomes")
    findings.counts |= {
        "learned": learned.get("outcomes"),
        "learned_rows": learned.get("rows"),
        "learned_digest": learned.get("digest"),
        "outcomes_digest": digest,
        "epoch": (state or {}).get("epoch"),
    }
    findings.count("learner_digest_differs", [] if learned.get("digest") == digest else [learned.get("digest")])
    difference = (learned.get("outcomes") or 0) - len(places)
    findings.count("learner_outcomes_differ", [difference] if difference else [])
    findings.count(
        "learner_positions_differ",
        (p for p, end in ends.items() if not end <= positions.get(p, 0) <= log_ends[p]),
    )


def _inputs(topics: Topics, ledger: Ledger, findings: Findings) -> None:
    """That the load itself is on the topics as the ledger says."""
    found = Counter(json.loads(record.value)["impression_id"] for record in topics.records("impressions"))
    clicked = {json.loads(record.value)["impression_id"] for record in topics.records("clicks")}
    findings.counts |= {"impressions": len(found), "impression_records": found.total()} | dict(ledger.planned)
    findings.count("not_written", ledger.impressions.keys() ^ found.keys())
    findings.count("clicks_not_written", ledger.clicks.keys() - clicked)


def _decisions(topics: Topics, ledger: Ledger, findings: Findings) -> Counter[str]:
    decided: Counter[str] = Counter()
    improper = []
    for record in topics.records("recommendations"):
        shown = json.loads(record.value)
        decided[shown["impression_id"]] += 1
        if not _proper(shown):
            improper.append(shown["impression_id"])
    on_time = [name for name, fate in ledger.impressions.items() if fate == "on_time"]
    late = [name for name, fate in ledger.impressions.items() if fate == "late"]
    findings.counts |= {"decisions": decided.total(), "late_decided": sum(name in decided for name in late)}
    findings.count("lost", (name for name in on_time if name not in decided))
    findings.count("twice", (name for name, times in decided.items() if times > 1))
    findings.count("unknown_decisions", decided.keys() - ledger.impressions.keys())
    findings.count("improper_propensities", improper)
    return decided


def _outcomes(topics: Topics, ledger: Ledger, decided: Counter[str], findings: Findings) -> None:
    closed: Counter[str] = Counter()
    clicks: Counter[str] = Counter()
    problems: dict[str, list[str]] = {"clicks_lost": [], "clicks_wrong": [], "rewards_wrong": []}
    for record in topics.records("outcomes"):
        outcome = json.loads(record.value)
        name = outcome["impression"]["impression_id"]
        closed[name] += 1
        if closed[name] > 1:
            continue
        got = Counter(click["click_id"] for click in outcome.get("clicks", ()))
        due = Counter(click_id(name, slot["item_id"]) for slot in outcome["recommendation"]["slate"])
        kind = ledger.clicks.get(name)
        clicks[kind or "none"] += got.total()
        if kind == "due" and due - got:
            problems["clicks_lost"].append(name)
        if got - (due if kind in ("due", "edge") else Counter()):
            problems["clicks_wrong"].append(name)
        if [bool(got[click_id(name, slot["item_id"])]) for slot in outcome["recommendation"]["slate"]] != [
            reward > 0 for reward in outcome["rewards"]
        ]:
            problems["rewards_wrong"].append(name)
    findings.counts |= {"outcomes": closed.total()} | {f"clicks_counted_{kind}": n for kind, n in clicks.items()}
    findings.count("outcomes_lost", (decided - closed).elements())
    findings.count("outcomes_twice", (name for name, times in closed.items() if times > 1))
    findings.count("outcomes_unknown", closed.keys() - decided.keys())
    for problem, names in problems.items():
        findings.count(problem, names)


def _proper(shown: dict[str, Any]) -> bool:
    """Probabilities are a distribution, the first slot's propensity is one of them, and none is 0."""
    probabilities = shown.get("probabilities") or []
    slots = [slot.get("propensity") or 0.0 for slot in shown["slate"]]
    product = math.prod(slots)
    return (
        abs(math.fsum(probabilities) - 1.0) < 1e-9
        and all(0 < p <= 1 for p in (*probabilities, *slots))
        and slots[0] in probabilities
        and math.isclose(product, shown.get("slate_propensity") or 0.0, rel_tol=1e-9)
    )
