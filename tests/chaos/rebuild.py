"""How long a fresh process takes to rebuild open decisions from a real broker, and what they cost in memory.

    PYTHONPATH=tests python tests/chaos/rebuild.py --open 10000 100000 1000000 --bytes 300
    PYTHONPATH=tests python tests/chaos/rebuild.py --open 50000 --bytes 3000 10000

Prints one JSON line per pair of numbers: seconds from the first look at the topics to the last decision, for four
partitions one after the other; memory as the system counts it, above that of the process before; bytes of an
impression and its recommendation as they lie in the topics, and as they are kept. On a busy machine look at
`cpu_seconds`, the time of the one process that rebuilds.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from kafka import KafkaProducer

from agent.settings import InterestSettings
from agent.user_snapshots import UserStores
from deploy.broker.broker import start_broker
from envs.decision import Decision, recommendation
from envs.features import FeatureSettings, Featurizer
from envs.intake import Intake
from envs.parts import CoreSettings, Parts
from envs.restore import restore
from stream.codec import JsonCodec
from stream.events import Candidate, Impression, Knew
from stream.kafka.log import KafkaLog
from stream.kafka.settings import KafkaSettings, TopicNames
from stream.kafka.topics import create_topics
from stream.log import Progress
from stream.meter import Tally
from stream.settings import AttributionSettings

PARTITIONS = 4
T0_MS = 1_700_000_000_000
WORDS = [
    f"{a}{b}{c}" for a in ("ba", "ne", "to", "ri") for b in ("l", "nd", "st", "r", "m") for c in ("o", "ing", "er")
]
CODEC = JsonCodec()


def settings_of(bootstrap: str, name: str) -> KafkaSettings:
    topics = {role: f"{name}-{role}" for role in ("impressions", "clicks", "recommendations", "outcomes")}
    topics["dead_letters"] = f"{name}-dead"
    return KafkaSettings(bootstrap_servers=bootstrap, group_id=name, topics=TopicNames(**topics), partitions=PARTITIONS)


def impression(index: int, size: int, draw: random.Random) -> Impression:
    """An impression of about `size` bytes: four candidates, with as many words as it takes."""
    words = max(0, (size - 240) // 20)
    items = tuple(
        Candidate(item_id=f"item-{slot}{draw.randrange(10_000)}", text=" ".join(draw.choices(WORDS, k=words)) or None)
        for slot in range(4)
    )
    name = f"{draw.getrandbits(128):032x}"
    return Impression(
        impression_id=name, user_id=f"user-{draw.randrange(10**7)}", ts_ms=T0_MS + index, candidates=items
    )


def decided(shown: Impression, draw: random.Random) -> bytes:
    shares = [draw.random() for _ in shown.candidates]
    each = tuple(share / sum(shares) for share in shares)
    decision = Decision((0,), (each[0],), (draw.random(),), each, max(each), "boltzmann", "1.234", draw.getrandbits(53))
    knew = Knew(clicks=3, decisions=5, idle_ms=draw.randrange(100_000))
    return CODEC.encode(recommendation(shown, decision, knew=knew, encoder_version="0123456789", max_probabilities=100))


def events(count: int, size: int) -> Iterator[tuple[int, bytes, bytes, bytes]]:
    draw = random.Random(0)
    for index in range(count):
        shown = impression(index, size, draw)
        yield index % PARTITIONS, shown.user_id.encode(), CODEC.encode(shown), decided(shown, draw)


def fill(settings: KafkaSettings, count: int, size: int) -> float:
    """Writes what a runner would have, and commits it; returns the mean size of impression and recommendation."""
    topics, headers, total = settings.topics, list(CODEC.headers), 0
    options = {"batch_size": 262_144, "linger_ms": 20, "compression_type": "lz4"}
    producer = KafkaProducer(bootstrap_servers=settings.bootstrap_servers, **options)
    for partition, key, shown, decision in events(count, size):
        producer.send(topics.impressions, shown, key, headers, partition)
        producer.send(topics.recommendations, decision, key, headers, partition)
        total += len(shown) + len(decision)
    producer.flush()
    producer.close()
    with closing(KafkaLog(settings)) as log:
        deadline = time.monotonic() + 60
        while len(log.assignment()) < PARTITIONS and time.monotonic() < deadline:
            log.poll(1, 200)
        low = {"impressions": 0, "clicks": 0, "recommendations": 0, "outcomes": 0}
        log.begin().abort()
        unit = log.begin()
        after = {p: {"impressions": log.end("impressions", p), "clicks": 0} for p in range(PARTITIONS)}
        unit.commit({p: Progress(next=after[p], low=low, watermark_ms=T0_MS) for p in range(PARTITIONS)})
    return total / count


def rebuild(settings: KafkaSettings) -> dict[str, float]:
    attribution = AttributionSettings(window_ms=86_400_000, max_open_bytes=2**40)
    core = CoreSettings(attribution=attribution)
    with closing(KafkaLog(settings)) as log:
        deadline = time.monotonic() + 60
        while len(log.assignment()) < PARTITIONS and time.monotonic() < deadline:
            log.poll(1, 200)
        featurizer = Featurizer(FeatureSettings(text="off", context_dim=0, candidate_dim=0), None)
        parts = Parts(log, featurizer, UserStores(InterestSettings()), Tally(), lambda: 0)
        intake = Intake(core, parts)
        before, start, start_cpu = resident_bytes(), time.perf_counter(), time.process_time()
        found = [restore(parts, number, intake, attribution) for number in range(PARTITIONS)]
        seconds, after = time.perf_counter() - start, resident_bytes()
        cpu_seconds = time.process_time() - start_cpu
    count = sum(len(partition.join) for partition in found)
    return {
        "open": count,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "bytes_each": round((after - before) / count),
        "accounted_bytes_each": round(sum(partition.join.open_bytes for partition in found) / count),
        "compressed_bytes_each": round(sum(partition.join.packed_bytes for partition in found) / count),
        "rss_mb": round(after / 2**20),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10),
    }


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--open", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--bytes", type=int, nargs="+", default=[300])
    parser.add_argument("--child", nargs=2, metavar=("BOOTSTRAP", "NAME"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        sys.stdout.write(json.dumps(rebuild(settings_of(*given.child))))
        return
    with tempfile.TemporaryDirectory() as folder, start_broker(Path(folder)) as broker:
        for size in given.bytes:
            for count in given.open:
                settings = settings_of(broker.bootstrap, f"rebuild-{size}-{count}")
                create_topics(settings)
                raw = fill(settings, count, size)
                command = [sys.executable, __file__, "--child", broker.bootstrap, settings.group_id]
                line = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                line |= {"impression_bytes": size, "raw_bytes_each": round(raw)}
                line["seconds_per_gb"] = round(line["seconds"] / (raw * count / 1e9), 1)
                line["bytes_beyond_compressed"] = line["bytes_each"] - line["compressed_bytes_each"]
                sys.stdout.write(json.dumps(line) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
