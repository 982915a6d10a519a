"""Who may do what on the broker: every user tries every operation, with the plain client and for real."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ACLFilter
from kafka.errors import AuthorizationError, TopicAlreadyExistsError

from stream.kafka.acls import as_acl, give_rights
from stream.kafka.rights import Right, rights_of
from stream.kafka.settings import KafkaSettings
from stream.kafka.topics import create_topics
from stream.log import INPUT_TOPICS, OUTPUT_TOPICS
from support.secured import USERS, Secured

ROLES = {"agent": "agent", "quick": "agent", "world": "world", "operator": "topics"}
DEADLINE_S = 20
TOPICS = INPUT_TOPICS + OUTPUT_TOPICS
Matrix = dict[str, dict[str, str]]


def prepare(secured: Secured, **changed) -> None:
    """Gives each user the rights of its role, lets the operator create the topics, and puts a record into each."""
    admin = secured.settings("admin", **changed)
    for user, role in ROLES.items():
        give_rights(admin, f"User:{user}", rights_of(role, settings_of(secured, user, **changed)))
    report = create_topics(secured.settings("operator", **changed))
    assert report.problems == ()
    for topic in TOPICS:
        write(admin, topic)


def settings_of(secured: Secured, user: str, **changed) -> KafkaSettings:
    """The settings of a user; `quick` is an agent of the low-latency guarantee."""
    return secured.settings(user, **({"guarantee": "low_latency"} if user == "quick" else {}), **changed)


def operations() -> dict[str, Callable[[KafkaSettings], None]]:
    """What is tried, by name."""
    tried: dict[str, Callable[[KafkaSettings], None]] = {}
    for topic in TOPICS:
        tried[f"read {topic}"] = partial(read, topic=topic)
        tried[f"write {topic}"] = partial(write, topic=topic)
    return tried | {
        "join the group": join,
        "use its transactional id": use_transactional_id,
        "use another's transactional id": partial(use_transactional_id, prefix="other"),
        "create a topic of ours": partial(create, name=None),
        "create another topic": partial(create, name="another"),
        "give rights": give,
    }


def matrix(secured: Secured, **changed) -> Matrix:
    """What each user may do: operation → user → "yes" or the name of the broker's error."""
    return {
        name: {user: outcome(operation, settings_of(secured, user, **changed)) for user in USERS}
        for name, operation in operations().items()
    }


def outcome(operation: Callable[[KafkaSettings], None], settings: KafkaSettings) -> str:
    try:
        operation(settings)
    except AuthorizationError as error:
        return type(error).__name__
    return "yes"


def table(found: Matrix) -> str:
    """The matrix as a Markdown table."""
    short = {"yes": "yes", "TopicAuthorizationFailedError": "no: topic", "GroupAuthorizationFailedError": "no: group"}
    short |= {"TransactionalIdAuthorizationFailedError": "no: transactional id"}
    short |= {"ClusterAuthorizationFailedError": "no: cluster"}
    users = list(next(iter(found.values())))
    lines = [f"| operation | {' | '.join(users)} |", "|---" * (len(users) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(short.get(row[user], row[user]) for user in users)} |"
              for name, row in found.items()]  # fmt: skip
    return "\n".join(lines)


def take_away(settings: KafkaSettings, principal: str, right: Right) -> None:
    """Removes one right, as an administrator, and fails where there was none."""
    acl = as_acl(right, principal)
    wanted = ACLFilter(principal, "*", acl.operation, acl.permission_type, acl.resource_pattern)
    with closing(KafkaAdminClient(**settings.connection())) as admin:
        ((_, removed, _),) = admin.delete_acls([wanted])
    assert len(removed) == 1


def read(settings: KafkaSettings, topic: str) -> None:
    name = settings.topics.of(topic)
    with closing(KafkaConsumer(**settings.connection(), auto_offset_reset="earliest")) as consumer:
        places = [TopicPartition(name, partition) for partition in range(1 if topic == "dead-letters" else 4)]
        consumer.assign(places)
        # A poll of a topic that must not even be described waits for ever and says nothing; this asks at once.
        consumer.end_offsets(places, timeout_ms=5_000)
        assert any(consumer.poll(timeout_ms=500) for _ in until_deadline())


def write(settings: KafkaSettings, topic: str) -> None:
    producer = KafkaProducer(**settings.connection(), enable_idempotence=False, max_block_ms=5_000)
    with closing(producer):
        producer.send(settings.topics.of(topic), b"{}", b"u").get(timeout=DEADLINE_S)


def join(settings: KafkaSettings) -> None:
    """Becomes a member; by a topic that every reader may read."""
    name = settings.topics.recommendations
    with closing(KafkaConsumer(name, **settings.connection(), group_id=settings.group_id)) as consumer:
        for _ in until_deadline():
            consumer.poll(timeout_ms=200)
            if consumer.assignment():
                return
    raise TimeoutError("no assignment came")


def use_transactional_id(settings: KafkaSettings, prefix: str | None = None) -> None:
    identity = f"{prefix or settings.group_id}-0"
    with closing(KafkaProducer(**settings.connection(), transactional_id=identity)) as producer:
        producer.init_transactions()


def create(settings: KafkaSettings, name: str | None) -> None:
    """Only asks whether it would be allowed, which one that exists already is as well."""
    with closing(KafkaAdminClient(**settings.connection())) as admin:
        wanted = {name or settings.topics.outcomes: {"num_partitions": 1, "replication_factor": 1}}
        try:
            admin.create_topics(wanted, timeout_ms=5_000, validate_only=True)
        except TopicAlreadyExistsError:
            return


def give(settings: KafkaSettings) -> None:
    right = Right("topic", uuid.uuid4().hex, "Read", "", "")
    with closing(KafkaAdminClient(**settings.connection())) as admin:
        for error in admin.create_acls([as_acl(right, "User:stranger")])["failed"]:
            raise error


def until_deadline() -> Iterator[float]:
    """Counts on until the deadline."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        yield end - time.monotonic()


def allowed(found: Mapping[str, str]) -> set[str]:
    """The users who may."""
    return {user for user, told in found.items() if told == "yes"}
