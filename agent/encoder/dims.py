"""How long an embedding is, without loading the model."""

import json
from pathlib import Path

from agent.encoder.weights import packaged_model
from agent.settings import EncoderSettings


def dim_in_folder(settings: EncoderSettings) -> int | None:
    """E as the model's folder says it; None where the model is no folder, or its folder does not say.

    Raises:
        EncoderError: no model is set, and none is installed.
    """
    config = Path(settings.model or packaged_model()) / "config.json"
    if not config.is_file():
        return None
    try:
        found = json.loads(config.read_text(encoding="utf-8")).get("hidden_size")
    except (ValueError, AttributeError):
        return None  # loading the model will say what is wrong with it
    return found if isinstance(found, int) else None
