"""The base of every section of a study file: frozen, unknown keys refused, scientific and operational fields apart.

Takes nothing, gives classes and `scientific()`. Knows no stage.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo


class Section(BaseModel):
    """A group of settings; every field's docstring is its documentation, with its unit."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=())


def Operational(default: Any = ..., **more: Any) -> Any:  # noqa: N802 (a field, written like pydantic's Field)
    """Return a field that says how to compute, not what: recorded in manifests, never part of a key."""
    return Field(default, json_schema_extra={"operational": True}, **more)


def Later(default: Any = ..., **more: Any) -> Any:  # noqa: N802
    """Return a scientific field that counts in keys only where it differs from its default.

    For settings that came after studies were made: studies that do not use them keep their keys.
    """
    return Field(default, json_schema_extra={"later": True}, **more)


def in_study(value: Path, info: ValidationInfo) -> Path:
    """Return a path of a study file: relative to its folder, with ``{run}`` as the run folder."""
    places = info.context or {}
    text = str(value)
    if "{run}" in text:
        return Path(text.replace("{run}", str(places.get("run", "{run}"))))
    path = Path(text).expanduser()
    return path if path.is_absolute() else Path(places.get("folder", "")) / path


StudyPath = Annotated[Path, AfterValidator(in_study)]
"""A path: relative to the study file's folder (the current folder for a shipped study); ``{run}`` is the run folder."""


_FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _names_a_folder(value: str) -> str:
    if not _FOLDER_NAME.fullmatch(value):
        raise ValueError(f"{value!r} cannot name a folder: use letters, digits, '.', '_' and '-'")
    return value


FolderName = Annotated[str, AfterValidator(_names_a_folder)]
"""A name that also names a folder: letters, digits, `.`, `_`, `-`, the first a letter or digit."""


def _fill_run(value: str, info: ValidationInfo) -> str:
    return value.replace("{run}", str((info.context or {}).get("run", "{run}")))


RunText = Annotated[str, AfterValidator(_fill_run)]
"""Text in which ``{run}`` stands for the run folder."""


def scientific(section: BaseModel) -> dict[str, Any]:
    """Return the fields of `section`, as JSON values, that change results.

    Operational fields are left out, and later ones (`Later`) that have their default.
    """
    found: dict[str, Any] = {}
    for name, info in type(section).model_fields.items():
        extra = info.json_schema_extra
        if isinstance(extra, dict) and extra.get("operational"):
            continue
        value = getattr(section, name)
        if isinstance(extra, dict) and extra.get("later") and value == info.get_default(call_default_factory=True):
            continue
        found[name] = scientific(value) if isinstance(value, BaseModel) else section.model_dump(mode="json")[name]
    return found
