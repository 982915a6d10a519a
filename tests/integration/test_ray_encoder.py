"""Encoder actors serve what the encoder in process gives, and start light."""

import sys

import numpy as np
import pytest
import ray
from support.tiny_bert import tiny_bert

from agent.encoder.actors import ActorEncoder, served_encoder, start_encoders
from agent.encoder.local import open_encoder

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]
WORDS = ["bread", "loaf", "bank", "central"]
TEXTS = ["bread", "central bank", "", "a loaf of bread", "bank bank loaf", "loaf"]


@pytest.mark.parametrize("engine", ["onnx-int8", "torch-fp32"])
def test_actors_give_what_the_encoder_in_process_gives(engine, tmp_path):
    settings = tiny_bert(tmp_path, WORDS, engine=engine, converted=str(tmp_path / "converted"), actors=2, batch_size=2)
    actors = start_encoders(settings)  # both at once, with nothing kept yet
    encoder, alone = served_encoder(actors, settings), open_encoder(settings)
    assert (encoder.dim, encoder.version) == (alone.dim, alone.version)
    np.testing.assert_allclose(encoder.encode(TEXTS), alone.encode(TEXTS), atol=1e-6)
    assert ActorEncoder(actors, settings.batch_size).encode([]).shape == (0, alone.dim)


def test_an_actor_with_a_kept_model_loads_neither_torch_nor_transformers(tmp_path):
    settings = tiny_bert(tmp_path, WORDS, converted=str(tmp_path / "converted"))
    open_encoder(settings)
    (actor,) = start_encoders(settings)
    assert ray.get(actor.encode.remote(["bread"])).shape == (1, 32)
    loaded = ray.get(actor.__ray_call__.remote(lambda _: sorted({"torch", "transformers", "onnx"} & set(sys.modules))))
    assert loaded == []
