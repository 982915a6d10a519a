"""The default policy as a player: it learns a small world, reads open rounds, and remembers users who return."""

import numpy as np
import pytest

from agent.settings import AgentSettings
from deploy.bench.harness import play
from deploy.bench.ours import OURS, DefaultPolicy
from deploy.bench.world_numeric import delayed, linear, returning_users


def test_it_learns_a_linear_world_in_some_thousands_of_rounds():
    world = linear(3)
    played = play(world, OURS["streambandit"](world, 3), rounds=4_096)
    assert played.lifts(4)[-1] > 0.6  # measured .72, .74 and .75 on seeds 3, 4 and 5
    assert played.lifts(4)[0] < played.lifts(4)[-1]


def test_its_propensities_are_those_of_its_draws():
    world = linear(3)
    player = DefaultPolicy(world, 3)
    play(world, player, rounds=1_024)
    seen = world.rounds(1_024, 1_280).seen
    chosen = [player.decide(seen) for _ in range(200)]
    weight = np.mean([1.0 / propensity_B for _, propensity_B in chosen])
    assert weight == pytest.approx(20.0, rel=0.1)  # the mean of 1 / p is the number of candidates


def test_open_rounds_count_before_any_closed():
    """Within one window nothing closes but the first rounds; a player who waits knows little of the rest."""
    lifts = {}
    for open_decisions in (True, False):
        world = delayed(3)
        settings = AgentSettings(delay={"open_decisions": open_decisions})
        lifts[open_decisions] = play(world, DefaultPolicy(world, 3, settings), rounds=3_072).lift()
    assert lifts[True] > lifts[False] + 0.02


def test_what_a_returning_user_clicked_is_known_at_the_next_round():
    world = returning_users(3)
    player = DefaultPolicy(world, 3)
    play(world, player, rounds=1_024)
    assert len(player.interests) > 100
