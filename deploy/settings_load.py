"""Reads the settings from the command line, the environment, a TOML file and the defaults, in this order of priority.

    --set agent.explore.floor=0.02
    STREAMBANDIT_AGENT__EXPLORE__FLOOR=0.02
    [agent.explore]
    floor = 0.02

Each error says which of them a key or value came from.
"""

import json
import os
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource, TomlConfigSettingsSource
from pydantic_settings.exceptions import SettingsError as SourceError

from deploy.errors import SettingsError
from deploy.settings import Settings
from deploy.settings_keys import Layer, explain

_PREFIX = str(Settings.model_config["env_prefix"])


def load_settings(config: Path | None = None, overrides: Sequence[str] = ()) -> Settings:
    """The settings of this process.

    Args:
        config: a TOML file.
        overrides: `KEY=VALUE` each, the later one wins. A value that starts like a TOML or JSON list, table or quoted
            string, and `null`, is read as such; any other is taken as it stands.

    Raises:
        SettingsError: a key, value, file or environment variable is wrong; the message says which and where.

    >>> load_settings(overrides=["seed=3", "agent.explore.floor=0.02"]).agent.explore.floor
    0.02
    """
    layers = [
        Layer("--set {key}", _from_overrides(overrides)),
        Layer(f"{_PREFIX}{{variable}}", _from_environment()),
        Layer(str(config), _from_file(config)),
    ]
    values: dict[str, Any] = {}
    for layer in reversed(layers):
        values = _merged(values, layer.values)
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError(explain(error, Settings, layers)) from None  # the original holds secrets


def _merged(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    both = dict(low)
    for key, value in high.items():
        old = both.get(key)
        both[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return both


def _from_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for override in overrides:
        key, separator, text = override.partition("=")
        path = key.strip().split(".")
        if not separator or not all(re.fullmatch(r"[\w-]+", name) for name in path):
            shown = re.match(r"[\w.-]*", override)  # no more of it: what follows may be a secret
            raise SettingsError(f"--set must be KEY=VALUE; got {shown.group() if shown else ''!r}")
        nested: Any = _value(text)
        for name in reversed(path):
            nested = {name: nested}
        values = _merged(values, nested)
    return values


def _value(text: str) -> Any:  # noqa: ANN401 - whatever was written
    if not re.match(r"""\s*([\["'{]|null$)""", text):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        pass
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _from_environment() -> dict[str, Any]:
    for name in os.environ:
        section = name[len(_PREFIX) :].split("__")[0].lower()
        if name.upper().startswith(_PREFIX) and section not in Settings.model_fields:
            known = ", ".join(Settings.model_fields)
            raise SettingsError(f"environment variable {name} must name a setting; {section!r} is none of {known}")
    try:
        return EnvSettingsSource(Settings)()
    except (SourceError, json.JSONDecodeError):
        raise SettingsError(_broken_variable()) from None


def _broken_variable() -> str:
    names = [name for name in os.environ if name.upper().startswith(_PREFIX) and os.environ[name][:1] in "[{"]
    return f"environment variables with lists or tables must hold JSON; one of these does not: {', '.join(names)}"


def _from_file(config: Path | None) -> dict[str, Any]:
    if config is None:
        return {}
    if not config.is_file():
        raise SettingsError(f"--config must be a TOML file; there is none at {config}")
    try:
        return dict(TomlConfigSettingsSource(Settings, config).toml_data)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"--config {config} must be TOML: {error}") from None
    except OSError as error:
        raise SettingsError(f"--config {config} must be readable: {error.strerror}") from None
