"""The Gymnasium id over Kafka, checked like the other two."""

import uuid
from contextlib import closing

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

import deploy.registration  # noqa: F401 - registers the ids
from deploy.broker.broker import Broker
from deploy.settings import Settings
from envs.env import EnvSettings
from envs.features import FeatureSettings
from envs.readers import ReaderScene, ReaderSettings
from envs.world import Arrival
from stream.kafka.topics import create_topics
from stream.kafka.world import KafkaWorldLog

pytestmark = pytest.mark.kafka

IMPRESSIONS = 60
NUMERIC = FeatureSettings(text="off", context_dim=13, candidate_dim=13)


@pytest.fixture
def settings(broker: Broker) -> Settings:
    prefix = uuid.uuid4().hex[:8]
    roles = {"impressions": "i", "clicks": "c", "recommendations": "r", "outcomes": "o", "dead_letters": "d"}
    names = {role: f"{prefix}-{short}" for role, short in roles.items()}
    chosen = Settings(
        kafka={"bootstrap_servers": broker.bootstrap, "group_id": prefix, "topics": names, "partitions": 2}
    )
    create_topics(chosen.kafka)
    scene = ReaderScene(ReaderSettings(features="numeric"), seed=0)
    with closing(KafkaWorldLog(chosen.kafka)) as log:
        for index in range(IMPRESSIONS):
            log.append(scene.emit(Arrival(index, f"i{index}", 1_700_000_000_000 + 50 * index)).impression)
        log.flush()
    return chosen


def test_the_kafka_id_passes_the_checker_and_decides_each_impression_once(settings: Settings) -> None:
    form = EnvSettings(poll_ms=5_000)
    made = gymnasium.make("StreamBandit/Kafka-v0", settings=settings, features=NUMERIC, form=form)
    assert made.spec is not None
    assert made.spec.nondeterministic
    env = made.unwrapped
    check_env(env, skip_render_check=True)

    _, info = env.reset()
    seen = []
    while info["impression_id"] is not None:
        seen.append(info["impression_id"])
        _, _, _, truncated, info = env.step(0)
    assert truncated
    assert info["truncated_by"] == "poll"
    env.close()
    # What the checker decided is committed; a reset goes on from there, and nothing comes twice.
    assert len(seen) == len(set(seen))
    assert IMPRESSIONS - 10 <= len(seen) < IMPRESSIONS
