"""The packaged titles: enough of them, distinct, in balance."""

import numpy as np

from envs.corpus import load_corpus


def test_there_are_twelve_topics_of_forty_titles_each():
    corpus = load_corpus()
    assert len(corpus.topic_names) == 12
    assert np.bincount(corpus.topics_M).tolist() == [40] * 12


def test_titles_are_distinct_and_read_like_titles():
    titles = load_corpus().titles
    assert len({title.casefold() for title in titles}) == len(titles) == 480
    assert all(title == title.strip() and 10 <= len(title) <= 90 for title in titles)


def test_titles_follow_no_single_template():
    openings = [" ".join(title.split()[:2]).casefold() for title in load_corpus().titles]
    most = max(openings.count(opening) for opening in set(openings))
    assert most <= 20, "no two opening words start more than one title in 24"


def test_the_corpus_cannot_be_changed_by_who_reads_it():
    assert load_corpus() is load_corpus()
    assert not load_corpus().topics_M.flags.writeable
