"""Foreign text made fit for one line of a message, a log or an answer."""

import re
import unicodedata

SHOWN = 60  # characters of a foreign value that a message shows
_BLANKS = re.compile(r"\s+")


def clean(value: object, longest: int = SHOWN) -> str:
    """Make a value fit for one line: blanks joined, anything that would not print replaced by `?`, then cut."""
    text = value if isinstance(value, str) else str(value)
    one_line = _BLANKS.sub(" ", text[: 4 * longest])
    if not (one_line.isascii() and one_line.isprintable()):
        one_line = "".join(c if c == " " or unicodedata.category(c)[0] not in "CZ" else "?" for c in one_line)
    return cut(one_line, longest)


def cut(text: str, longest: int) -> str:
    """Shorten a text to `longest` characters, an ellipsis telling that it was."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
