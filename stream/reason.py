"""Putting values and errors into words for a person: short, on one line, nothing that a terminal would act on."""

MAX_REASON = 500  # characters
_MAX_VALUE = 80
_MAX_BITS = 256


def shown(value: object) -> str:
    r"""A value as a message tells it: its `repr`, of what is long only the beginning and the length.

    >>> shown("it's")
    '"it\'s"'
    >>> shown("x" * 2_000)[-22:]
    "xxx'... (2,000 in all)"
    """
    if isinstance(value, str | bytes) and len(value) > _MAX_VALUE:
        return f"{value[:_MAX_VALUE]!r}... ({len(value):,} in all)"
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:  # Python itself refuses to print very long ones
        return f"a whole number of {value.bit_length():,} bits"
    return repr(value)


def readable(text: str, limit: int = MAX_REASON) -> str:
    r"""A text on one line, at most `limit` characters long, with escapes for what cannot be printed.

    >>> readable("a\tb\x1b[2J ü")
    'a\\tb\\x1b[2J ü'
    >>> readable("too long", 6)
    'too...'
    """
    if not text[: limit + 1].isprintable():
        text = "".join(each if each.isprintable() else repr(each)[1:-1] for each in text[: limit + 1])
    return text if len(text) <= limit else text[: limit - 3] + "..."
