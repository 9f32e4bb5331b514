"""Numbers as people read them.

Takes numbers, gives text. Knows nothing of where they come from.
"""

from __future__ import annotations

MINUS = "\u2212"
NONE = "\u2013"


def decimal(number: float | None, digits: int = 2) -> str:
    """Return `number` with `digits` decimals and a true minus sign; a dash for what does not exist."""
    if number is None:
        return NONE
    text = f"{number:.{digits}f}"
    if not text.strip("-0."):
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def count(number: float | None) -> str:
    """Return a whole number with thousands separated by commas."""
    return NONE if number is None else f"{number:,.0f}".replace("-", MINUS)


def probability(p: float | None) -> str:
    """Return a p- or q-value: three decimals, or ``< 0.001``."""
    if p is None:
        return NONE
    return "<\u00a00.001" if p < 0.001 else f"{p:.3f}"


def p_words(name: str, p: float | None) -> str:
    """Return ``p = 0.012`` or ``p < 0.001``."""
    shown = probability(p)
    return f"{name}\u00a0{shown}" if shown.startswith("<") else f"{name}\u00a0=\u00a0{shown}"


def percent(share: float | None, digits: int = 0) -> str:
    """Return a share as a percentage; a share too small for its digits with one that counts."""
    if share is None:
        return NONE
    shown = f"{100 * share:.{digits}f}"
    return f"{shown if float(shown) or not share else f'{100 * share:.1g}'}\u00a0%"


def signed(number: int) -> str:
    """Return a lag with its sign: ``+2``, ``0``, ``−1``."""
    return f"{number:+d}".replace("-", MINUS) if number else "0"


def plural(number: int, word: str) -> str:
    """Return the count and the word, with an s where there are several."""
    return f"{count(number)} {word}{'' if number == 1 else 's'}"


def size(n_bytes: float) -> str:
    """Return a number of bytes, such as ``3.4 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"


def duration(seconds: float) -> str:
    """Return a time span, such as ``42 s``, ``3 min 20 s`` or ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
