"""What the doctor finds on a broker that nobody has used: nothing bad."""

import pytest

from deploy.broker.broker import start_broker
from deploy.doctor_kafka import kafka
from deploy.settings import Settings
from stream.kafka.topics import create_topics

pytestmark = [pytest.mark.kafka]


def test_a_new_broker_without_a_topic_of_positions_is_healthy() -> None:
    """It makes that topic at the first question about a group, and does not know the answer at once."""
    with start_broker() as broker:
        settings = Settings(kafka={"bootstrap_servers": broker.bootstrap})
        create_topics(settings.kafka)
        found = list(kafka(settings))
    assert [finding.what for finding in found if finding.state == "bad"] == []
    assert "group 'streambandit' has committed nothing yet" in [finding.what for finding in found]
