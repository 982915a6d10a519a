"""What of a text is read, whatever the engine."""

from collections.abc import Sequence

CHARS_PER_TOKEN = 101  # WordPiece gives up on a word of more than 100, and a blank comes with each


def read_of(texts: Sequence[str], max_tokens: int) -> list[str]:
    """So many characters of each text that words of up to 100 fill the tokens.

    A tokenizer takes seconds for a text of a megabyte.

    >>> read_of([" a title ", "x" * 1_000], max_tokens=4)[0], len(read_of(["x" * 1_000], max_tokens=4)[0])
    ('a title', 404)
    """
    most = max_tokens * CHARS_PER_TOKEN
    return [text.strip()[:most] for text in texts]
