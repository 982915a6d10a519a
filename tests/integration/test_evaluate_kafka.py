"""`streambandit evaluate --log kafka`: the committed outcomes of the topic, and nothing else."""

import json
from pathlib import Path

import kafka
import pytest
from support.logs import only_a_is_clicked
from support.raw_kafka import fresh_settings
from typer.testing import CliRunner

from deploy.broker.broker import Broker
from deploy.cli import app
from stream.codec import JsonCodec
from stream.kafka.settings import KafkaSettings

pytestmark = pytest.mark.kafka

PARTITIONS = 3


@pytest.fixture
def settings(broker: Broker) -> KafkaSettings:
    return fresh_settings(broker, PARTITIONS)


def config_of(settings: KafkaSettings, path: Path) -> Path:
    names = "\n".join(f'{role} = "{name}"' for role, name in settings.topics.model_dump().items())
    path.write_text(
        f'[kafka]\nbootstrap_servers = "{settings.bootstrap_servers}"\n[kafka.topics]\n{names}\n'
        '[agent.features]\ntext = "off"\ncontext_dim = 1\ncandidate_dim = 1\n'
    )
    return path


def evaluated(config: Path, *arguments: str) -> dict:
    command = ["evaluate", "--log", "kafka", "--json", "--config", str(config), *arguments]
    found = CliRunner().invoke(app, command, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return json.loads(found.output)


def test_committed_outcomes_of_all_partitions_are_judged(settings: KafkaSettings, tmp_path: Path) -> None:
    codec, outcomes, topic = JsonCodec(), only_a_is_clicked(300), settings.topics.outcomes
    producer = kafka.KafkaProducer(bootstrap_servers=settings.bootstrap_servers, transactional_id=f"{topic}-test")
    producer.init_transactions()

    def send(chosen: list, *, commit: bool) -> None:
        producer.begin_transaction()
        for number, outcome in enumerate(chosen):
            producer.send(
                topic, value=codec.encode(outcome), headers=list(codec.headers), partition=number % PARTITIONS
            )
        producer.flush(20)
        (producer.commit_transaction if commit else producer.abort_transaction)()

    send(outcomes[:200], commit=True)
    send(outcomes[:50], commit=False)
    send(outcomes[200:], commit=True)
    producer.close(5)

    config = config_of(settings, tmp_path / "agent.toml")
    found = evaluated(config, "--policy", "uniform")
    clicks = sum(outcome.rewards[0] for outcome in outcomes)
    assert found["decisions"] == 300
    assert found["estimates"]["ips"]["value"] == pytest.approx(clicks / 300)
    learned = evaluated(config, "--policy", "settings:", "--estimator", "snips")
    assert learned["decisions"] == 300
    assert learned == evaluated(config, "--policy", "settings:", "--estimator", "snips")


def test_an_empty_topic_is_said_in_one_line(settings: KafkaSettings, tmp_path: Path) -> None:
    config = config_of(settings, tmp_path / "agent.toml")
    found = CliRunner().invoke(app, ["evaluate", "--log", "kafka", "--policy", "uniform", "--config", str(config)])
    assert str(found.exception).startswith("log must hold at least one outcome; got none from outcomes of ")
