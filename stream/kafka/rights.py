"""The rights on the broker that each role needs: exactly these, and for each the reason.

On Kafka, Read and Write on a resource allow to describe it as well, and Write on any topic allows the idempotent
producer: so Describe and IdempotentWrite are listed only where nothing else brings them.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from stream.kafka.settings import KafkaSettings
from stream.log import INPUT_TOPICS, OUTPUT_TOPICS, Topic

Role = Literal["agent", "world", "topics"]
Resource = Literal["topic", "group", "transactional-id"]
Operation = Literal["Read", "Write", "Describe", "Create", "DescribeConfigs"]


class Right(NamedTuple):
    """One operation on one resource.

    Attributes:
        resource: its kind.
        name: its name, or the beginning of it.
        operation: what is allowed, in Kafka's word.
        setting: the setting that the name comes from.
        why: what needs it.
        prefixed: whether all names with this beginning are meant.
    """

    resource: Resource
    name: str
    operation: Operation
    setting: str
    why: str
    prefixed: bool = False

    def __str__(self) -> str:
        """As messages name it."""
        beginning = "beginning with " if self.prefixed else ""
        return f"{self.operation} on {self.resource} {beginning}{self.name!r} ({self.setting})"


def rights_of(role: Role, settings: KafkaSettings) -> tuple[Right, ...]:
    """What a principal in this role needs.

    Args:
        role: `agent` runs the loop, `world` writes the inputs and reads recommendations, `topics` creates the topics.
        settings: topics, group and guarantee.

    >>> [str(right) for right in rights_of("agent", KafkaSettings(group_id="g"))][-2:]
    ["Read on group 'g' (kafka.group_id)", "Write on transactional-id beginning with 'g-' (kafka.group_id)"]
    """
    return tuple({"agent": _agent, "world": _world, "topics": _topics}[role](settings))


def _agent(settings: KafkaSettings) -> Iterator[Right]:
    for topic in INPUT_TOPICS:
        yield _on(settings, topic, "Read", "inputs, and their replay after a restart")
    for topic, written, read in (
        ("recommendations", "decisions", "a restart reads what was decided"),
        ("outcomes", "closed decisions", "a restart learns what is not in the checkpoint"),
        ("dead-letters", "inputs that are no events", "to find out what became of a commit without an answer"),
    ):
        yield _on(settings, topic, "Write", written)
        yield _on(settings, topic, "Read", read)
    yield Right("group", settings.group_id, "Read", "kafka.group_id", "to share partitions and commit positions")
    if settings.guarantee == "exactly_once":
        yield Right(
            "transactional-id", f"{settings.group_id}-", "Write", "kafka.group_id", "one id for each runner", True
        )


def _world(settings: KafkaSettings) -> Iterator[Right]:
    for topic in INPUT_TOPICS:
        yield _on(settings, topic, "Write", "impressions and clicks are the world's")
    yield _on(settings, "recommendations", "Read", "what is shown")


def _topics(settings: KafkaSettings) -> Iterator[Right]:
    for topic in INPUT_TOPICS + OUTPUT_TOPICS:
        yield _on(settings, topic, "Create", "`streambandit topics --create`")
        yield _on(settings, topic, "Describe", "to see which are missing")
        yield _on(settings, topic, "DescribeConfigs", "to see whose clock stamps the records")


def _on(settings: KafkaSettings, topic: Topic, operation: Operation, why: str) -> Right:
    return Right("topic", settings.topics.of(topic), operation, f"kafka.topics.{topic.replace('-', '_')}", why)
