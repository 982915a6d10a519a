"""The packaged BERT weights as they are: unit vectors in which likeness of meaning is likeness of direction."""

import numpy as np
import pytest

from agent.encoder.bert import BertEncoder
from agent.encoder.local import local_encoder
from agent.errors import EncoderError
from agent.settings import EncoderSettings

TEXTS = [
    "How to bake sourdough bread at home",
    "A simple recipe for a loaf with natural yeast",
    "Central bank raises interest rates again",
    "Ω",
    "word " * 400,
]


@pytest.fixture(scope="module")
def bert():
    return BertEncoder(EncoderSettings())


@pytest.fixture(scope="module")
def vectors_NE(bert):
    return bert.encode(TEXTS)


def test_an_embedding_has_384_numbers_and_unit_length(bert, vectors_NE):
    assert (vectors_NE.shape, vectors_NE.dtype, bert.dim) == ((5, 384), np.float32, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors_NE, axis=1), 1.0, rtol=1e-5)


def test_texts_of_like_meaning_are_closer_than_texts_of_different_meaning(vectors_NE):
    bread, loaf, bank = vectors_NE[:3]
    assert bread @ loaf > 0.5
    assert bread @ bank < 0.2


@pytest.mark.parametrize("empty", ["", " ", "\n\t"])
def test_an_empty_text_is_the_zero_vector_and_disturbs_no_other(bert, vectors_NE, empty):
    found = bert.encode([empty, TEXTS[0], empty])
    assert not found[[0, 2]].any()
    np.testing.assert_allclose(found[1], vectors_NE[0], atol=1e-5)


def test_no_texts_are_no_vectors(bert):
    assert bert.encode([]).shape == (0, 384)


def test_an_embedding_does_not_depend_on_the_batch_or_its_order(bert, vectors_NE):
    alone = np.concatenate([bert.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(alone, vectors_NE, atol=1e-5)
    np.testing.assert_allclose(bert.encode(TEXTS[::-1])[::-1], vectors_NE, atol=1e-5)


def test_only_the_set_number_of_tokens_is_read(bert, vectors_NE):
    longer = bert.encode([TEXTS[4] + "and a surprising end"])
    np.testing.assert_allclose(longer[0], vectors_NE[4], atol=1e-5)


def test_the_version_is_the_same_for_the_same_weights_and_another_for_another_length(bert):
    again, shorter = BertEncoder(EncoderSettings()), BertEncoder(EncoderSettings(max_tokens=8))
    assert bert.version == again.version != shorter.version
    assert len(bert.version) == 16


def test_the_local_encoder_is_the_same_behind_a_cache(bert, vectors_NE):
    encoder = local_encoder(EncoderSettings())
    found = [encoder.encode(TEXTS), encoder.encode(TEXTS)]
    np.testing.assert_allclose(found[0], vectors_NE, atol=1e-5)
    np.testing.assert_array_equal(found[0], found[1])
    assert (len(encoder), encoder.version, encoder.dim) == (5, bert.version, 384)


def test_a_model_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(EncoderError, match=r"encoder\.model must be a Hugging Face id or a folder; got '.*nothing'"):
        BertEncoder(EncoderSettings(model=str(_folder(tmp_path))))


def _folder(path):
    (path / "nothing").mkdir()
    return path / "nothing"
