"""The other side of the transport benchmarks: an echo that consumes, decodes and publishes, and does nothing between.

It has the agent's client, batch size and guarantee, and for each impression it publishes records of the size of a
recommendation and of an outcome, taken from what an agent published.
"""

from collections.abc import Sequence
from itertools import cycle
from multiprocessing.synchronize import Event

from stream.codec import JsonCodec
from stream.events import Click, Impression
from stream.kafka.log import KafkaLog
from stream.kafka.settings import KafkaSettings
from stream.log import Progress, Record

_POLL_MS = 50


def echo(
    settings: KafkaSettings, index: int, payloads: Sequence[tuple[bytes, bytes]], max_batch: int, stop: Event
) -> None:
    """Echoes until it is asked to stop; to be run in a process of its own.

    Args:
        settings: of its cluster, group and topics.
        index: which member of the group it is.
        payloads: recommendations with the outcomes beside them, as published by an agent; used in turn.
        max_batch: records taken at once.
        stop: set when it is to end.
    """
    log, codec, turn = KafkaLog(settings, index), JsonCodec(), cycle(payloads)
    try:
        while not stop.is_set():
            records = log.poll(max_batch, _POLL_MS)
            if not records:
                continue
            unit = log.begin()
            for record in records:
                if record.topic == "clicks":
                    codec.decode(record.value, Click, record.headers)
                    continue
                codec.decode(record.value, Impression, record.headers)
                recommendation, outcome = next(turn)
                key = record.key or b""
                unit.publish("recommendations", record.partition, key, recommendation, codec.headers)
                unit.publish("outcomes", record.partition, key, outcome, codec.headers)
            unit.commit(_progress(log, records))
    finally:
        log.close()


def _progress(log: KafkaLog, records: Sequence[Record]) -> dict[int, Progress]:
    ends: dict[int, dict[str, int]] = {}
    for record in records:
        ends.setdefault(record.partition, {})[record.topic] = record.offset + 1
    owned = log.assignment()
    return {partition: Progress(next=next_) for partition, next_ in ends.items() if partition in owned}
