"""What is kept of each item, as it counts now."""

import numpy as np
import torch

from agent.item_effects import ItemEffects
from agent.settings import ExpertSettings


def effects():
    return ItemEffects(ExpertSettings(memory_rows=100.0), context_width=2, item_width=2, similarities=1)


def clock(now):
    return torch.tensor(now, dtype=torch.float64)


def test_what_was_seen_of_items_is_forgotten_and_what_they_earned_is_a_mean():
    items = effects()
    places = items.table.place(torch.tensor([7, 8]), now=0.0)
    told = torch.tensor([[0.0, 0.0, 8.0, 2.0], [0.0, 0.0, 4.0, 4.0]])  # the last two: rows and the sum of their rewards
    items.table.write(places, {"scalars": told}, now=0.0)
    rows_N, reward_N = items.seen(np.array([8, 9, 7]), clock(200.0))  # two memories later a quarter counts
    assert rows_N.tolist() == [1.0, 0.0, 2.0]
    assert reward_N.tolist() == [1.0, 0.0, 0.25]


def test_where_nothing_was_learned_nothing_was_seen():
    rows_N, reward_N = effects().seen(np.array([8, 9]), clock(0.0))
    assert rows_N.tolist() == reward_N.tolist() == [0.0, 0.0]
