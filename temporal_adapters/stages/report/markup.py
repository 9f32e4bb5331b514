"""HTML and SVG elements whose text is always escaped.

Takes names, attributes and children, gives `Markup`. Knows no study: only a `Markup` child is kept as it is, any other
text is escaped, so that nothing from a post or a file can ever become HTML.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from typing import Any

_VOID = frozenset({"meta", "br", "hr", "input", "link", "img"})


class Markup(str):
    """Text that is HTML already; only this module and constants of this package make one."""

    __slots__ = ()


Child = str | int | float | None | Iterable["Child"]


def element(tag: str, /, *children: Child, **attributes: str | float | bool | None) -> Markup:
    """Return one element.

    Parameters
    ----------
    tag
        Tag name.
    children
        Markup is kept, None is left out, lists are flattened, everything else is escaped.
    attributes
        Underscores become hyphens and a trailing one is dropped (``class_``); None and False are left out, True gives
        an attribute without a value.
    """
    head = tag + "".join(_attribute(key, value) for key, value in attributes.items())
    if tag in _VOID:
        return Markup(f"<{head}>")
    return Markup(f"<{head}>{join(children)}</{tag}>")


def join(children: Iterable[Child]) -> Markup:
    """Return the children one after the other."""
    return Markup("".join(_child(child) for child in children))


def json_block(identifier: str, value: Any) -> Markup:
    """Return `value` as a data block that a script can read and that cannot end early."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return element("script", Markup(text), type="application/json", id=identifier)


def _child(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str | int | float):
        return html.escape(str(child))
    return join(child)


def _attribute(key: str, value: str | float | bool | None) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'
