"""The encoder as integers: close to the weights as they are, the same for each text, converted once and kept."""

import shutil
import subprocess
import sys
import threading
from itertools import chain

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.tiny_bert import tiny_bert

import agent.encoder.convert as conversion
from agent.encoder.bert import BertEncoder
from agent.encoder.converted import converted
from agent.encoder.int8 import Int8Encoder
from agent.encoder.quantise import OPSET, Quantiser
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


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder with a small model, and what becomes of it."""
    folder = tmp_path_factory.mktemp("tiny")
    Int8Encoder(tiny_bert(folder, WORDS, converted=str(folder / "converted")))
    return folder


@pytest.fixture
def tiny(prepared, tmp_path):
    """Settings of a model that was converted before."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    return EncoderSettings(model=str(tmp_path), converted=str(tmp_path / "converted"))


@pytest.fixture
def conversions(monkeypatch):
    """How often a model is converted."""
    made, convert = [], conversion.convert
    monkeypatch.setattr(conversion, "convert", lambda *args, **more: made.append(args) or convert(*args, **more))
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


def test_manners_are_close_to_those_of_the_weights(titles):
    settings = EncoderSettings(manner=64)
    exact_NX, found_NX = BertEncoder(settings).encode(titles), Int8Encoder(settings).encode(titles)
    cosine_N = (exact_NX * found_NX)[:, 384:].sum(1)
    assert cosine_N.min() > 0.99
    apart_NX = [vectors_NX[:, 384:] - vectors_NX[:, 384:].mean(0) for vectors_NX in (exact_NX, found_NX)]
    assert np.linalg.norm(apart_NX[0] - apart_NX[1]) < 0.2 * np.linalg.norm(apart_NX[0])


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
        [helper.make_node("Gather", ["table", "input_ids"], ["x"]), helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "tokens"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["texts", "tokens", 1])],
        [
            numpy_helper.from_array(np.array([[1.0, -0.25], [100.0, 0.0], [0.0, 0.0]], np.float32), "table"),
            numpy_helper.from_array(np.array([[1.0], [0.25]], np.float32), "w"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    assert Quantiser(model).run() == 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (y_BTN,) = session.run(None, {"input_ids": np.array([[0, 1, 2]])})
    # -0.25 and 0.25 are 31.75 of 127 steps, so 32; 1 is all 127; the token with 100 has steps of its own
    by_hand = [(127 * 127 - 32 * 32) / (127 * 127), 100.0, 0.0]
    np.testing.assert_allclose(y_BTN[0, :, 0], by_hand, rtol=1e-6)


def test_after_a_gelu_the_steps_are_finer_for_what_is_above_zero():
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "input_ids"], ["x"]),
            helper.make_node("Gelu", ["x"], ["g"]),
            helper.make_node("MatMul", ["g", "w"], ["y"]),
        ],
        "product",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "tokens"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["texts", "tokens", 2])],
        [
            numpy_helper.from_array(np.array([[10.0, 1.0], [-0.75, -0.75]], np.float32), "table"),
            numpy_helper.from_array(np.eye(2, dtype=np.float32), "w"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    Quantiser(model).run()
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (y_BTN,) = session.run(None, {"input_ids": np.array([[0, 1]])})
    # GELU of 10 and 1 is 10 and .84134, 20.1 of 239 steps; that of -.75 is -.16997, just 16 steps of .17 / 16 below 0
    np.testing.assert_allclose(y_BTN[0], [[10.0, 20 * 10 / 239], [-0.17, -0.17]], rtol=1e-5)


def test_a_converted_model_is_kept_and_read_again(tiny, conversions):
    shutil.rmtree(tiny.converted)
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
    assert len(conversions) == 1
    assert kept.stat().st_size == len(whole)


def test_of_those_that_start_at_once_one_converts(tiny, conversions):
    shutil.rmtree(tiny.converted)
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
    assert len(conversions) == 1
    assert before.version != after.version


def test_of_the_same_weights_the_newest_two_conversions_are_kept(tiny, tmp_path):
    root, digest = tmp_path / "converted", digest_of(tmp_path)
    other = root / "int8-of-others-000000000001"
    other.mkdir()
    made = list(root.glob("int8-*-000000000001"))
    for revision in (101, 102, 103):
        converted(tmp_path, digest, revision, tiny)
        made += [path for path in root.glob("int8-*") if path not in made]
    assert len(made) == 5  # the fixture's and the other one among them
    assert set(root.glob("int8-*")) == {other, *made[-2:]}


def test_where_nothing_can_be_locked_it_is_converted_and_kept(tiny, conversions, monkeypatch):
    def refuse(*_):
        raise OSError("no locks available")

    shutil.rmtree(tiny.converted)
    monkeypatch.setattr("fcntl.flock", refuse)
    np.testing.assert_array_equal(Int8Encoder(tiny).encode(TEXTS), Int8Encoder(tiny).encode(TEXTS))
    assert len(conversions) == 1


def test_where_nothing_can_be_written_it_is_converted_at_each_start(tiny, conversions, tmp_path, caplog):
    (tmp_path / "file").write_text("not a folder")
    settings = tiny.model_copy(update={"converted": str(tmp_path / "file" / "below")})
    np.testing.assert_array_equal(Int8Encoder(settings).encode(TEXTS), Int8Encoder(settings).encode(TEXTS))
    assert len(conversions) == 2
    assert "the converted model is not kept" in caplog.text


def test_a_model_that_integers_do_not_describe_is_refused_with_what_to_do(tiny, monkeypatch):
    shutil.rmtree(tiny.converted)
    monkeypatch.setattr(conversion, "_LEAST_COSINE", 1.01)  # what random weights keep is above any bound of use
    with pytest.raises(EncoderError, match=r"must keep cosines of 1.01 as integers; got .* to \"torch-fp32\""):
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
