"""Fixtures for all tests. What is slow to start is started once per session, and only when a test asks for it."""

import os
from collections.abc import Iterator

import pytest

from deploy.broker.broker import Broker, start_broker
from deploy.broker.jars import missing


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A real Kafka broker, shared by the session: use topic and group names of your own. Mark its tests `kafka`."""
    reason = missing()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(f"in CI the broker's tests must run; {reason}")  # a skip there would hide that nothing was tested
    if reason:
        pytest.skip(reason)
    with start_broker(tmp_path_factory.mktemp("kafka")) as running:
        yield running
