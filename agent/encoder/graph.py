"""A converted model at work: `tokenizers` and ONNX Runtime, one thread, neither torch nor transformers."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from agent.encoder.grouping import groups_of
from envs.protocols import Floats

GRAPH, TOKENIZER = "model.onnx", "tokenizer.json"
_SLOWER = ["SkipLayerNormFusion", "BiasGeluFusion"]  # in ONNX Runtime 1.32 on CPU several times slower than their parts
_SEVERE = 3


class Graph:
    """The files of a converted model, ready to run.

    Args:
        files: a graph from `input_ids` and `attention_mask` [B, T] to `embedding` [B, X], and its tokenizer.
        max_tokens: of a text that are read.
    """

    def __init__(self, files: Mapping[str, bytes], max_tokens: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_mem_pattern = False  # one for each shape of a batch would be kept, and gains nothing here
        options.log_severity_level = _SEVERE
        self._session = onnxruntime.InferenceSession(
            files[GRAPH], options, providers=["CPUExecutionProvider"], disabled_optimizers=_SLOWER
        )
        self._tokenizer: Tokenizer = Tokenizer.from_str(files[TOKENIZER].decode())
        self._tokenizer.enable_truncation(max_tokens)
        self._pad_id = int((self._tokenizer.padding or {}).get("pad_id", 0))
        self._tokenizer.no_padding()  # each batch is padded to its own longest text
        self.width = int(self._session.get_outputs()[0].shape[1])

    def encode(self, texts: Sequence[str], batch_size: int) -> Floats:
        """What the graph ends in [N, X]; texts of about as many tokens go together, so that little is padded."""
        tokens = [self._tokenizer.encode(text).ids for text in texts]  # in a batch it would take all cores
        order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
        vectors_NX = np.empty((len(texts), self.width), np.float32)
        for start, stop in groups_of([len(tokens[index]) for index in order], batch_size):
            batch = order[start:stop]
            vectors_NX[batch] = self._run([tokens[index] for index in batch])
        return vectors_NX

    def _run(self, tokens: list[list[int]]) -> Floats:
        ids_BT = np.full((len(tokens), len(tokens[-1])), self._pad_id, np.int64)  # the last is the longest
        mask_BT: NDArray[np.int64] = np.zeros_like(ids_BT)
        for row, ids in enumerate(tokens):
            ids_BT[row, : len(ids)] = ids
            mask_BT[row, : len(ids)] = 1
        vectors_BX: Floats = self._session.run(None, {"input_ids": ids_BT, "attention_mask": mask_BT})[0]
        return vectors_BX
