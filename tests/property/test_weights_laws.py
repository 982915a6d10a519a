"""After every hand-out a runner decides as the learner would, whatever happened to either of them before."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.weights import Group, Runner, assert_decides_alike, put, rows, taught

from agent.checkpoint import Checkpoint
from agent.learned import Learned
from agent.rllib.hand_out import HandOut
from agent.table import Table
from stream.meter import Tally

LEARNER = ("learn", "learn", "provide", "provide", "settle", "forget", "refresh", "save", "restore")
RUNNER = ("send", "send", "send", "lose", "open", "restart", "end")
EVENTS = st.lists(st.tuples(st.sampled_from(LEARNER + RUNNER), st.integers(0, 5)), min_size=6, max_size=24)


class World:
    """A learner, a runner that uses weights at once, one that does so when told to, and the hand-out between them."""

    def __init__(self, remembered):
        self.learning, self.saved, self.tally = taught(remembered), None, Tally()
        self.group = Group({1: Runner(), 2: Runner(lazy=True)})
        self.hand_out = HandOut(self.group, self.learning.policy, self.tally, put)
        self.ended = set()

    def do(self, event, seed):
        getattr(self, f"_{event}")(seed)

    def _learn(self, seed):
        self.learning.learn(rows(seed + 10, 200))

    def _provide(self, seed):
        share_R = np.full(60, 0.5)
        self.learning.policy.provide(rows(seed + 20, 60), share_R)

    def _settle(self, _):
        self.learning.provide(None)

    def _forget(self, _):
        self.learning.policy.forget()

    def _refresh(self, _):
        self.learning.policy.expert.settle()
        self.learning._refresh(first=True)

    def _save(self, _):
        self.learning.provide(None)
        self.saved = Checkpoint.of(self.learning, {}, Learned())

    def _restore(self, _):
        if self.saved is not None:
            self.learning.provide(None)
            epoch = int(self.learning.policy.epoch)
            self.saved.restore_into(self.learning)
            self.learning.policy.epoch.fill_(epoch + 1)

    def _lose(self, seed):
        self.group.lost = {1 + seed % 2}
        self.hand_out.send(self.ended)
        self.group.lost = set()

    def _open(self, _):
        self.group.runners[2].inbox.open(self.group.runners[2].policy)

    def _restart(self, seed):
        index = 1 + seed % 2
        self.group.runners[index] = Runner(lazy=index == 2)
        if seed % 3:
            self.hand_out.forget(index)
            self.group.answers = [answer for answer in self.group.answers if answer[0] != index]
        else:  # it goes unnoticed until the runner refuses what builds on what it has not
            self.ended = set()
            self._send(seed)

    def _end(self, seed):
        self.ended = {2} if seed % 2 else set()

    def _send(self, _):
        self.hand_out.send(self.ended)


@given(events=EVENTS, remembered=st.sampled_from([600, 16_384]))
@settings(max_examples=40, deadline=None)
def test_a_runner_that_took_the_weights_decides_like_the_learner(events, remembered):
    world = World(remembered)
    for event, seed in events:
        world.do(event, seed)
        if event == "send":
            assert_decides_alike(world.group.runners[1].policy, world.learning.policy)
    world.ended = set()
    world.do("send", 0)
    world.do("open", 0)
    for runner in world.group.runners.values():
        assert_decides_alike(runner.policy, world.learning.policy)


WRITES = st.lists(
    st.tuples(st.sampled_from(["place", "write", "truncate", "clear", "take", "skip"]), st.integers(0, 999)),
    max_size=40,
)


@given(writes=WRITES)
@settings(max_examples=100, deadline=None)
def test_a_copy_that_takes_what_was_written_is_the_same_table(writes):
    table, copy = Table({"value": 2}, most=60, memory_rows=10.0), Table({"value": 2}, most=60, memory_rows=10.0)
    revision = None
    for number, (write, seed) in enumerate(writes):
        random = np.random.default_rng(seed)
        key_M = torch.from_numpy(random.permutation(150)[: 1 + seed % 30])
        if write == "place":
            places = table.place(key_M, now=float(number))
            assert (table.key[places] == key_M).all()
        elif write == "write" and len(table):
            places = torch.from_numpy(random.permutation(len(table))[: 1 + seed % 9])
            table.write(places, {"value": torch.from_numpy(random.normal(size=(len(places), 2)))}, now=float(number))
        elif write == "truncate":
            table.truncate(min(len(table), seed % 70))
        elif write == "clear":
            table.clear()
        elif write == "take":
            if revision is None or not table.remembers(revision):
                copy.clear()
                revision = None
            copy.take(table.part(revision))
            revision = table.revision
            for name, value in table.state_dict().items():
                assert torch.equal(copy.state_dict()[name], value)
            assert torch.equal(copy.find(torch.arange(150)), table.find(torch.arange(150)))
    assert torch.equal(table.find(table.key[: len(table)]), torch.arange(len(table)))
