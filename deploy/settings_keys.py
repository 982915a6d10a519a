"""The keys of a settings tree: all of them, which hold secrets, and what to say of a wrong one."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo


class Key(NamedTuple):
    """One setting that holds a value, not a section."""

    path: tuple[str, ...]
    field: FieldInfo

    @property
    def dotted(self) -> str:
        """The name on the command line."""
        return ".".join(self.path)

    @property
    def secret(self) -> bool:
        """Whether its value must not be shown."""
        return SecretStr in (self.field.annotation, *get_args(self.field.annotation))


class Layer(NamedTuple):
    """What one source gave, and how to name one of its keys: with `{key}` or `{variable}` where that is possible."""

    source: str
    values: dict[str, Any]

    def name(self, path: Sequence[str]) -> str:
        """The source of a key as a person would look for it."""
        return self.source.format(key=".".join(path), variable="__".join(path).upper())

    def holds(self, path: Sequence[str]) -> bool:
        """Whether this source set the key, or something below it."""
        values: Any = self.values
        for name in path:
            if not isinstance(values, dict) or name not in values:
                return False
            values = values[name]
        return True


def keys_of(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[Key]:
    """All keys of a tree of settings in order of their definition, those of a section before its sections'."""
    sections = {}
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            sections[name] = kind
        else:
            yield Key((*above, name), field)
    for name, kind in sections.items():
        yield from keys_of(kind, (*above, name))


def explain(error: ValidationError, model: type[BaseModel], layers: Sequence[Layer]) -> str:
    """What is wrong, one sentence for each wrong key; the source of highest priority that set it is named."""
    keys = {key.path: key for key in keys_of(model)}
    sentences = []
    for problem in error.errors(include_url=False, include_context=False):
        location = tuple(str(part) for part in problem["loc"])
        path = next((location[:size] for size in range(len(location), 0, -1) if location[:size] in keys), location)
        source = next((f" ({layer.name(path)})" for layer in layers if layer.holds(path)), "")
        if problem["type"] == "extra_forbidden":
            sentences.append(_unknown(path, keys) + source)
        else:
            known = keys.get(path)
            shown = "" if known is None or known.secret else f"; got {problem['input']!r}"
            sentences.append(f"{'.'.join(path) or 'settings'} {_rule(problem['msg'])}{shown}{source}")
    return "\n".join(sentences)


def _unknown(path: tuple[str, ...], keys: dict[tuple[str, ...], Key]) -> str:
    name = ".".join(path)
    dotted = [key.dotted for key in keys.values()]
    near = get_close_matches(name, dotted, n=1) or [d for d in dotted if d.endswith(f".{path[-1]}")][:1]
    hint = f"; did you mean {near[0]}?" if near else "; `streambandit settings` prints all"
    return f"{name} is not a setting{hint}"


def _rule(message: str) -> str:
    for start, ours in (("Input should", "must"), ("Value error,", "is not valid:"), ("String should", "must")):
        if message.startswith(start):
            return ours + message.removeprefix(start)
    return message[:1].lower() + message[1:]
