"""The worlds: the rates they promise, the same rounds however they are cut, and what makes each of them special."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.encoders import HashingEncoder

from deploy.bench import world_banking, world_numeric, world_text
from deploy.bench.errors import BenchError
from deploy.bench.world_items import any_of, live_of, popular_of
from deploy.bench.world_logits import calibrate
from deploy.bench.world_reading import Reading, Vectors
from deploy.bench.world_tastes import Visit, recurring, turning
from deploy.bench.worlds import REPORT_SEEDS, TUNE_SEEDS, WORLDS, Library, build

NUMERIC = [name for name in WORLDS if name not in ("text", "banking77")]
CATEGORIES = [f"intent_{index}" for index in range(30)]


@pytest.fixture
def library(tmp_path):
    folder = tmp_path / "banking77"
    folder.mkdir()
    rows = [f"Utterance {index},{CATEGORIES[index % 30]}" for index in range(90)]
    (folder / "train.csv").write_text("text,category\n" + "\n".join(rows[:60]))
    (folder / "test.csv").write_text("text,category\n" + "\n".join(rows[60:]))
    (folder / "categories.json").write_text(json.dumps(CATEGORIES))
    return Library(tmp_path, Vectors(HashingEncoder()))


def test_nothing_is_tuned_on_the_seeds_that_are_reported():
    assert not set(TUNE_SEEDS) & set(REPORT_SEEDS)
    assert len(REPORT_SEEDS) == 10


@pytest.mark.parametrize("name", WORLDS)
def test_a_seed_gives_the_same_rounds_however_they_are_cut(name, library):
    whole, parts, other = (build(name, seed, library) for seed in (3, 3, 4))
    one = whole.rounds(0, 300)
    first, second = parts.rounds(0, 47), parts.rounds(47, 300)
    for column in ("probability_BK", "draw_BK", "delay_B"):
        both = np.concatenate([getattr(first, column), getattr(second, column)])
        np.testing.assert_allclose(getattr(one, column), both, rtol=1e-5, err_msg=column)
    for column in ("context_BC", "candidate_BKD", "item_BK", "user_B"):
        both = np.concatenate([getattr(first.seen, column), getattr(second.seen, column)])
        np.testing.assert_allclose(getattr(one.seen, column), both, rtol=1e-5, err_msg=column)
    assert second.seen.start == 47
    assert not np.array_equal(other.rounds(0, 300).seen.item_BK, one.seen.item_BK)


@pytest.mark.parametrize("name", WORLDS)
def test_rounds_have_the_shapes_and_types_that_players_rely_on(name, library):
    world = build(name, 0, library)
    rounds = world.rounds(0, 64)
    seen = rounds.seen
    columns = 8 if world.text else 32
    assert (seen.context_BC.shape, seen.context_BC.dtype) == ((64, columns), np.float32)
    assert (seen.candidate_BKD.shape, seen.candidate_BKD.dtype) == ((64, 20, columns), np.float32)
    assert (seen.item_BK.dtype, seen.user_B.dtype, rounds.delay_B.dtype) == (np.int64,) * 3
    assert (np.diff(np.sort(seen.item_BK, axis=1), axis=1) > 0).all()
    assert ((rounds.probability_BK > 0) & (rounds.probability_BK < 1)).all()
    assert world.texts_met == (1.0 if world.text else None)


@pytest.mark.parametrize("name", NUMERIC)
def test_uniform_and_best_choice_have_the_promised_rates(name, library):
    probability_BK = build(name, 1, library).rounds(0, 20_000).probability_BK
    uniform, oracle = (0.01, 0.10) if name == "heavy-tailed" else (0.05, 0.25)
    assert probability_BK.mean() == pytest.approx(uniform, rel=0.15)
    assert probability_BK.max(axis=1).mean() == pytest.approx(oracle, rel=0.15)


def test_a_rate_that_no_scale_reaches_is_refused():
    raw_BK = np.zeros((10, 20))
    with pytest.raises(BenchError, match=r"must be reachable by a scale in \(0, 64\); got 0.3"):
        calibrate(raw_BK, raw_BK, 0.05, 0.3)


def test_an_item_keeps_its_features():
    seen = world_numeric.linear(0).rounds(0, 200).seen
    item = seen.item_BK[0, 0]
    again_RD = seen.candidate_BKD[seen.item_BK == item]
    assert len(again_RD) > 5
    assert (again_RD == again_RD[0]).all()


def test_every_item_is_drawn_equally_often():
    item_BK = any_of(50)(np.random.default_rng(0), np.arange(5_000))
    count_N = np.bincount(item_BK.ravel(), minlength=50)
    assert np.abs(count_N / 2_000 - 1.0).max() < 0.1  # sd of a count is 35 of 2,000: five of them are 0.09


def test_old_items_leave_and_new_ones_come():
    draw, rng = live_of(240, 40, 100), np.random.default_rng(0)
    for start in (0, 100, 12_300, 19_900):
        found = set(draw(rng, np.arange(start, start + 100)).ravel().tolist())
        assert found == set(range(start // 100, start // 100 + 40))


def test_few_items_are_shown_often_and_many_rarely():
    item_BK = popular_of(20_000)(np.random.default_rng(0), np.arange(4_000))
    count_N = np.bincount(item_BK.ravel(), minlength=20_000)
    assert count_N[:50].mean() == pytest.approx(4_000 / 50)  # the first ring: one candidate of each round
    assert count_N[-1_950:].mean() == pytest.approx(4_000 / 1_950)  # the last one
    assert (np.diff(np.sort(item_BK, axis=1), axis=1) > 0).all()


def _visit(round_B):
    context_BC = np.eye(2, dtype=np.float32)[[0] * len(round_B)]
    return Visit(context_BC, context_BC, round_B, round_B, round_B)


def test_a_preference_turns_by_a_quarter_and_breaks():
    matrices = [np.full((2, 1), value) for value in (1.0, 10.0, 100.0, 1_000.0)]
    weight_BD = turning(matrices, quarter=600, broken_at=700)(_visit(np.array([0, 200, 600, 700, 1_300])))
    half_turn = np.cos(np.pi / 6) * 1.0 + np.sin(np.pi / 6) * 10.0
    np.testing.assert_allclose(weight_BD[:, 0], [1.0, half_turn, 10.0, 100.0, 1_000.0])


def test_a_regime_comes_back_by_a_break_or_by_and_by():
    matrices = [np.full((2, 1), value) for value in (1.0, 2.0)]
    cross = recurring(matrices, np.array([0, 100, 200]), np.array([0, 1, 0]), np.array([1, 1, 50]))
    weight_BD = cross(_visit(np.array([0, 99, 100, 199, 200, 224, 249, 250])))
    np.testing.assert_allclose(weight_BD[:, 0], [1.0, 1.0, 2.0, 2.0, 1.98, 1.5, 1.0, 1.0])


def test_clicks_come_late_and_few_of_them_too_late():
    world = world_numeric.delayed(0)
    delay_B = world.rounds(0, 20_000).delay_B
    assert world.window == 1_200
    assert delay_B.min() >= 1
    assert delay_B.mean() == pytest.approx(500, rel=0.05)
    assert (delay_B > 1_200).mean() == pytest.approx(np.exp(-2.4), rel=0.1)


def test_users_come_back_with_tastes_that_no_feature_tells():
    world = world_numeric.returning_users(0)
    rounds = world.rounds(0, 20_000)
    assert set(rounds.seen.user_B.tolist()) == set(range(300))
    assert world.returning
    visit = Visit(*[np.zeros((2, 32), np.float32)] * 2, *[np.arange(2)] * 3)
    worth_BK = world._scene.raw(visit, np.tile(np.arange(20), (2, 1)))
    assert not np.allclose(worth_BK[0], worth_BK[1])


def test_raw_columns_have_wide_tails_and_all_kinds_of_scales():
    seen = world_numeric.heavy_tailed(0).rounds(0, 20_000).seen
    for value_ND in (seen.context_BC.astype(np.float64), seen.candidate_BKD[:, 0].astype(np.float64)):
        low_D, middle_D, high_D = np.percentile(value_ND, (25, 50, 75), axis=0)
        assert (high_D - low_D).max() / (high_D - low_D).min() > 1e4
        assert (np.abs(value_ND - middle_D).max(axis=0) / (high_D - low_D) > 5).mean() > 0.5
        assert np.isfinite(value_ND).all()


def test_the_texts_are_many_and_no_two_are_the_same():
    contexts, titles = world_text.corpus()
    assert (len(set(contexts)), len(set(titles))) == (1_500, 300)
    assert not [text for text in (*contexts, *titles) if "{" in text]


def test_texts_encoded_on_the_way_give_the_same_rounds_and_are_counted(library):
    reading = Reading(*world_text.corpus(), HashingEncoder())
    warm, cold = world_text.text(0, library.vectors), world_text.text(0, library.vectors, cold=reading)
    for start in (0, 100):
        one, other = warm.rounds(start, start + 100), cold.rounds(start, start + 100)
        np.testing.assert_array_equal(one.seen.context_BC, other.seen.context_BC)
        np.testing.assert_array_equal(one.seen.candidate_BKD, other.seen.candidate_BKD)
    first, second = warm.rounds(200, 201), cold.rounds(200, 201)
    np.testing.assert_array_equal(first.probability_BK, second.probability_BK)
    new = 300 + len({text.tobytes() for text in world_text.text(0, library.vectors).rounds(0, 201).seen.context_BC})
    assert cold.texts_met == pytest.approx(1 - new / (201 * 21))


def test_vectors_are_kept_for_the_next_process(tmp_path):
    class Once(HashingEncoder):
        calls = 0

        def encode(self, texts):
            Once.calls += 1
            return super().encode(texts)

    first = Vectors(Once(), tmp_path).of(["a", "b"])
    np.testing.assert_array_equal(Vectors(Once(), tmp_path).of(["a", "b"]), first)
    assert Once.calls == 1


def test_one_intent_is_right_and_mostly_there(library):
    world = build("banking77", 0, library)
    rounds = world.rounds(0, 4_000)
    right_B = (rounds.probability_BK == 0.9).sum(axis=1)
    assert right_B.max() == 1
    assert right_B.mean() == pytest.approx(0.95, abs=0.015)
    assert set(np.unique(rounds.probability_BK)) == {0.02, 0.9}
    position_B = (rounds.probability_BK == 0.9)[right_B == 1].argmax(axis=1)
    assert np.bincount(position_B, minlength=20).min() > 120  # 190 expected at each place, sd 13
    assert len(np.unique(rounds.seen.context_BC[:90], axis=0)) == 90


def test_banking_data_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BenchError, match=r"must hold train.csv, test.csv .* got .*nowhere"):
        world_banking.utterances(tmp_path / "nowhere")


def test_a_category_without_a_name_is_refused(library):
    Path(library.data / "banking77" / "categories.json").write_text('["intent_0"]')
    with pytest.raises(BenchError, match="intent_1"):
        world_banking.utterances(library.data / "banking77")


def test_an_unknown_world_is_refused(library):
    with pytest.raises(BenchError, match=r"must be one of linear, .*; got 'mars'"):
        build("mars", 0, library)
