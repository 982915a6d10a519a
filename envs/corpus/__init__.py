"""The titles that simulated readers choose from, written for this project: twelve topics, forty titles each."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Corpus:
    """Titles with their topics; M titles, T topics.

    Attributes:
        titles: M distinct titles.
        topics_M: index of each title's topic.
        topic_names: T names.
    """

    titles: tuple[str, ...]
    topics_M: NDArray[np.int64]
    topic_names: tuple[str, ...]


@cache
def load_corpus() -> Corpus:
    """The packaged corpus, read once per process.

    >>> corpus = load_corpus()
    >>> len(corpus.titles), len(corpus.topic_names), corpus.topic_names[corpus.topics_M[0]]
    (480, 12, 'cooking')
    """
    by_topic = msgspec.json.decode(files(__name__).joinpath("titles.json").read_bytes(), type=dict[str, list[str]])
    titles = tuple(title for group in by_topic.values() for title in group)
    topics_M = np.repeat(np.arange(len(by_topic)), [len(group) for group in by_topic.values()])
    topics_M.flags.writeable = False
    return Corpus(titles, topics_M, tuple(by_topic))
