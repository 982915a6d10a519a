"""How rows are learned: each once, refreshed at their counts, nothing of a bad batch, and the same after a restore."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from agent.delay import Delays, OpenRows
from agent.errors import LearnError
from agent.inputs import inputs_of_rows
from agent.learning import Learning
from agent.policy import Policy
from agent.settings import AgentSettings
from agent.threads import one_thread
from envs.features import Layout
from envs.rows import Rows

LAYOUT = Layout(text=0, context=3, candidate=4)


def learning(refresh_rows=(64, 200), **expert):
    return Learning(Policy(AgentSettings(expert={"refresh_rows": refresh_rows} | expert), LAYOUT))


def rows(seed, count, scale=1.0):
    """Rows whose reward depends on the first number of the candidate."""
    random = np.random.default_rng(seed)
    candidate_RD = random.normal(size=(count, LAYOUT.candidate)).astype(np.float32)
    return Rows(
        context_RC=random.normal(size=(count, LAYOUT.context_total)).astype(np.float32),
        user_RU=random.normal(size=(count, LAYOUT.user_total)).astype(np.float32),
        candidate_RD=scale * candidate_RD,
        item_R=np.arange(count) % 20,
        user_R=np.arange(count),
        reward_R=(random.random(count) < 1 / (1 + np.exp(1 - 2 * candidate_RD[:, 0]))).astype(np.float32),
        propensity_R=np.full(count, 0.25),
        slot_R=np.zeros(count, np.int64),
        alike_R=np.zeros(count, np.float32),
        weight_R=np.ones(count, np.float32),
        group_R=np.arange(count) % 10,
    )


def state_of(policy):
    return {name: value.clone() for name, value in policy.state_dict().items()}


def same(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_until_enough_rows_came_they_are_kept_and_nothing_is_learned():
    learner = learning()
    metrics = learner.learn(rows(0, 63))
    assert (metrics["loss"], metrics["rows"], metrics["refreshed"], metrics["changed"]) == (0.0, 63.0, 0.0, 0.0)
    assert not learner.fitted
    assert same(state_of(learner.policy.expert), state_of(learning().policy.expert))


def test_the_first_refresh_fits_and_learns_all_that_was_kept():
    learner = learning()
    learner.learn(rows(0, 40))
    assert learner.learn(rows(1, 40))["refreshed"] == 1.0
    assert learner.fitted
    direct = Policy(learner.policy.settings, LAYOUT)
    both = Rows.concatenate([rows(0, 40), rows(1, 40)])
    direct.fit(both)
    with one_thread():  # as the learner does: sums depend on who adds them up
        direct.learn(both)
    assert same(state_of(direct.expert), state_of(learner.policy.expert))
    assert same(state_of(direct.item_side), state_of(learner.policy.item_side))


def test_each_row_is_learned_once_and_its_loss_is_of_before():
    learner = learning(refresh_rows=(64,))
    learner.learn(rows(0, 64))
    direct = deepcopy(learner.policy)
    with one_thread():
        predicted_R, reward_R = direct.learn(rows(1, 30)), rows(1, 30).reward_R
    loss_R = -np.log(np.where(reward_R > 0, predicted_R, 1 - predicted_R))
    assert learner.learn(rows(1, 30))["loss"] == pytest.approx(float(loss_R.mean()), rel=1e-5)
    assert same(state_of(direct.expert), state_of(learner.policy.expert))


def test_counts_say_how_many_rows_and_which_version():
    learner = learning()
    for seed, count in enumerate((10, 0, 90)):
        metrics = learner.learn(rows(seed, count))
    assert (metrics["rows"], int(learner.policy.rows), learner.policy.version) == (100.0, 100, "0.3")


def judged_by(learner, loss):
    """Lets the live policy have had this loss on every row that is kept."""
    state = learner.get_state()
    if state:
        predicted_R = np.where(state["reward_R"] > 0, np.exp(-loss), 1 - np.exp(-loss)).astype(np.float32)
        learner.set_state(state | {"predicted_R": predicted_R})


@pytest.mark.parametrize(
    ("counts", "refreshed"), [((64, 135, 1, 50), [1, 0, 1, 0]), ((63, 200), [0, 1]), ((300,), [1]), ((0, 64), [0, 1])]
)
def test_a_refresh_is_due_when_its_count_of_rows_is_reached_or_passed(counts, refreshed):
    learner, found = learning(), []
    for seed, count in enumerate(counts):
        judged_by(learner, 5.0)  # so bad that any refresh is better
        found.append(learner.learn(rows(seed, count))["refreshed"])
    assert found == refreshed


@pytest.mark.parametrize(("live_loss", "taken"), [(5.0, 1.0), (1e-6, 0.0)])
def test_a_later_refresh_is_taken_only_if_it_would_have_had_a_lower_loss(live_loss, taken):
    learner = learning(refresh_rows=(64, 128))
    learner.learn(rows(0, 64))
    without = deepcopy(learner.policy)
    with one_thread():
        without.learn(rows(1, 64))
    judged_by(learner, live_loss)
    assert learner.learn(rows(1, 64))["refreshed"] == taken
    assert same(state_of(without.item_side), state_of(learner.policy.item_side)) == (not taken)
    assert same(state_of(without.expert), state_of(learner.policy.expert)) == (not taken)
    assert int(learner.policy.rows) == 128


def test_the_last_rows_are_kept_for_a_refresh_and_no_more():
    learner = learning(refresh_rows=(64,), buffer_rows=1_024)
    for seed in range(30):
        learner.learn(rows(seed, 100))
    kept = learner.get_state()["reward_R"]
    assert 1_024 <= len(kept) < 1_024 + 100
    np.testing.assert_array_equal(kept[-100:], rows(29, 100).reward_R)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("reward_R", 1.5, r"rows reward_R must be in \[0, 1\]; got .*1\.5"),
        ("reward_R", -0.1, r"rows reward_R must be in \[0, 1\]; got .*-0\.1"),
        ("reward_R", np.nan, "rows reward_R must be finite; got .*nan"),
        ("context_RC", np.inf, "rows context_RC must be finite; got .*inf"),
        ("user_RU", np.nan, "rows user_RU must be finite; got .*nan"),
        ("candidate_RD", -np.inf, "rows candidate_RD must be finite; got .*inf"),
    ],
)
@pytest.mark.parametrize("before", [0, 100])
def test_a_bad_row_is_an_error_and_nothing_of_its_batch_is_learned(column, value, message, before):
    learner = learning()
    learner.learn(rows(0, before))
    policy, kept = state_of(learner.policy), learner.get_state()
    bad = rows(1, 20)
    values = getattr(bad, column).copy()
    values[7] = value
    with pytest.raises(LearnError, match=message):
        learner.learn(replace(bad, **{column: values}))
    assert same(policy, state_of(learner.policy))
    for name, array in learner.get_state().items():
        np.testing.assert_array_equal(array, kept[name])


@pytest.mark.parametrize("before", [0, 80])
def test_an_update_without_rows_counts_and_changes_nothing_else(before):
    learner = learning()
    learner.learn(rows(0, before))
    settled = state_of(learner.policy) | {"updates": torch.tensor(2)}
    metrics = learner.learn(rows(1, 0))
    assert (metrics["loss"], metrics["rows"], metrics["refreshed"], metrics["changed"]) == (0.0, before, 0.0, 0.0)
    assert same(state_of(learner.policy), settled)
    assert len(learner) == before


def test_an_unknown_propensity_is_no_error():
    learner = learning()
    unknown = replace(rows(0, 70), propensity_R=np.full(70, np.nan))
    assert learner.learn(unknown)["rows"] == 70.0


@pytest.mark.parametrize("before", [10, 100, 250])
def test_what_was_saved_and_restored_goes_on_identically(before):
    learner = learning()
    learner.learn(rows(0, before))
    restored = learning()
    restored.policy.load_state_dict(state_of(learner.policy))
    restored.set_state({name: array.copy() for name, array in learner.get_state().items()})
    for seed in range(1, 8):
        assert restored.learn(rows(seed, 40)) == learner.learn(rows(seed, 40))
    assert same(state_of(learner.policy), state_of(restored.policy))


def test_before_the_first_row_there_is_no_state_and_it_can_be_restored():
    learner = learning()
    assert learner.get_state() == {}
    learner.set_state({})
    assert learner.learn(rows(0, 64))["refreshed"] == 1.0


def test_learning_lowers_the_loss():
    learner = learning(refresh_rows=(64,))
    learner.learn(rows(0, 64))
    losses = [learner.learn(rows(seed, 100))["loss"] for seed in range(1, 21)]
    fresh = rows(99, 20_000)
    odds = 2 * fresh.candidate_RD[:, 0] - 1
    best = float(np.mean(np.logaddexp(0, odds) - fresh.reward_R * odds))  # of one who knows the true probabilities
    base = fresh.reward_R.mean()
    never = float(-base * np.log(base) - (1 - base) * np.log(1 - base))
    assert np.mean(losses[-5:]) < best + 0.4 * (never - best)


# Changes


def turned(seed, count):
    """Rows of readers who now like what they disliked."""
    return replace(rows(seed, count), candidate_RD=-rows(seed, count).candidate_RD)


def shown(learner, seed, made):
    """The half of 512 rows that the policy takes for the better ones, as if it had shown them."""
    found = made(seed, 512)
    better_R = np.argsort(-learner.policy.score(inputs_of_rows(found))[0].numpy(), kind="stable")[:256]
    return found.where(np.isin(np.arange(512), better_R))


def test_after_a_break_what_was_learned_before_is_forgotten_and_what_came_since_is_not():
    learner = learning(refresh_rows=(256,))
    learner.learn(rows(0, 256))
    before = [learner.learn(shown(learner, seed, rows))["changed"] for seed in range(1, 20)]
    after = [learner.learn(shown(learner, seed, turned))["changed"] for seed in range(20, 30)]
    assert sum(before) == 0.0
    assert after[:4].count(1.0) == 1
    assert int(learner.policy.change.count) == sum(after)
    marks = learner.get_state()["changed_R"]
    assert marks[: 19 * 256].max() == 0  # before the break
    assert marks[-256 * 6 :].min() == 1
    fresh = turned(99, 2_000)
    told = learner.policy.score(inputs_of_rows(fresh))[0].numpy()
    assert np.corrcoef(told, fresh.candidate_RD[:, 0])[0, 1] < -0.8  # they like the opposite, and it knows


def test_an_alarm_after_which_forgetting_would_not_help_forgets_nothing():
    learner = learning(refresh_rows=(256,))
    for seed in range(20):
        learner.learn(rows(seed, 256))
    learner.policy.change.sum.fill_(1e6)
    kept = deepcopy(learner)
    kept.policy.change.last.fill_(1 << 40)  # no alarm here
    assert learner.learn(rows(50, 256))["changed"] == 0.0
    kept.learn(rows(50, 256))
    assert int(learner.policy.change.last) == int(learner.policy.rows)  # it was raised, and tried
    assert same(state_of(learner.policy.expert), state_of(kept.policy.expert))


# Open rows


def open_rows(seed, count, age_ms=500.0, clicked=False):
    shown = replace(rows(seed, count), reward_R=np.full(count, float(clicked), np.float32))
    return OpenRows(shown, np.full(count, age_ms), np.ones(count), window_ms=1_000)


def logits(learner):
    inputs = inputs_of_rows(rows(77, 5))
    return learner.policy.score(inputs)[0].numpy()


def test_open_rows_without_a_click_lower_the_scores_the_more_the_older_they_are_and_clicked_ones_raise_them():
    learner = learning()
    learner.learn(rows(0, 100))
    settled = logits(learner).mean()
    found = []
    for age_ms, clicked in ((0.0, False), (100.0, False), (900.0, False), (0.0, True)):
        learner.provide(open_rows(1, 60, age_ms, clicked))
        found.append(logits(learner).mean())
    assert found[0] == pytest.approx(settled, abs=1e-6)
    assert found[2] < found[1] < found[0] < found[3]


def test_open_rows_may_lie_in_memory_that_cannot_be_written():
    """As those do that came from another process; torch warns of them, and a warning is an error here."""
    learner, given = learning(), open_rows(1, 60)
    learner.learn(rows(0, 100))
    for column in (*given.rows.columns().values(), given.age_ms_R, given.share_R):
        column.flags.writeable = False
    before = logits(learner)
    learner.provide(given)
    assert (logits(learner) != before).any()


def test_delays_of_closed_clicks_tell_how_much_an_age_counts():
    quick, slow = learning(), learning()
    for learner, delay_ms in ((quick, 10.0), (slow, 990.0)):
        learner.learn(rows(0, 100), Delays(np.full(100, delay_ms), np.full(100, 1_000.0)))
        learner.provide(open_rows(1, 60, age_ms=500.0))
    assert logits(quick).mean() < logits(slow).mean()


@pytest.mark.parametrize("before", [10, 100])
def test_nothing_that_is_settled_or_learned_later_depends_on_what_was_provided(before):
    disturbed, other = learning(), learning()
    for seed in range(8):
        assert disturbed.learn(rows(seed, before)) == other.learn(rows(seed, before))  # the losses as well
        disturbed.provide(open_rows(50 + seed, 30))
    disturbed.provide(None)
    assert same(state_of(disturbed.policy), state_of(other.policy))
    for name, array in disturbed.get_state().items():
        np.testing.assert_array_equal(array, other.get_state()[name])


def test_open_rows_can_be_left_out_and_few_of_them_are_before_anything_is_fitted():
    without = Learning(Policy(AgentSettings(delay={"open_decisions": False}, expert={"refresh_rows": (64,)}), LAYOUT))
    without.learn(rows(0, 100))
    early = learning()
    early.learn(rows(0, 10))
    for learner in (without, early):
        before = state_of(learner.policy)
        learner.provide(open_rows(1, 60))
        assert same(state_of(learner.policy), before)


def test_open_rows_stand_in_for_a_first_refresh_until_enough_have_closed():
    early = learning()
    early.learn(rows(0, 10))
    before = state_of(early.policy)
    early.provide(open_rows(1, 80))
    assert np.ptp(logits(early)) > 0.01
    assert not early.fitted
    early.provide(None)
    assert same(state_of(early.policy), before)


def test_exploration_counts_what_open_rows_count_for_until_they_are_gone():
    learner = learning()
    learner.learn(rows(0, 100))
    learner.provide(open_rows(1, 60, age_ms=250.0))
    assert float(learner.policy.open_rows) == pytest.approx(15.0)
    learner.learn(rows(2, 5))
    assert float(learner.policy.open_rows) == 0.0


def test_rows_that_are_kept_do_not_depend_on_where_a_restart_lay():
    straight, restarted = learning(buffer_rows=1_024), learning(buffer_rows=1_024)
    for seed in range(14):
        delays = Delays(np.full(150, 10.0 * seed), np.full(150, 1_000.0))
        straight.learn(rows(seed, 150), delays)
        restarted.learn(rows(seed, 150), delays)
        again = learning(buffer_rows=1_024)
        again.policy.load_state_dict(state_of(restarted.policy))
        again.set_state({name: array.copy() for name, array in restarted.get_state().items()})
        restarted = again
    assert len(straight.get_state()["reward_R"]) == 1_024
    for name, array in straight.get_state().items():
        assert array.tobytes() == restarted.get_state()[name].tobytes()
    assert same(state_of(straight.policy), state_of(restarted.policy))


def test_a_row_of_some_weight_teaches_like_as_many_rows():
    thrice, once = learning(), learning()
    for each in (thrice, once):
        each.learn(rows(0, 512))
    few = rows(1, 8)
    thrice.policy.learn(replace(few, weight_R=np.full(8, 3.0, np.float32)))
    once.policy.learn(Rows.concatenate([few] * 3))
    assert thrice.policy.expert.precision.trace() > 0.0
    torch.testing.assert_close(thrice.policy.expert.precision, once.policy.expert.precision, rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(thrice.policy.stack.eta, once.policy.stack.eta, rtol=1e-2, atol=1e-2)
