"""A steady load on one side, and how long each impression took until its recommendation was read back."""

import heapq
import math
import time
from itertools import count

import msgspec
import numpy as np
from numpy.typing import NDArray

from deploy.bench.errors import BenchError
from deploy.bench.speed.sides import Wire
from deploy.bench.speed.traffic import Traffic
from deploy.clocks import wall_clock_ms
from stream.events import Click

_READ_MS = 10.0
_LEFT_S = 20.0


class _Told(msgspec.Struct):
    impression_id: str


_TOLD = msgspec.json.Decoder(_Told)


def pace(one: Wire, traffic: Traffic, rate: float, seconds: float, warm_s: float = 1.0) -> NDArray[np.float64]:
    """Sends impressions at a steady rate, and their clicks when they are due.

    Args:
        one: the side.
        traffic: what is sent; event time is the clock's.
        rate: impressions a second.
        seconds: how long.
        warm_s: the first part, which is not told.

    Returns:
        Milliseconds from sending to reading back, of each impression after the first part. Those of an echo, which
        does not say of which impression it is, are told in the order in which they come; one that came out of
        order would only change places with another.

    Raises:
        BenchError: recommendations stay out.
    """
    one.tail.take()
    sent_s: dict[str, tuple[int, float]] = {}  # number and time of what is not read back
    due_clicks: list[tuple[float, int, Click]] = []
    took_ms: list[tuple[int, float]] = []
    numbers = count()
    started_s, total = time.monotonic(), int(rate * seconds)
    while len(took_ms) < total:
        now_s = time.monotonic()
        while (number := len(sent_s) + len(took_ms)) < total and now_s >= started_s + number / rate:
            impression, click = traffic.impression(wall_clock_ms())
            sent_s[impression.impression_id] = number, time.monotonic()
            one.feed.send(impression)
            if click is not None:
                delay_ms = click.ts_ms - impression.ts_ms
                heapq.heappush(due_clicks, (now_s + delay_ms / 1_000, next(numbers), click))
        while due_clicks and due_clicks[0][0] <= now_s:
            one.feed.send(heapq.heappop(due_clicks)[2])
        due_s = min(started_s + number / rate, due_clicks[0][0] if due_clicks else math.inf)
        for record in one.tail.take(_wait_ms(due_s)):
            if record.topic == "recommendations" and sent_s:
                name = _TOLD.decode(record.value).impression_id
                number, then_s = sent_s.pop(name if name in sent_s else next(iter(sent_s)))
                took_ms.append((number, 1_000 * (time.monotonic() - then_s)))
        if now_s > started_s + seconds + _LEFT_S:
            raise BenchError(f"Every impression must be decided within {_LEFT_S:g} s; {len(sent_s):,} are not")
    for _, _, click in due_clicks:
        one.feed.send(click)
    return np.array([took for number, took in took_ms if number >= warm_s * rate])


def _wait_ms(due_s: float) -> float:
    """How long to look for records before the next is sent: looking again and again would take from who is measured."""
    return min(max(1_000 * (due_s - time.monotonic()), 0.0), _READ_MS)
