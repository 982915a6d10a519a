"""`streambandit run` against a real broker, counted by an independent consumer that knows nothing of this project."""

import json
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path

import kafka
import msgspec
import pytest
from support.raw_kafka import consume, fresh_settings

from deploy.broker.broker import Broker
from envs.readers import ReaderScene, ReaderSettings
from envs.world import Arrival
from stream.codec import JsonCodec
from stream.events import Click, Impression, Logged
from stream.kafka.settings import KafkaSettings

pytestmark = [pytest.mark.kafka, pytest.mark.ray]

T0_MS = 1_700_000_000_000
STEP_MS = 50
WINDOW_MS = 4_000
VALID, LOGGED, REPEATED, LATE = 600, 20, 15, 12
PARTITIONS = 3
RUN_S = 240
INVALID = {
    b"{broken": "JSON",
    b'{"impression_id": "", "user_id": "u", "ts_ms": 1, "candidates": [{"item_id": "a"}]}': "impression_id must be",
    b'{"impression_id": "x", "user_id": "u", "ts_ms": 0, "candidates": [{"item_id": "a"}]}': "ts_ms must be",
    b'{"impression_id": "x", "user_id": "u", "ts_ms": 1, "candidates": []}': "candidates must be 1 to 1,000",
    b'{"impression_id": "x", "user_id": "u", "ts_ms": 1, "candidates": [{"item_id": "a"}, {"item_id": "a"}]}': (
        "must be distinct"
    ),
    b'{"impression_id": "x", "user_id": "u", "ts_ms": 1, "candidates": [{"item_id": "a", "features": [1.0]}]}': (
        "must have 13 values"
    ),
    b'{"impression_id": "x", "user_id": "u", "ts_ms": "soon", "candidates": [{"item_id": "a"}]}': "ts_ms",
    b'{"impression_id": "x", "user_id": "u", "ts_ms": 99999999999999, "candidates": [{"item_id": "a"}]}': "ahead of",
    b"\xff\xfe": "Impression is not valid",
}


@pytest.fixture
def settings(broker: Broker) -> KafkaSettings:
    return fresh_settings(broker, PARTITIONS)


def impressions_of_readers() -> list[Impression]:
    scene = ReaderScene(ReaderSettings(features="numeric", candidates_min=3, candidates_max=8), seed=1)
    total = VALID + LOGGED
    shown = [scene.emit(Arrival(i, f"i{i}", T0_MS + i * STEP_MS)).impression for i in range(total)]
    for index in range(0, total, total // LOGGED):
        logged = Logged(item_ids=(shown[index].candidates[0].item_id,), propensities=(0.25,), policy="incumbent")
        shown[index] = msgspec.structs.replace(shown[index], logged=logged)
    return shown


def produce(settings: KafkaSettings, topic: str, records: list[tuple[str, bytes]]) -> None:
    producer = kafka.KafkaProducer(bootstrap_servers=settings.bootstrap_servers)
    futures = [producer.send(topic, key=key.encode(), value=value) for key, value in records]
    producer.flush(20)
    assert all(future.succeeded() for future in futures)
    producer.close(5)


def run(settings: KafkaSettings, folder: Path) -> dict:
    """Runs the agent until nothing comes; returns its summary."""
    config = folder / "run.toml"
    names = "\n".join(f'{role} = "{name}"' for role, name in settings.topics.model_dump().items())
    config.write_text(
        f'run_dir = "{folder}"\n[metrics]\nport = 0\n'
        f'[kafka]\nbootstrap_servers = "{settings.bootstrap_servers}"\ngroup_id = "{settings.group_id}"\n'
        f"[kafka.topics]\n{names}\n"
        '[agent.features]\ntext = "off"\ncontext_dim = 13\ncandidate_dim = 13\n'
        f"[core.attribution]\nwindow_ms = {WINDOW_MS}\n"
    )
    command = [sys.executable, "-m", "deploy.cli", "run", "--config", str(config), "--idle-exit-s", "8"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S, check=False)
    assert ended.returncode == 0, ended.stdout[-2_000:] + ended.stderr[-4_000:]
    return json.loads((folder / "latest" / "summary.json").read_text())


@pytest.mark.timeout(2 * RUN_S + 120)
def test_every_valid_impression_is_decided_exactly_once(settings: KafkaSettings, tmp_path: Path) -> None:
    codec = JsonCodec()
    impressions = impressions_of_readers()
    to_decide = {i.impression_id: i for i in impressions if i.logged is None}
    assert len(to_decide) == VALID

    # First run: valid impressions with invalid ones among them, and a click on what a logged policy showed.
    records = [(i.user_id, codec.encode(i)) for i in impressions]
    for index, value in enumerate(INVALID):
        records.insert(50 * index, ("u", value))
    produce(settings, settings.topics.impressions, records)
    logged = next(i for i in impressions if i.logged is not None)
    click = Click(
        impression_id=logged.impression_id,
        user_id=logged.user_id,
        item_id=logged.logged.item_ids[0],
        ts_ms=logged.ts_ms + 100,
    )
    produce(settings, settings.topics.clicks, [(click.user_id, codec.encode(click)), ("u", b"no click")])
    first = run(settings, tmp_path)
    assert first["decisions"] == VALID
    assert first["dead_letters"] == len(INVALID) + 1
    assert first["impressions"]["logged"] == LOGGED
    check_start(first["start"])
    judged = first["apprentice"]["decisions"]
    assert LOGGED // 2 < judged <= LOGGED  # what is open at the end is judged by the next run
    assert first["apprentice"]["with_propensity"] == judged

    # Second run: repeats and late ones, none of which may be decided; what was left open closes.
    late = [
        msgspec.structs.replace(i, impression_id=f"late-{n}", ts_ms=T0_MS - WINDOW_MS)
        for n, i in enumerate(impressions[:LATE])
    ]
    again = [*impressions[-REPEATED:], *late]
    produce(settings, settings.topics.impressions, [(i.user_id, codec.encode(i)) for i in again])
    second = run(settings, tmp_path)
    assert second["decisions"] == 0
    assert second["impressions"].get("late", 0) + second["impressions"].get("repeated", 0) == REPEATED + LATE

    check_recommendations(consume(settings, settings.topics.recommendations), to_decide)
    check_outcomes(consume(settings, settings.topics.outcomes), impressions, click)
    check_dead_letters(consume(settings, settings.topics.dead_letters), settings)


def check_start(done_s: dict[str, float]) -> None:
    """Each process reached its steps in their order, and Ray's began before RLlib was loaded."""
    assert list(done_s.values()) == sorted(done_s.values())
    steps = list(done_s)
    driver = [step for step in steps if not step.startswith("runner ") and step != "decided"]
    assert driver == ["settings", "topics", "ray", "imported", "built", "resumed"]
    runner = [step for step in steps if step.startswith("runner ")]
    assert runner == ["runner process", "runner imported", "runner built", "runner log"]
    assert steps.index("runner process") < steps.index("imported")
    assert steps[-1] == "decided"


def check_recommendations(records: list, to_decide: dict[str, Impression]) -> None:
    shown = [json.loads(record.value) for record in records]
    assert Counter(each["impression_id"] for each in shown) == Counter(list(to_decide))
    for record, each in zip(records, shown, strict=True):
        candidates = [candidate.item_id for candidate in to_decide[each["impression_id"]].candidates]
        assert record.key.decode() == each["user_id"]
        assert len(each["probabilities"]) == len(candidates)
        assert all(0 < p <= 1 for p in each["probabilities"])
        assert math.fsum(each["probabilities"]) == pytest.approx(1.0, abs=1e-9)
        slot = each["slate"][0]
        assert slot["propensity"] == each["probabilities"][candidates.index(slot["item_id"])]
        assert each["strategy"] == "inverse_gap_weighting"


def check_outcomes(records: list, impressions: list[Impression], click: Click) -> None:
    """Everything but what is still inside its window at the end has an outcome, once."""
    outcomes = [json.loads(record.value) for record in records]
    seen = Counter(each["impression"]["impression_id"] for each in outcomes)
    assert max(seen.values()) == 1
    closed_by = T0_MS + len(impressions) * STEP_MS - 2 * WINDOW_MS
    assert {i.impression_id for i in impressions if i.ts_ms < closed_by} <= set(seen)
    rewarded = [each["impression"]["impression_id"] for each in outcomes if each["rewards"] != [0.0]]
    assert rewarded == [click.impression_id]


def check_dead_letters(records: list, settings: KafkaSettings) -> None:
    letters = {bytes(record.value): dict(record.headers) for record in records}
    assert len(records) == len(letters) == len(INVALID) + 1
    inputs = {
        (topic, str(record.partition).encode(), str(record.offset).encode()): record.value
        for topic, name in ((b"impressions", settings.topics.impressions), (b"clicks", settings.topics.clicks))
        for record in consume(settings, name)
    }
    for value, headers in letters.items():
        assert inputs[headers["topic"], headers["partition"], headers["offset"]] == value
        assert INVALID.get(value, "Click is not valid") in headers["reason"].decode()
