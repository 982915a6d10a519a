"""Encoder actors serve what the encoder in process gives, start light, and are not waited for: E is known before."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from support.tiny_bert import tiny_bert

from agent.encoder.actors import ActorEncoder, dim_of, name_of, require_dim, served_encoder, start_encoders
from agent.encoder.local import open_encoder
from agent.errors import EncoderError
from agent.settings import EncoderSettings

pytestmark = [pytest.mark.ray]
Start = Callable[[EncoderSettings], list[Any]]
WORDS = ["bread", "loaf", "bank", "central"]
TEXTS = ["bread", "central bank", "", "a loaf of bread", "bank bank loaf", "loaf"]


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
    names = [name_of(index) for index in range(len(actors))]
    while any(each["name"] in names for each in ray.util.list_named_actors(all_namespaces=True)):
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


@pytest.mark.parametrize("engine", ["onnx-int8", "torch-fp32"])
def test_actors_give_what_the_encoder_in_process_gives(engine: str, start: Start, tmp_path: Path) -> None:
    kept = str(tmp_path / "converted")
    settings = tiny_bert(tmp_path, WORDS, engine=engine, converted=kept, actors=2, batch_size=2)
    actors = start(settings)  # both at once, with nothing kept yet
    encoder, alone = served_encoder(actors, settings), open_encoder(settings)
    assert (encoder.dim, encoder.version) == (alone.dim, alone.version)
    np.testing.assert_allclose(encoder.encode(TEXTS), alone.encode(TEXTS), atol=1e-6)
    assert ActorEncoder(actors, settings.batch_size).encode([]).shape == (0, alone.dim)


def test_an_actor_with_a_kept_model_loads_neither_torch_nor_transformers(start: Start, tmp_path: Path) -> None:
    settings = tiny_bert(tmp_path, WORDS, converted=str(tmp_path / "converted"))
    open_encoder(settings)
    (actor,) = start(settings)
    assert ray.get(actor.encode.remote(["bread"])).shape == (1, 32)
    loaded = ray.get(actor.__ray_call__.remote(lambda _: sorted({"torch", "transformers", "onnx"} & set(sys.modules))))
    assert loaded == []
