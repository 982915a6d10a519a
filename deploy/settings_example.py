"""All settings as a TOML file with their defaults and what they mean."""

import json
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from deploy.settings import Settings
from deploy.settings_keys import Key, keys_of

_HEAD = """\
# Settings of streambandit with their defaults. Each can be set here, in the environment
# (STREAMBANDIT_AGENT__EXPLORE__FLOOR=0.02) or on the command line (--set agent.explore.floor=0.02);
# the command line wins over the environment, which wins over this file.
"""


def example_toml(settings: Settings | None = None) -> str:
    """A TOML file of all settings, which loads as it stands; secrets, and what is not set, are commented out.

    Args:
        settings: the values to show; the defaults without.
    """
    shown = settings or Settings()
    lines = [_HEAD]
    section: tuple[str, ...] = ()
    for key in keys_of(Settings):
        if key.path[:-1] != section:
            section = key.path[:-1]
            lines.append(f"\n[{'.'.join(section)}]")
        lines += [f"# {text}" for text in _explained(key)]
        lines.append(_assignment(key, _value_of(shown, key.path)))
    return "\n".join(lines) + "\n"


def _explained(key: Key) -> list[str]:
    about = [key.field.description] if key.field.description else []
    literal = next(
        (t for t in (key.field.annotation, *get_args(key.field.annotation)) if get_origin(t) is Literal), None
    )
    if literal is not None:
        about.append("one of: " + ", ".join(map(str, get_args(literal))))
    return about


def _assignment(key: Key, value: Any) -> str:  # noqa: ANN401
    if key.secret:
        return f'# {key.path[-1]} = "..."'
    if value is None:
        return f"# {key.path[-1]} ="
    if isinstance(value, int) and key.field.annotation is float:
        value = float(value)
    return f"{key.path[-1]} = {_toml(value)}"


def _value_of(settings: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401
    for name in path:
        settings = getattr(settings, name)
    return settings


def _toml(value: Any) -> str:  # noqa: ANN401 - JSON's scalars and lists are TOML's as well, its tables are not
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)
