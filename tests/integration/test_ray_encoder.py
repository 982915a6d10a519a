"""Encoder actors that are not waited for: the length of an embedding is known before, and checked once they are up."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray

from agent.encoder.actors import dim_of, name_of, require_dim, start_encoders
from agent.errors import EncoderError
from agent.settings import EncoderSettings

pytestmark = [pytest.mark.ray]
Start = Callable[[EncoderSettings], list[Any]]


@pytest.fixture
def start(ray_cluster: None) -> Iterator[Start]:
    """Starts actors; they and their names are gone afterwards."""
    actors: list[Any] = []

    def start(settings: EncoderSettings) -> list[Any]:
        actors.extend(start_encoders(settings))
        return actors

    yield start
    for actor in actors:
        ray.kill(actor)
    deadline = time.monotonic() + 30
    while any(each["name"] == name_of(0) for each in ray.util.list_named_actors(all_namespaces=True)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_length_that_a_folder_says_is_checked_when_the_model_is_loaded(start: Start) -> None:
    settings = EncoderSettings()
    assert dim_of([], settings) == 384  # nobody is asked
    actors = start(settings)
    require_dim(actors, 384)
    with pytest.raises(EncoderError, match=r"length in its config.json, 385; got 384"):
        require_dim(actors, 385)


def test_a_model_that_does_not_load_says_why_in_one_line(start: Start, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"hidden_size": 384}))
    settings = EncoderSettings(model=str(tmp_path))
    assert dim_of([], settings) == 384
    with pytest.raises(EncoderError, match=r"encoder.model must load .* without weights") as raised:
        require_dim(start(settings), 384)
    assert "\n" not in str(raised.value)


def test_where_no_folder_says_it_the_actors_are_asked(start: Start, tmp_path: Path) -> None:
    settings = EncoderSettings(model=str(tmp_path))
    with pytest.raises(EncoderError, match=r"encoder.model must load"):
        dim_of(start(settings), settings)
