"""The deterministic schedule: deciding and learning in one thread, updates cut by count.

Here the same seed and log give the same decisions. The live schedule is the RLlib algorithm's.
"""

from collections.abc import Callable

from agent.deciding import DecidingLoop, Ending, Resolved
from agent.learning import Learning
from agent.policy import Policy
from envs.rows import Rows
from envs.session import Session


class DeterministicLoop:
    """Decides and learns for one session.

    Args:
        session: the open core, over a log whose order is fixed.
        policy: learns after every `update_rows` resolved rows, in the order of their commits.
        run_seed: every draw follows from it.
        relabel: what becomes of rows before they are learned; None learns them as they are. For controls.
        ending: when to end.
    """

    def __init__(
        self,
        session: Session,
        policy: Policy,
        run_seed: int,
        relabel: Callable[[Rows], Rows] | None = None,
        ending: Ending | None = None,
    ) -> None:
        self._deciding = DecidingLoop(session, policy, run_seed, ending)
        self._learning = Learning(policy)
        self._relabel = relabel
        self._waiting: list[Resolved] = []

    @property
    def ended(self) -> bool:
        """Whether no more decisions will come."""
        return self._deciding.ended

    def step(self, *, learn: bool = True) -> None:
        """One micro-batch, and the updates that it makes due."""
        resolved = self._deciding.step()
        if not learn or resolved is None:
            return
        self._waiting.append(resolved)
        cut = self._learning.policy.settings.update_rows
        while sum(map(len, self._waiting)) >= cut:
            everything = Resolved.concatenate(self._waiting)
            rows = everything[:cut].rows
            self._waiting = [everything[cut:]]
            self._learning.learn(rows if self._relabel is None else self._relabel(rows))

    def run(self, *, learn: bool = True) -> None:
        """Steps until the end."""
        while not self.ended:
            self.step(learn=learn)
