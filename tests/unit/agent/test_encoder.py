"""The packaged BERT weights as they are: unit vectors in which likeness of meaning is likeness of direction."""

import re

import numpy as np
import pytest
import torch

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


def tiny_bert(path, words):
    """Writes the folder of a small BERT with random weights, as `save_pretrained` does, and its vocabulary."""
    import transformers  # noqa: PLC0415 - seconds to import

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    (path / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    (path / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizerFast", "do_lower_case": true}')
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.BertModel(transformers.BertConfig(vocab_size=len(vocabulary), **shape))
    model.save_pretrained(path)
    return EncoderSettings(model=str(path))


def test_another_bert_folder_is_read_by_its_setting(bert, tmp_path):
    settings = tiny_bert(tmp_path, ["bread", "loaf", "bank", "central"])
    other = BertEncoder(settings)
    vectors_NE = other.encode(["bread", "Bread", "", "central bank", "loaf"])
    assert (other.dim, vectors_NE.shape) == (32, (5, 32))
    assert bert.version != other.version == BertEncoder(settings).version
    np.testing.assert_allclose(np.linalg.norm(vectors_NE, axis=1), [1, 1, 0, 1, 1], rtol=1e-5)
    np.testing.assert_allclose(vectors_NE[0], vectors_NE[1], atol=1e-5)  # the folder's tokenizer has no capitals
    cosines = vectors_NE @ vectors_NE[0]
    assert (cosines[[3, 4]] < 0.99).all()  # its vocabulary is read: unknown words would all be alike
    encoder = local_encoder(settings)
    np.testing.assert_allclose(encoder.encode(["loaf"])[0], vectors_NE[4], atol=1e-5)
    assert encoder.dim == 32


def test_a_model_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(EncoderError, match=r"encoder\.model must be a Hugging Face id or a folder; got '.*nothing'"):
        BertEncoder(EncoderSettings(model=str(_folder(tmp_path))))


def _folder(path):
    (path / "nothing").mkdir()
    return path / "nothing"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("model", ["{tmp}/missing", "./missing", "no-such-owner/no-such-model", "no-such-model"])
def test_offline_a_folder_or_id_that_does_not_exist_is_at_once_an_error_that_names_it(model, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # it may have been imported without
    named = model.format(tmp=tmp_path)
    with pytest.raises(EncoderError, match=f"encoder.model must be .* a folder; got {re.escape(repr(named))}"):
        BertEncoder(EncoderSettings(model=named))
