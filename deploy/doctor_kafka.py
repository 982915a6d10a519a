"""What the doctor looks at on the broker: reachable, topics, the group's lag, and whether keys are as they must be."""

from collections.abc import Iterator
from contextlib import closing

from deploy.broker.jars import HOME
from deploy.doctor import Finding
from deploy.settings import Settings
from stream.codec import JsonCodec
from stream.errors import AccessError, CodecError, SecretError, StreamError
from stream.events import Click, Impression
from stream.kafka.access import missing_rights
from stream.kafka.client import answering
from stream.kafka.groups import committed_offsets
from stream.kafka.reader import Reader
from stream.kafka.settings import KafkaSettings
from stream.kafka.topics import TopicsReport, describe_topics
from stream.log import INPUT_TOPICS, Record, Topic

_SAMPLE = 50  # records of each partition


def kafka(settings: Settings) -> Iterator[Finding]:
    """Everything about the broker, as far as it can be told."""
    try:
        report = describe_topics(settings.kafka)
    except (AccessError, SecretError) as error:  # what to do stands in the error itself
        yield Finding("bad", f"broker: {error}")
        return
    except StreamError as error:
        yield Finding("bad", f"broker: {error}", _where_a_broker_is(settings.kafka))
        return
    yield Finding("good", f"broker: {settings.kafka.bootstrap_servers} answers")
    yield from _rights(settings.kafka)
    yield from _topics(report)
    if report.problems:
        return
    try:
        with closing(Reader(settings.kafka)) as reader:
            yield from _lag(settings.kafka, reader, report)
            yield from keys(list(_sample(reader, report)))
    except StreamError as error:
        yield Finding("bad", f"records cannot be read: {error}")


def keys(records: list[Record]) -> Iterator[Finding]:
    """Whether a sample of inputs is keyed by user, and each user's records lie in one partition number.

    Clicks are joined where their impression is: a producer in another language that places keys by another hash
    sends a user's clicks to one partition and the impressions to another, and they never meet.
    """
    if not records:
        yield Finding("note", "keys: no impressions or clicks to look at yet")
        return
    codec, users, strange = JsonCodec(), dict[str, tuple[Topic, int]](), 0
    for record in records:
        kind: type[Impression | Click] = Impression if record.topic == "impressions" else Click
        try:
            event = codec.decode(record.value, kind, record.headers)
        except CodecError as error:
            strange += 1
            if strange == 1:
                place = f"{record.topic}[{record.partition}]@{record.offset}"
                yield Finding("note", f"an invalid record at {place}: {error}", "such records become dead letters")
            continue
        if record.key != event.user_id.encode():
            place = f"{record.topic}[{record.partition}]@{record.offset}"
            yield Finding("bad", f"keys: {place} must be keyed by its user_id; got {record.key!r}", _KEYS)
            return
        first = users.setdefault(event.user_id, (record.topic, record.partition))
        if first[1] != record.partition:
            here = f"{first[0]}[{first[1]}] and {record.topic}[{record.partition}]"
            yield Finding("bad", f"keys: a user's records must lie in one partition number; got one in {here}", _KEYS)
            return
    yield Finding("good", f"keys: {len(records):,} sampled records of {len(users):,} users lie where they must")


_KEYS = (
    "producers must key by user_id (UTF-8) and place keys alike: murmur2, in librdkafka `partitioner=murmur2_random`"
)


def _rights(settings: KafkaSettings) -> Iterator[Finding]:
    """What the broker tells of our rights; one without an authorizer allows everything to everyone."""
    with answering(settings, "looking at rights"):
        missing = missing_rights(settings, "agent")
    for right in missing:
        yield Finding("bad", f"rights: {settings.principal} must have {right}", "`streambandit acls` prints all")
    if not missing:
        yield Finding("good", f"rights: {settings.principal} has those on topics and group that the agent needs")
    if settings.password is not None:
        yield Finding(
            "note", "the password is in the settings", "kafka.password_file keeps it out of Ray's memory and store"
        )


def _topics(report: TopicsReport) -> Iterator[Finding]:
    for problem in report.problems:
        advice = "" if "--create" in problem else "make them anew with equal partition counts"
        yield Finding("bad", problem, advice)
    for warning in report.warnings:
        yield Finding("note", warning)
    if not report.problems:
        counts = ", ".join(f"{state.name} {state.partitions}" for state in report.topics)
        yield Finding("good", f"topics: {counts} partitions")


def _lag(settings: KafkaSettings, reader: Reader, report: TopicsReport) -> Iterator[Finding]:
    committed = committed_offsets(settings)
    if not committed:
        yield Finding("note", f"group {settings.group_id!r} has committed nothing yet", "`streambandit run` starts it")
        return
    waiting = 0
    for state in report.topics:
        if state.topic in INPUT_TOPICS:
            ends = (reader.end(state.topic, partition) for partition in range(state.partitions))
            waiting += sum(max(0, end - committed.get((state.name, p), 0)) for p, end in enumerate(ends))
    advice = "is `streambandit run` up?" if waiting else ""
    yield Finding("note" if waiting else "good", f"group {settings.group_id!r}: {waiting:,} records wait", advice)


def _sample(reader: Reader, report: TopicsReport) -> Iterator[Record]:
    for state in report.topics:
        if state.topic in INPUT_TOPICS:
            for partition in range(state.partitions):
                yield from reader.last(state.topic, partition, _SAMPLE)


def _where_a_broker_is(settings: KafkaSettings) -> str:
    address = HOME / "address"
    if address.is_file() and (found := address.read_text().strip()) != settings.bootstrap_servers:
        return f"the broker of `make broker` is at {found}: --set kafka.bootstrap_servers={found}"
    return "start one with `make broker`, or set kafka.bootstrap_servers; `doctor --memory` leaves it out"
