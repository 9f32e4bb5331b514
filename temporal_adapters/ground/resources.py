"""Packaged queries and configs as text, alike in a wheel, an sdist and a checkout.

Takes a kind and a name, gives the text (or a path for libraries that need one). Knows nothing of what is inside.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Literal

from temporal_adapters.ground.errors import ResourceError

Kind = Literal["queries", "studies", "questionnaires", "surveys", "experiments"]

_SUFFIX: dict[str, str] = {"queries": ".sql"}
_PACKAGE = Path(__file__).resolve().parents[1]


def folder(kind: Kind) -> Path:
    """Return the folder that holds all resources of `kind`.

    A wheel carries the folders inside the package; hatchling's force-include does not reach an editable install, so a
    checkout falls back to the folders beside the package.
    """
    inside = Path(kind) if kind == "queries" else Path("configs") / kind
    for root in (_PACKAGE, _PACKAGE.parent):
        if (root / inside).is_dir():
            return root / inside
    raise ResourceError(f"the folder {inside} is missing from the installation of temporal-adapters: reinstall it")


def names(kind: Kind) -> list[str]:
    """Return the sorted names (without ending) of all resources of `kind`."""
    suffix = _SUFFIX.get(kind, ".yaml")
    return sorted(path.stem for path in folder(kind).glob(f"*{suffix}"))


def path(kind: Kind, name: str) -> Path:
    """Return the path of one resource.

    Raises
    ------
    ResourceError
        If there is none of that name; the message lists what there is and the nearest name.
    """
    found = folder(kind) / f"{name}{_SUFFIX.get(kind, '.yaml')}"
    if found.is_file():
        return found
    known = names(kind)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ResourceError(f"no {kind} named {name!r} ships with temporal-adapters (there are: {', '.join(known)}){hint}")


def text(kind: Kind, name: str) -> str:
    """Return one resource as text (UTF-8)."""
    return path(kind, name).read_text(encoding="utf-8")
