"""The encoder as integers: close to the weights as they are, the same for each text, converted once and kept."""

import subprocess
import sys
import threading
from itertools import chain

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.tiny_bert import tiny_bert

import agent.encoder.convert as conversion
from agent.encoder.bert import BertEncoder
from agent.encoder.int8 import Int8Encoder
from agent.encoder.quantise import Quantiser
from agent.encoder.weights import digest_of
from agent.errors import EncoderError
from agent.settings import EncoderSettings
from envs.corpus import load_corpus

WORDS = ["bread", "loaf", "bank", "central"]
TEXTS = ["bread", "central bank", "a loaf of bread", "bank bank loaf"]


@pytest.fixture(scope="module")
def titles():
    return list(load_corpus().titles)


@pytest.fixture(scope="module")
def int8():
    return Int8Encoder(EncoderSettings())


@pytest.fixture
def tiny(tmp_path):
    return tiny_bert(tmp_path, WORDS, converted=str(tmp_path / "converted"))


@pytest.fixture
def conversions(monkeypatch):
    """How often a model is converted."""
    made, convert = [], conversion.convert
    monkeypatch.setattr(conversion, "convert", lambda *args: made.append(args) or convert(*args))
    return made


def neighbours(vectors_NE, count=10):
    cosines_NN = vectors_NE @ vectors_NE.T
    np.fill_diagonal(cosines_NN, -1)
    return [set(row) for row in np.argsort(-cosines_NN)[:, :count].tolist()]


def test_embeddings_and_neighbours_are_close_to_those_of_the_weights(int8, titles):
    exact_NE, vectors_NE = BertEncoder(EncoderSettings()).encode(titles), int8.encode(titles)
    cosine_N = (exact_NE * vectors_NE).sum(1)
    assert cosine_N.mean() > 0.99
    assert cosine_N.min() > 0.97
    kept = [len(mine & theirs) / 10 for mine, theirs in zip(neighbours(vectors_NE), neighbours(exact_NE), strict=True)]
    assert np.mean(kept) > 0.87


def test_an_embedding_does_not_depend_on_an_outlier_that_shares_the_batch(int8, titles):
    outlier = "!" * 200 + " zzzzqx"
    alone_NE = int8.encode(titles[:20])
    np.testing.assert_allclose(int8.encode([*titles[:20], outlier])[:20], alone_NE, atol=1e-6)


def test_texts_are_grouped_by_tokens_and_come_back_in_their_order(int8, titles):
    mixed = list(chain.from_iterable(zip(titles[:40], (title[:9] for title in titles[:40]), strict=True)))
    one_by_one = np.concatenate([int8.encode([text]) for text in mixed])
    np.testing.assert_allclose(int8.encode(mixed), one_by_one, atol=1e-6)


def test_a_product_of_bytes_is_that_of_the_arithmetic_by_hand():
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["input_ids"], ["x"], to=TensorProto.FLOAT),
            helper.make_node("MatMul", ["x", "w"], ["y"]),
        ],
        "product",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["b", "t"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", 1])],
        [numpy_helper.from_array(np.array([[1.0], [0.5]], np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert Quantiser(model).run() == 1
    # x is [B, T] here, so each row is a "token" of one number; rows are read as 2 numbers
    assert {node.op_type for node in model.graph.node} >= {"QuantizeLinear", "MatMulIntegerToFloat"}
    assert "MatMul" not in {node.op_type for node in model.graph.node}
    onnx.checker.check_model(model)
    assert onnxruntime is not None


def test_a_converted_model_is_kept_and_read_again(tiny, conversions):
    first, again = Int8Encoder(tiny), Int8Encoder(tiny)
    assert len(conversions) == 1
    np.testing.assert_array_equal(first.encode(TEXTS), again.encode(TEXTS))
    assert first.version == again.version


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "MANIFEST.json"])
def test_a_damaged_file_is_made_anew(tiny, conversions, tmp_path, name):
    vectors_NE = Int8Encoder(tiny).encode(TEXTS)
    (kept,) = (tmp_path / "converted").glob(f"int8-*/{name}")
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2])
    np.testing.assert_array_equal(Int8Encoder(tiny).encode(TEXTS), vectors_NE)
    assert len(conversions) == 2
    assert kept.stat().st_size == len(whole)


def test_of_those_that_start_at_once_one_converts(tiny, conversions):
    found = []
    threads = [threading.Thread(target=lambda: found.append(Int8Encoder(tiny).encode(TEXTS))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(found), len(conversions)) == (4, 1)
    for vectors_NE in found:
        np.testing.assert_array_equal(vectors_NE, found[0])


def test_other_weights_are_another_model(tiny, conversions, tmp_path):
    before = Int8Encoder(tiny)
    weights = tmp_path / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    after = Int8Encoder(tiny)
    assert len(conversions) == 2
    assert before.version != after.version


def test_where_nothing_can_be_written_it_is_converted_at_each_start(tiny, conversions, tmp_path, caplog):
    (tmp_path / "file").write_text("not a folder")
    settings = tiny.model_copy(update={"converted": str(tmp_path / "file" / "below")})
    np.testing.assert_array_equal(Int8Encoder(settings).encode(TEXTS), Int8Encoder(settings).encode(TEXTS))
    assert len(conversions) == 2
    assert "the converted model is not kept" in caplog.text


def test_a_model_that_integers_do_not_describe_is_refused(tiny, monkeypatch):
    monkeypatch.setattr("agent.encoder.quantise._LEVELS", 1)
    with pytest.raises(EncoderError, match=r"must keep cosines of 0.95 as integers; got .* to \"torch-fp32\""):
        Int8Encoder(tiny)


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(EncoderError, match="without weights"):
        digest_of(tmp_path)


def test_a_start_with_a_kept_model_loads_neither_torch_nor_transformers(tiny):
    Int8Encoder(tiny)
    program = (
        "import sys; from agent.settings import EncoderSettings; from agent.encoder.local import local_encoder;"
        f"encoder = local_encoder(EncoderSettings.model_validate({tiny.model_dump()!r}));"
        "assert encoder.encode(['bread']).shape == (1, 32);"
        "print(sorted({'torch', 'transformers', 'onnx', 'huggingface_hub'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "[]\n"
