"""From the weights of a Hugging Face model to a graph of integers for ONNX Runtime. Takes seconds, once a model."""

import io
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch

from agent.encoder.bert import load, pooled
from agent.encoder.graph import GRAPH, TOKENIZER, Graph
from agent.encoder.quantise import OPSET, Quantiser
from agent.errors import EncoderError
from envs.protocols import Floats

_TRACED = ("a text", "one that is longer", "another of them that is longer than both")
_PROOF = ("What is it", "Why your risotto turns gluey, and the one stir that fixes it", "1, 2", "The bank waits")
_AXES = {
    "input_ids": {0: "texts", 1: "tokens"},
    "attention_mask": {0: "texts", 1: "tokens"},
    "embedding": {0: "texts"},
}
_PROOF_TOKENS, _LEAST_COSINE = 16, 0.95
_ADVICE = 'set agent.encoder.engine to "torch-fp32"'


def convert(folder: Path, model: str, *, manner: bool = False) -> dict[str, bytes]:
    """The files of a converted model: its graph, and a tokenizer that pads.

    Args:
        folder: of the weights.
        model: its name, for errors.
        manner: whether the manner of texts is read, see `pooled`.

    Raises:
        EncoderError: the model cannot be loaded, or not be converted to something that is close to it.
    """
    tokenizer, bert = load(str(folder), attention="eager")
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise EncoderError(f"encoder.model must have a tokenizer that `tokenizers` can run; got {model!r}: {_ADVICE}")
    backend.no_truncation()
    backend.enable_padding(pad_id=tokenizer.pad_token_id or 0, pad_token=tokenizer.pad_token or "[PAD]")
    whole = _Pooled(bert, manner=manner).eval()
    files = {GRAPH: _graph(whole, tokenizer, model), TOKENIZER: backend.to_str().encode()}
    _prove(Graph(files, max_tokens=_PROOF_TOKENS), tokenizer, whole, model)
    return files


class _Pooled(torch.nn.Module):
    """A model with its pooling, so that the graph ends in embeddings."""

    def __init__(self, bert: Any, *, manner: bool) -> None:  # noqa: ANN401 - transformers ships no types
        super().__init__()
        self._bert = bert
        self._manner = manner
        self.parts = 2 if manner else 1

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return pooled(self._bert, manner=self._manner, input_ids=input_ids, attention_mask=attention_mask)


def _graph(module: torch.nn.Module, tokenizer: Any, model: str) -> bytes:  # noqa: ANN401
    tokens = tokenizer(list(_TRACED), padding=True, return_tensors="pt")
    written = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of the exporter's age, and of what it takes as constant: that is proved below
        try:
            torch.onnx.export(
                module,
                (tokens["input_ids"], tokens["attention_mask"]),
                written,  # type: ignore[arg-type]
                input_names=["input_ids", "attention_mask"],
                output_names=["embedding"],
                dynamic_axes=_AXES,
                opset_version=OPSET,
                dynamo=False,  # the other exporter takes ten times as long and needs two more packages
            )
        except (RuntimeError, TypeError, ValueError, torch.onnx.OnnxExporterError) as error:
            raise EncoderError(f"encoder.model must export to ONNX; got {model!r}: {error}; {_ADVICE}") from error
    graph = onnx.load_model_from_string(written.getvalue())
    if not Quantiser(graph).run():
        raise EncoderError(f"encoder.model must have products with weights; got none in {model!r}: {_ADVICE}")
    return bytes(graph.SerializeToString())


def _prove(graph: Graph, tokenizer: Any, whole: _Pooled, model: str) -> None:  # noqa: ANN401
    """Texts of other lengths and another number than were traced have embeddings close to those of the weights."""
    tokens = tokenizer(list(_PROOF), padding=True, truncation=True, max_length=_PROOF_TOKENS, return_tensors="pt")
    with torch.inference_mode():
        exact_NX: Floats = whole(tokens["input_ids"], tokens["attention_mask"]).numpy()
    try:
        alike_NX = graph.encode(_PROOF, batch_size=len(_PROOF)) * exact_NX
        least = float(alike_NX.reshape(len(_PROOF), whole.parts, -1).sum(axis=2).min())
    except Exception as error:  # ONNX Runtime's errors have no type in common but this
        raise EncoderError(f"encoder.model must run as ONNX; got {model!r}: {error}; {_ADVICE}") from error
    if not least >= _LEAST_COSINE:
        raise EncoderError(
            f"encoder.model must keep cosines of {_LEAST_COSINE} as integers; got {least:.3f} with {model!r}: {_ADVICE}"
        )
