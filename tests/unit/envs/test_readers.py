"""Simulated readers: calibrated, paired with the corpus, learnable, and not trivial."""

import time

import numpy as np
import pytest
from pydantic import ValidationError

from envs.corpus import Corpus, load_corpus
from envs.errors import WorldError
from envs.readers import ReaderScene, ReaderSettings
from envs.world import Arrival

SEEDS = range(5)


def views(scene, count):
    return [scene.emit(Arrival(index, f"w{index}", 1_700_000_000_000 + 50 * index)) for index in range(count)]


def titles_of(view):
    return np.array([int(candidate.item_id.rsplit("-", 1)[1]) for candidate in view.impression.candidates])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_uniform_choice_is_clicked_in_about_one_of_twenty_and_the_best_in_about_one_of_four(seed):
    rates_NK = np.stack([view.rates_K for view in views(ReaderScene(seed=seed), 3_000)])
    assert 0.04 < rates_NK.mean() < 0.06
    assert 0.24 < rates_NK.max(axis=1).mean() < 0.30


def test_context_and_candidates_are_titles_and_the_title_being_read_is_not_offered():
    corpus = load_corpus()
    for view in views(ReaderScene(seed=1), 200):
        texts = [candidate.text for candidate in view.impression.candidates]
        assert view.impression.context.text in corpus.titles
        assert view.impression.context.text not in texts
        assert len(set(texts)) == 20
        assert set(texts) <= set(corpus.titles)
        assert view.impression.context.features is None


def test_an_item_id_names_the_same_title_under_every_seed():
    first, second = (
        {item.item_id: item.text for view in views(ReaderScene(seed=seed), 200) for item in view.impression.candidates}
        for seed in (0, 1)
    )
    shared = first.keys() & second.keys()
    assert len(shared) > 450
    assert all(first[item] == second[item] for item in shared)


@pytest.mark.parametrize(("kind", "text", "numeric"), [("text", 1, 0), ("numeric", 0, 1), ("both", 1, 1)])
def test_what_the_agent_sees_is_a_setting_that_changes_nothing_else(kind, text, numeric):
    plain = views(ReaderScene(ReaderSettings(), seed=2), 20)
    for view, other in zip(views(ReaderScene(ReaderSettings(features=kind), seed=2), 20), plain, strict=True):
        assert view.rates_K.tolist() == other.rates_K.tolist()
        for part in (view.impression.context, *view.impression.candidates):
            assert ((part.text is not None), (part.features is not None)) == (text, numeric)
            assert part.features is None or len(part.features) == 13


def test_the_number_of_candidates_varies_between_its_bounds():
    settings = ReaderSettings(candidates_min=3, candidates_max=7, slots=3)
    counts = {len(view.rates_K) for view in views(ReaderScene(settings, seed=0), 200)}
    assert counts == {3, 4, 5, 6, 7}


def test_the_same_seed_gives_the_same_readers():
    one, two, other = (views(ReaderScene(seed=seed), 50) for seed in (4, 4, 5))
    assert [view.impression for view in one] == [view.impression for view in two]
    assert [view.impression for view in one] != [view.impression for view in other]


def test_interests_drift_slowly_and_jump_at_times():
    scene = ReaderScene(ReaderSettings(readers=1, jump=0.01), seed=0)
    path_NT = np.stack([(scene.emit(Arrival(i, f"w{i}", 1 + i)), scene.interest(0))[1] for i in range(2_000)])
    steps = np.abs(np.diff(path_NT, axis=0)).max(axis=1)
    jumps = int((steps > 0.4).sum())
    assert 8 <= jumps <= 36  # 20 expected of 2,000 visits, four standard deviations of a Poisson count
    assert np.median(steps) < 0.15
    favourites = (path_NT > 0.5).sum(axis=1)
    assert 2 <= np.median(favourites) <= 3


def logged(seed, count):
    """The log of a uniform policy: cross features of what was shown [N, F], clicks [N], and later views to judge on."""
    scene, random = ReaderScene(ReaderSettings(features="numeric"), seed), np.random.default_rng(seed)
    rows, clicks = [], []
    for view in views(scene, count):
        action = int(random.integers(len(view.rates_K)))
        rows.append(crossed(view)[action])
        clicks.append(random.random() < view.rates_K[action])
    return np.array(rows), np.array(clicks, dtype=float), views(scene, 2_000)


def crossed(view):
    """Features [K, F] that know nothing of the user: every product of a context and an item feature, and the item's."""
    context_C = np.array(view.impression.context.features)
    items_KD = np.array([candidate.features for candidate in view.impression.candidates])
    products = np.einsum("c,kd->kcd", context_C, items_KD).reshape(len(items_KD), -1)
    return np.column_stack([products, items_KD, np.ones(len(items_KD))])


def logistic(rows_NF, clicks_N, ridge=5.0):
    """Ridge logistic regression by Newton's method."""
    weights_F = np.zeros(rows_NF.shape[1])
    weights_F[-1] = -3.0
    for _ in range(8):
        rates_N = 1 / (1 + np.exp(-rows_NF @ weights_F))
        curvature = (rows_NF * (rates_N * (1 - rates_N))[:, None]).T @ rows_NF + ridge * np.eye(len(weights_F))
        weights_F -= np.linalg.solve(curvature, rows_NF.T @ (rates_N - clicks_N) + ridge * weights_F)
    return weights_F


def lift(test_views, scores):
    rates_N3 = np.array([(v.rates_K[scores(v).argmax()], v.rates_K.mean(), v.rates_K.max()) for v in test_views])
    shown, uniform, oracle = rates_N3.mean(axis=0)
    return (shown - uniform) / (oracle - uniform)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_context_can_be_learned_from_and_leaves_room_for_knowing_the_reader(seed):
    """Of oracle minus uniform, a linear model of context and item reaches 0.3 to 0.6, knowing the reader's interests
    and the titles' appeal more than 0.85: both can be learned from clicks, and neither is the other."""
    rows_NF, clicks_N, test_views = logged(seed, 12_000)
    weights_F = logistic(rows_NF, clicks_N)
    assert 0.3 < lift(test_views, lambda view: crossed(view) @ weights_F) < 0.6

    scene, corpus = ReaderScene(ReaderSettings(), seed), load_corpus()
    informed = []
    for view in views(scene, 2_000):
        interest_T = scene.interest(int(view.impression.user_id.removeprefix("reader-")))
        titles_K = titles_of(view)
        scores_K = 2.4 * interest_T[corpus.topics_M[titles_K]] + scene.appeal_M[titles_K]
        informed.append((view, scores_K))
    known = {id(view): scores_K for view, scores_K in informed}
    assert lift([view for view, _ in informed], lambda view: known[id(view)]) > 0.85


def test_it_is_fast_enough_to_load_a_broker():
    scene, rates = ReaderScene(seed=0), []
    for _ in range(3):
        start = time.process_time()
        views(scene, 1_000)
        rates.append(1_000 / (time.process_time() - start))
    assert max(rates) > 5_000


@pytest.mark.parametrize("wrong", [{"candidates_min": 5, "candidates_max": 4}, {"slots": 21}])
def test_settings_that_do_not_fit_together_are_refused(wrong):
    with pytest.raises(ValidationError, match="must be at most"):
        ReaderSettings(**wrong)


def test_a_corpus_too_small_for_the_candidates_is_refused():
    small = Corpus(tuple("abcdefgh"), np.arange(8) % 4, ("w", "x", "y", "z"))
    with pytest.raises(WorldError, match="must have more titles than candidates_max; got 8"):
        ReaderScene(ReaderSettings(), seed=0, corpus=small)
    with pytest.raises(WorldError, match="at least 4 topics; got 1"):
        ReaderScene(
            ReaderSettings(candidates_min=2, candidates_max=2), corpus=Corpus(tuple("abc"), np.zeros(3, int), ("w",))
        )
