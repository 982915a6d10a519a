"""A unit of work on its way to the broker: carried by a thread of its own, and never across a rebalance."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener

from stream.log import Progress, Published
from stream.unit import HeldUnit

_LOOK_S = 0.002


class Flight:
    """One unit on its way.

    Args:
        unit: is told how long it took.
        advanced: the whole progress once it has landed.

    Attributes:
        advanced: as given.
        carried: where its events lie, or what went wrong.
    """

    def __init__(self, unit: HeldUnit, advanced: Mapping[int, Progress]) -> None:
        self._unit = unit
        self.advanced = advanced
        self.carried: Future[Sequence[Published]] = Future()

    def carry(self, settle: Callable[[], Sequence[Published]]) -> None:
        """Settles the unit; called by the carrying thread."""
        started_s = time.monotonic()
        try:
            published = settle()
        except BaseException as error:  # noqa: BLE001 - raised where the unit lands
            self.carried.set_exception(error)
            return
        self._unit.took_s = time.monotonic() - started_s
        self.carried.set_result(published)

    def has_arrived(self) -> bool:
        """Whether all of it is visible."""
        return self.carried.done() and self.carried.exception() is None


class Carrier(AsyncConsumerRebalanceListener):
    """The threads that carry units, one at a time, and what a consumer asks before it joins a rebalance.

    What makes a unit visible has a thread, and what may follow that has another: one following at most, so the next
    unit can become visible meanwhile and is held up only by what follows it.

    A member that has joined anew commits under another generation, and whoever owns its partitions then reads what is
    committed. So the unit on its way ends first; the consumer's heartbeats go on meanwhile.

    Args:
        consumer: whose rebalances wait. What it runs while it waits is its client's own loop.

    Attributes:
        held_back: whether a rebalance has waited, and with it the poll that was to join it.
    """

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="carry")
        self._second = ThreadPoolExecutor(max_workers=1, thread_name_prefix="follow")
        self._carried: Future[Sequence[Published]] | None = None
        self._following: Future[None] | None = None
        self.held_back = False

    def take(self, flight: Flight, settle: Callable[[], Sequence[Published]]) -> None:
        """Sets a unit on its way."""
        self._carried = flight.carried
        self._thread.submit(flight.carry, settle)

    def follow(self, call: Callable[[], None]) -> None:
        """Lets a call follow, in the other thread; called by the carrying one. Raises what the call before raised."""
        before, self._following = self._following, None
        if before is not None:
            before.result()
        self._following = self._second.submit(call)

    def wait(self) -> None:
        """Returns when nothing is on its way and nothing follows; both have deadlines of their own."""
        if self._carried is not None:
            wait([self._carried])
        if self._following is not None:
            wait([self._following])

    def forget(self) -> None:
        """Waits, and forgets what became of what followed: its unit is read again."""
        self.wait()
        self._following = None

    def close(self) -> None:
        """Ends the threads once nothing is on its way."""
        self._thread.shutdown(wait=True)
        self._second.shutdown(wait=True)

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:  # noqa: ARG002 - the client's signature
        """Holds the consumer back until nothing is on its way."""
        while any(each is not None and not each.done() for each in (self._carried, self._following)):
            self.held_back = True
            await self._consumer._net.sleep(_LOOK_S)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Nothing is to be done."""
