"""HTML and SVG elements whose text is always escaped.

Takes names, attributes and children, gives `Markup`. Knows no study: only a `Markup` child is kept as it is, any other
text is escaped, so that nothing from a post or a file can ever become HTML.
"""

from __future__ import annotations

import base64
import hashlib
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


def document(title: str, body: Iterable[Child], *, style: Markup, script: Markup | None = None) -> str:
    """Return a whole page whose policy forbids every request, every form and every script but `script`.

    Parameters
    ----------
    title
        Of the page.
    body
        What stands on it; `script` comes last.
    style, script
        CSS and JavaScript, put inside the page.
    """
    policy = [f"default-src 'none'; style-src {_allow(style)}; img-src data:; base-uri 'none'; form-action 'none'"]
    policy += [f"script-src {_allow(script)}"] if script else []
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content="; ".join(policy)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{title} \u2013 temporal-adapters"),
        element("style", style),
    )
    whole = element("body", body, element("script", script) if script else None)
    return f"<!doctype html>\n{element('html', join([head, whole]), lang='en')}\n"


def _allow(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


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
