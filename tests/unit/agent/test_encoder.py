"""The packaged BERT weights, by each engine: unit vectors in which likeness of meaning is likeness of direction."""

import re

import numpy as np
import pytest
import torch
from support.tiny_bert import tiny_bert

from agent.encoder.bert import BertEncoder
from agent.encoder.local import exact_encoder, local_encoder, open_encoder
from agent.errors import EncoderError
from agent.settings import EncoderSettings

TEXTS = [
    "How to bake sourdough bread at home",
    "A simple recipe for a loaf with natural yeast",
    "Central bank raises interest rates again",
    "Ω",
    "word " * 400,
]


WORDS = ["bread", "loaf", "bank", "central"]
ENGINES = ["torch-fp32", "onnx-int8"]


@pytest.fixture(scope="module")
def bert():
    return BertEncoder(EncoderSettings())


@pytest.fixture(scope="module", params=ENGINES)
def encoder(request):
    return open_encoder(EncoderSettings(engine=request.param))


@pytest.fixture(scope="module")
def vectors_NE(encoder):
    return encoder.encode(TEXTS)


def test_an_embedding_has_384_numbers_and_unit_length(encoder, vectors_NE):
    assert (vectors_NE.shape, vectors_NE.dtype, encoder.dim) == ((5, 384), np.float32, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors_NE, axis=1), 1.0, rtol=1e-5)


def test_texts_of_like_meaning_are_closer_than_texts_of_different_meaning(vectors_NE):
    bread, loaf, bank = vectors_NE[:3]
    assert bread @ loaf > 0.5
    assert bread @ bank < 0.2


@pytest.mark.parametrize("empty", ["", " ", "\n\t"])
def test_an_empty_text_is_the_zero_vector_and_disturbs_no_other(encoder, vectors_NE, empty):
    found = encoder.encode([empty, TEXTS[0], empty])
    assert not found[[0, 2]].any()
    np.testing.assert_allclose(found[1], vectors_NE[0], atol=1e-5)


def test_no_texts_are_no_vectors(encoder):
    assert encoder.encode([]).shape == (0, 384)


def test_an_embedding_does_not_depend_on_the_batch_or_its_order(encoder, vectors_NE):
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(alone, vectors_NE, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(TEXTS[::-1])[::-1], vectors_NE, atol=1e-5)


def test_only_the_set_number_of_tokens_is_read(encoder, vectors_NE):
    longer = encoder.encode([TEXTS[4] + "and a surprising end"])
    np.testing.assert_allclose(longer[0], vectors_NE[4], atol=1e-5)


@pytest.mark.parametrize("part", ["!?", "word ", "a", "用户", " "])
def test_of_a_text_of_a_megabyte_the_tokenizer_sees_no_more_than_can_count(bert, part, monkeypatch):
    text, seen, tokenizer = part * (900_000 // len(part.encode())), [], bert._tokenizer
    monkeypatch.setattr(bert, "_tokenizer", lambda texts, **more: seen.extend(texts) or tokenizer(texts, **more))
    vectors_NE = bert.encode([text, text[: 64 * 101]])
    assert max(map(len, seen), default=0) <= 64 * 101  # all of the "!?" would take four seconds
    assert seen or not text.strip()
    np.testing.assert_allclose(vectors_NE[0], vectors_NE[1], atol=1e-5)


def test_long_words_after_many_blanks_fill_the_tokens_as_ever(bert):
    words = [character * 100 for character in "abcdefghijklmnopqrstuvwxyz"] * 3
    tokens = bert._tokenizer([" ".join(words), " ".join(words)[: 64 * 101]], truncation=True, max_length=64)[
        "input_ids"
    ]
    assert tokens[0] == tokens[1]
    vectors_NE = bert.encode([" " * 10_000 + "bread", "bread"])
    np.testing.assert_allclose(vectors_NE[0], vectors_NE[1], atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_version_is_the_same_for_the_same_weights_and_another_for_another_length(engine):
    first, again, shorter = (open_encoder(EncoderSettings(engine=engine, max_tokens=most)) for most in (64, 64, 8))
    assert first.version == again.version != shorter.version
    assert len(first.version) == 16


def test_the_version_names_the_engine():
    versions = {open_encoder(EncoderSettings(engine=engine)).version for engine in ENGINES}
    assert len(versions) == len(ENGINES)


@pytest.mark.parametrize("open_cached", [local_encoder, exact_encoder])
def test_the_local_encoder_is_the_same_behind_a_cache(open_cached, bert):
    encoder = open_cached(EncoderSettings(engine="torch-fp32"))
    found = [encoder.encode(TEXTS), encoder.encode(TEXTS)]
    np.testing.assert_allclose(found[0], bert.encode(TEXTS), atol=1e-5)
    np.testing.assert_array_equal(found[0], found[1])
    assert (len(encoder), encoder.version, encoder.dim) == (5, bert.version, 384)


def test_the_exact_encoder_is_in_fp32_whatever_the_engine(bert):
    assert exact_encoder(EncoderSettings(engine="onnx-int8")).version == bert.version


@pytest.mark.parametrize("engine", ENGINES)
def test_another_bert_folder_is_read_by_its_setting(engine, encoder, tmp_path):
    settings = tiny_bert(tmp_path, WORDS, engine=engine, converted=str(tmp_path / "converted"))
    other = open_encoder(settings)
    vectors_NE = other.encode(["bread", "Bread", "", "central bank", "loaf"])
    assert (other.dim, vectors_NE.shape) == (32, (5, 32))
    assert encoder.version != other.version == open_encoder(settings).version
    np.testing.assert_allclose(np.linalg.norm(vectors_NE, axis=1), [1, 1, 0, 1, 1], rtol=1e-5)
    np.testing.assert_allclose(vectors_NE[0], vectors_NE[1], atol=1e-5)  # the folder's tokenizer has no capitals
    cosines = vectors_NE @ vectors_NE[0]
    assert (cosines[[3, 4]] < 0.99).all()  # its vocabulary is read: unknown words would all be alike
    cached = local_encoder(settings)
    np.testing.assert_allclose(cached.encode(["loaf"])[0], vectors_NE[4], atol=1e-5)
    assert cached.dim == 32


@pytest.mark.parametrize("engine", ENGINES)
def test_the_manner_stands_behind_the_embedding_which_stays_what_it_is(engine, tmp_path):
    settings = tiny_bert(tmp_path, WORDS, engine=engine, converted=str(tmp_path / "converted"))
    plain, reading = open_encoder(settings), open_encoder(settings.model_copy(update={"manner": 4}))
    texts = ["bread", "", "central bank of bread", "loaf"]
    found_NX = reading.encode(texts)
    assert (plain.manner, reading.dim, reading.manner, found_NX.shape) == (0, 32, 32, (4, 64))
    assert plain.version != reading.version
    np.testing.assert_allclose(found_NX[:, :32], plain.encode(texts), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found_NX[:, 32:], axis=1), [1, 0, 1, 1], rtol=1e-5)
    cached = local_encoder(settings.model_copy(update={"manner": 4}))
    assert (cached.encode([]).shape, cached.manner) == ((0, 64), 32)
    np.testing.assert_allclose(cached.encode(["loaf"])[0], found_NX[3], atol=1e-5)


def test_the_manner_is_the_mean_over_tokens_and_layers(bert):
    text = "He said: 24 LOAVES..."
    tokens = bert._tokenizer([text], return_tensors="pt")
    with torch.inference_mode():
        layers = bert._model(**tokens, output_hidden_states=True).hidden_states
    assert len(layers) == 7  # what goes into the first layer, and what comes out of each of six
    mean_E = np.mean([layer_NTE[0].numpy() for layer_NTE in layers], axis=(0, 1))
    found_E = BertEncoder(EncoderSettings(manner=64)).encode([text])[0, 384:]
    np.testing.assert_allclose(found_E, mean_E / np.linalg.norm(mean_E), atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_model_that_is_not_there_is_an_error_that_names_it(engine, tmp_path):
    with pytest.raises(EncoderError, match=r"encoder\.model must be a Hugging Face id or a folder; got '.*nothing'"):
        open_encoder(EncoderSettings(model=str(_folder(tmp_path)), engine=engine))


def _folder(path):
    (path / "nothing").mkdir()
    return path / "nothing"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", ["{tmp}/missing", "./missing", "no-such-owner/no-such-model", "no-such-model"])
def test_offline_a_folder_or_id_that_does_not_exist_is_at_once_an_error_that_names_it(
    model, engine, tmp_path, monkeypatch
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # it may have been imported without
    named = model.format(tmp=tmp_path)
    with pytest.raises(EncoderError, match=f"encoder.model must be .* a folder; got {re.escape(repr(named))}"):
        open_encoder(EncoderSettings(model=named, engine=engine))
