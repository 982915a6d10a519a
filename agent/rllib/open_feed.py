"""When a runner's deciding thread looks at its open decisions: when asked to, and for a small part of its time."""

import logging
from collections.abc import Callable

from agent.errors import EncoderError
from agent.open_book import OpenBook
from agent.open_look import OpenLook
from agent.rllib.provisional import LONGEST_WAIT_S
from agent.settings import DelaySettings
from envs.session import Session

_MOST_READ = 256  # decisions that one look reads from the log's join, where they were not noted when they were taken
_PAUSES = 20.0  # a look is followed by a pause so many times as long, so that decisions lose 5 % at the most
_log = logging.getLogger("streambandit.runner")


class OpenFeed:
    """Looks from the deciding thread, asked for by the driver's calls. One look at most waits to be taken.

    Args:
        book: of the core that decides.
        timer: seconds from an arbitrary start.
    """

    def __init__(self, book: OpenBook, timer: Callable[[], float]) -> None:
        self.book = book
        self._timer = timer
        self._asked: int | None = None
        self._waiting = False
        self._rests_until_s = float("-inf")

    def ask(self, known: int) -> None:
        """Asks for a look, on top of the one that is known; called by the driver's thread."""
        self._asked = known

    def taken(self) -> None:
        """Says that the last look has left; called by the driver's thread."""
        self._waiting = False

    def look(self) -> OpenLook | None:
        """A look, if one is due now; called by the deciding thread between two micro-batches."""
        known, started_s = self._asked, self._timer()
        if known is None or self._waiting or started_s < self._rests_until_s:
            return None
        self._asked = None
        try:
            look = self.book.look(known, _MOST_READ)
        except EncoderError as error:
            _log.warning("open decisions cannot be read now: %s", error)
            look = None
        self._waiting = look is not None
        ended_s = self._timer()
        self._rests_until_s = ended_s + _PAUSES * (ended_s - started_s)
        return look


def share_of(settings: DelaySettings, runners: int) -> DelaySettings:
    """The settings for one of some runners, which read `max_open` decisions together."""
    return settings.model_copy(update={"max_open": max(2, settings.max_open // max(runners, 1))})


def open_feed(session: Session, settings: DelaySettings, seed: int) -> OpenFeed | None:
    """The feed of a runner; None where decisions close as fast as the learner learns, or open ones do not count.

    Args:
        session: whose core decides.
        settings: this runner's share of them.
        seed: of the choice among many open decisions.
    """
    window_ms = session.core.settings.attribution.window_ms
    if not settings.open_decisions or window_ms <= 1_000.0 * LONGEST_WAIT_S:
        return None
    return OpenFeed(OpenBook(session.core, settings, seed), session.timer)
