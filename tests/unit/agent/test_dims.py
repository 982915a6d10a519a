"""The length of an embedding, as the model's folder says it."""

import json

import pytest

from agent.encoder.dims import dim_in_folder
from agent.settings import EncoderSettings


def test_the_packaged_model_says_what_it_gives():
    assert dim_in_folder(EncoderSettings()) == 384


@pytest.mark.parametrize("content", ["{}", "[]", "no json", json.dumps({"hidden_size": "wide"})])
def test_a_folder_that_does_not_say_it_is_asked_otherwise(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    assert dim_in_folder(EncoderSettings(model=str(tmp_path))) is None


def test_a_hub_id_says_nothing():
    assert dim_in_folder(EncoderSettings(model="somebody/some-model")) is None
