"""An ONNX graph whose products with weights are products of 8-bit integers."""

from collections.abc import Iterator

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

OPSET = 20  # the first in which GELU is an operator of its own
_CONTRIB = "com.microsoft"  # where ONNX Runtime keeps the product of integers that ends in floats
_LEVELS, _MIDDLE = 127, 128  # of a signed byte; of an unsigned one
_TINY = 1e-12  # a row of zeros still has a scale
_GELU_ZERO, _GELU_LEAST = 16, 0.17  # its values are hardly below 0: the byte for 0, and how far below at most


class Quantiser:
    """Replaces each `MatMul` by a weight matrix in a graph over tokens [B, T, ...].

    Weights W [K, N] become signed bytes with a scale for each column, once. What they are multiplied with, X [B, T, K],
    becomes unsigned bytes around a zero z with a scale for each token, at each run:

        s = max(abs(x)) / 127, z = 128,   x W  ≈  s · (round(x / s) · Q) diag(c),   W ≈ Q diag(c)

    What comes out of a GELU is above -0.17, so there s = max(x) / 239 and z = 16, for finer steps. With a scale for
    each token instead of one for the whole batch, outliers of one token cost the others no precision, and an embedding
    does not depend on the texts that share its batch.

    Args:
        model: of `OPSET`, with an input `input_ids` [B, T]; it is changed.

    References:
        Dettmers et al. (2022), LLM.int8(), section 2.1 (vector-wise quantisation).
        Yao et al. (2022), ZeroQuant, section 4.1 (token-wise quantisation of activations).
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = model.graph
        self._opsets = model.opset_import
        self._known = {tensor.name: tensor for tensor in model.graph.initializer}
        self._made_by = {name: node.op_type for node in model.graph.node for name in node.output}
        self._weights: dict[str, tuple[str, str]] = {}
        self._inputs: dict[str, tuple[str, str, int]] = {}
        self._lengths: set[int] = set()

    def run(self) -> int:
        """Changes the graph; returns how many products it replaced."""
        nodes, products = [*self._head()], 0
        for node in self._graph.node:
            if self._is_by_weights(node):
                nodes += self._product(node)
                products += 1
            else:
                nodes.append(node)
        kept = [tensor for tensor in self._graph.initializer if tensor.name not in self._weights]
        del self._graph.node[:], self._graph.initializer[:]
        self._graph.node.extend(nodes)
        self._graph.initializer.extend(kept)
        self._opsets.append(helper.make_opsetid(_CONTRIB, 1))
        return products

    def _is_by_weights(self, node: onnx.NodeProto) -> bool:
        return node.op_type == "MatMul" and node.input[1] in self._known and len(self._known[node.input[1]].dims) == 2

    def _head(self) -> Iterator[onnx.NodeProto]:
        """What all products share: the shape [B, T], and the byte for 0 once for each of the B·T tokens."""
        self._add("q.one", np.array(1, np.float32))
        self._add("q.last", np.array([-1], np.int64))
        yield helper.make_node("Shape", ["input_ids"], ["q.shape"])
        yield helper.make_node("Reshape", ["input_ids", "q.last"], ["q.tokens"])
        yield helper.make_node("Shape", ["q.tokens"], ["q.count"])
        for zero, least in ((_MIDDLE, _TINY), (_GELU_ZERO, _GELU_LEAST / _GELU_ZERO)):
            self._add(f"q.zero{zero}", np.array(zero, np.uint8))
            self._add(f"q.step{zero}", np.array(1 / (255 - zero), np.float32))
            self._add(f"q.least{zero}", np.array(least, np.float32))
            yield helper.make_node("Expand", [f"q.zero{zero}", "q.count"], [f"q.zeros{zero}"])

    def _product(self, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
        weights, columns = self._quantised(node.input[1])
        if node.input[0] not in self._inputs:
            yield from self._to_bytes(node.input[0], self._known[node.input[1]].dims[0])
        read, scale, zero = self._inputs[node.input[0]]
        product = f"{node.output[0]}.q"
        inputs = [read, weights, "q.one", columns, f"q.zero{zero}"]
        yield helper.make_node("MatMulIntegerToFloat", inputs, [product], domain=_CONTRIB)
        yield helper.make_node("Mul", [product, scale], list(node.output))

    def _quantised(self, name: str) -> tuple[str, str]:
        if name not in self._weights:
            bytes_KN, scale_N = by_columns(numpy_helper.to_array(self._known[name]))
            self._weights[name] = (self._add(f"{name}.q", bytes_KN), self._add(f"{name}.scale", scale_N))
        return self._weights[name]

    def _to_bytes(self, name: str, length: int) -> Iterator[onnx.NodeProto]:
        """Bytes [B, T, K] and scales [B, T, 1] of what is multiplied. ONNX quantises by row only in two dimensions."""
        if length not in self._lengths:
            self._lengths.add(length)
            self._add(f"q.length{length}", np.array([length], np.int64))
            self._add(f"q.rows{length}", np.array([-1, length], np.int64))
            yield helper.make_node("Concat", ["q.shape", f"q.length{length}"], [f"q.shape{length}"], axis=0)
        scale, each, rows, quantised, read = (f"{name}.q.{part}" for part in ("scale", "each", "rows", "u8", "read"))
        zero = _GELU_ZERO if self._made_by.get(name) == "Gelu" else _MIDDLE
        yield from self._scale(name, scale, zero)
        yield helper.make_node("Reshape", [scale, "q.last"], [each])
        yield helper.make_node("Reshape", [name, f"q.rows{length}"], [rows])
        yield helper.make_node("QuantizeLinear", [rows, each, f"q.zeros{zero}"], [quantised], axis=0)
        yield helper.make_node("Reshape", [quantised, f"q.shape{length}"], [read])
        self._inputs[name] = (read, scale, zero)

    def _scale(self, name: str, scale: str, zero: int) -> Iterator[onnx.NodeProto]:
        high, low, most, step = (f"{name}.q.{part}" for part in ("high", "low", "most", "step"))
        yield helper.make_node("ReduceMax", [name, "q.last"], [high], keepdims=1)
        if zero == _MIDDLE:
            yield helper.make_node("ReduceMin", [name, "q.last"], [low], keepdims=1)
            yield helper.make_node("Neg", [low], [f"{low}.back"])
            yield helper.make_node("Max", [high, f"{low}.back"], [most])
        yield helper.make_node("Mul", [most if zero == _MIDDLE else high, f"q.step{zero}"], [step])
        yield helper.make_node("Max", [step, f"q.least{zero}"], [scale])

    def _add(self, name: str, values: NDArray[np.generic]) -> str:
        self._graph.initializer.append(numpy_helper.from_array(values, name))
        return name


def by_columns(weights_KN: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Weights as signed bytes [K, N], and the scale [N] of each column.

    >>> bytes_KN, scale_N = by_columns(np.array([[1.0, 0.0], [-0.5, 0.0]], np.float32))
    >>> bytes_KN.tolist()
    [[127, 0], [-64, 0]]
    """
    most_N = np.abs(weights_KN).max(0)
    scale_N = np.where(most_N > 0, most_N, 1.0).astype(np.float32) / np.float32(_LEVELS)
    return np.rint(weights_KN / scale_N).astype(np.int8), scale_N
