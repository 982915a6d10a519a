"""The five topics on the broker: what is there, what is wrong with it, and making what is missing."""

from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any, NamedTuple

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, TopicAlreadyExistsError, TopicAuthorizationFailedError

from stream.codec import MAX_OUTPUT_BYTES
from stream.errors import LogUnavailableError, TopicError
from stream.kafka.client import answering, make_admin
from stream.kafka.rights import Role, rights_of
from stream.kafka.settings import KafkaSettings
from stream.log import INPUT_TOPICS, OUTPUT_TOPICS, Topic

TIMESTAMPS = "message.timestamp.type"
BROKER_TIME = "LogAppendTime"


class TopicState(NamedTuple):
    """One topic as the broker has it; `partitions` is 0 where it is missing, `timestamps` None where unknown."""

    topic: Topic
    name: str
    partitions: int
    timestamps: str | None = None


class TopicsReport(NamedTuple):
    """All topics, with what keeps the agent from running (problems) and what it can live with (warnings)."""

    topics: tuple[TopicState, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def describe_topics(settings: KafkaSettings, role: Role = "agent") -> TopicsReport:
    """Reads the state of the topics.

    Args:
        settings: where, and which names.
        role: whose topics to look at.

    Raises:
        AccessError: a topic must not be looked at.
        LogUnavailableError: the cluster did not answer.
    """
    with closing(make_admin(settings)) as admin, answering(settings, "describing topics", role):
        states = _states(admin, settings, role)
    return TopicsReport(states, tuple(_problems(states)), tuple(_warnings(states)))


def create_topics(settings: KafkaSettings) -> TopicsReport:
    """Creates the topics that are missing and returns the state after it; what exists stays as it is.

    The partition count is that of the topics that exist already, else that of the settings.
    """
    with closing(make_admin(settings)) as admin, answering(settings, "creating topics", "topics"):
        states = _states(admin, settings, "topics")
        counts = {state.partitions for state in states if state.partitions and state.topic != "dead-letters"}
        count = counts.pop() if len(counts) == 1 else settings.partitions
        missing = {state.name: _wish(state.topic, count, settings) for state in states if not state.partitions}
        if missing:
            with suppress(TopicAlreadyExistsError):  # somebody else was faster; the report says what there is now
                admin.create_topics(missing, timeout_ms=settings.request_timeout_ms)
            admin.wait_for_topics(list(missing), timeout_ms=settings.request_timeout_ms)
    return describe_topics(settings, "topics")


def require_topics(settings: KafkaSettings) -> None:
    """Raises TopicError, naming every problem, unless the topics are as the agent needs them."""
    problems = describe_topics(settings).problems
    if problems:
        raise TopicError(f"topics must be as the agent needs them; got: {'; '.join(problems)}")


def is_answering(settings: KafkaSettings) -> bool:
    """Whether the cluster answers a request within the bootstrap deadline; an open port alone is no answer."""
    try:
        with closing(make_admin(settings)) as admin, answering(settings, "describing the cluster"):
            return bool(admin.describe_cluster()["brokers"])
    except LogUnavailableError:
        return False


def _wish(topic: Topic, partitions: int, settings: KafkaSettings) -> dict[str, Any]:
    wish: dict[str, Any] = {
        "num_partitions": 1 if topic == "dead-letters" else partitions,
        "replication_factor": settings.replication,
    }
    # Skew and idleness are judged by the broker's time of an input; a producer's own clock could claim any.
    if topic in INPUT_TOPICS:
        wish["configs"] = {TIMESTAMPS: BROKER_TIME}
    else:
        wish["configs"] = {"max.message.bytes": str(MAX_OUTPUT_BYTES)}
    return wish


def _states(admin: KafkaAdminClient, settings: KafkaSettings, role: Role) -> tuple[TopicState, ...]:
    used = {right.name for right in rights_of(role, settings)}
    roles = {name: topic for topic in INPUT_TOPICS + OUTPUT_TOPICS if (name := settings.topics.of(topic)) in used}
    entries = admin.describe_topics(list(roles))
    refused = sorted(entry["name"] for entry in entries if entry["error_code"] == TopicAuthorizationFailedError.errno)
    if refused:
        raise TopicAuthorizationFailedError(refused)
    found = {entry["name"]: len(entry["partitions"]) for entry in entries if not entry["error_code"]}
    times = _timestamp_types(admin, [name for name in roles if name in found])
    return tuple(TopicState(topic, name, found.get(name, 0), times.get(name)) for name, topic in roles.items())


def _timestamp_types(admin: KafkaAdminClient, names: list[str]) -> dict[str, str]:
    """Unknown where the right to describe configurations is not given: that is no reason to fail."""
    if not names:
        return {}
    try:
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        described = admin.describe_configs(resources, config_filter="all").get("topic", {})
    except KafkaError:
        return {}
    return {name: configs[TIMESTAMPS]["value"] for name, configs in described.items() if TIMESTAMPS in configs}


def _problems(states: tuple[TopicState, ...]) -> Iterator[str]:
    for state in states:
        if not state.partitions:
            yield f"topic {state.name!r} ({state.topic}) must exist; create it with `streambandit topics --create`"
    counts = {state.name: state.partitions for state in states if state.partitions and state.topic != "dead-letters"}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        yield f"all topics but dead-letters must have the same number of partitions; got {listed}"


def _warnings(states: tuple[TopicState, ...]) -> Iterator[str]:
    for state in states:
        if state.topic in INPUT_TOPICS and state.timestamps not in (None, BROKER_TIME):
            yield f"topic {state.name!r} should have {TIMESTAMPS}={BROKER_TIME}; it has {state.timestamps}"
