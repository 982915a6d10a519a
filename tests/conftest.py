"""Fixtures for all tests. What is slow to start is started once per session, and only when a test asks for it."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.secured import Secured

    from deploy.broker.broker import Broker


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Broker"]:
    """A real Kafka broker, shared by the session: use topic and group names of your own. Mark its tests `kafka`."""
    from deploy.broker.broker import start_broker  # noqa: PLC0415 - tests without Kafka need not load its client

    _require_a_broker()
    with start_broker(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Secured"]:
    """A broker with TLS, users and rights, shared by the session: use groups of your own. Mark its tests `kafka`."""
    from support.rights_matrix import prepare  # noqa: PLC0415
    from support.secured import secured_broker  # noqa: PLC0415

    _require_a_broker()
    with secured_broker(tmp_path_factory.mktemp("secured")) as running:
        prepare(running)
        yield running


def _require_a_broker() -> None:
    from deploy.broker.jars import missing  # noqa: PLC0415

    reason = missing()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(f"in CI the broker's tests must run; {reason}")  # a skip there would hide that nothing was tested
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A local Ray cluster, shared by the session. Mark its tests `ray`."""
    from deploy.cluster import cluster  # noqa: PLC0415 - tests without Ray need not load it

    with cluster():
        yield
