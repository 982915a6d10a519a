"""What a consumer group has committed, as the broker tells somebody who is not in it."""

import time
from contextlib import closing

from kafka.errors import CoordinatorLoadInProgressError, CoordinatorNotAvailableError

from stream.kafka.client import answering, make_admin
from stream.kafka.deadline import Deadline
from stream.kafka.settings import KafkaSettings

_NOT_YET = (CoordinatorNotAvailableError, CoordinatorLoadInProgressError)
_PAUSE_S = 0.1


def committed_offsets(settings: KafkaSettings) -> dict[tuple[str, int], int]:
    """The next offset to read, by topic and partition; empty where the group has committed nothing.

    A new broker makes its topic of positions at the first question about any group, and answers a moment later.

    Raises:
        AccessError: the broker refused.
        LogUnavailableError: the cluster did not answer in time.
    """
    group, deadline = settings.group_id, Deadline(settings.request_timeout_ms / 1000)
    with closing(make_admin(settings)) as admin, answering(settings, f"offsets of group {group}"):
        while True:
            try:
                found = admin.list_group_offsets(group).get(group, {})
            except _NOT_YET:
                if not deadline.remaining_s():
                    raise
                time.sleep(_PAUSE_S)
            else:
                return {(place.topic, place.partition): position.offset for place, position in found.items()}
