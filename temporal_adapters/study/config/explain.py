"""Every setting of a study file, explained: type, default, unit, meaning, and the first stage that it changes.

Takes the models of the sections, gives records, and the text that `ta settings` prints and `docs/settings.md` is. Knows
of the stages only the first one that each section changes.
"""

from __future__ import annotations

import difflib
import io
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML

from temporal_adapters.ground.errors import UsageError
from temporal_adapters.study.config.study import Study

FIRST_STAGE = {
    "study": "report",
    "description": "report",
    "panel": "weeks",
    "model": "train",
    "tokens": "train",
    "survey": "series",
    "correlate.baselines": "series",
}
"""Section or setting -> the first stage of the line whose key it changes, where that is not called as the section."""

BY_CONTENT = "(by its content)"
"""Said of a path: what counts is what the file holds, not what it is called."""

_UNITS = (
    (r"log-odds", "log-odds"),
    (r"^\S+_s\b|\bseconds\b", "seconds"),
    (r"centimetres", "centimetres"),
    (r"dots per inch", "dots per inch"),
    (r"^\S*(_weeks|lags|lag|wave_every)\b", "weeks"),
    (r"_per_day\b", "posts a day"),
    (r"_per_week\b", "posts a week"),
    (r"^\S*_days\b", "days"),
    (r"^\S*(steps|held_out_every|checkpoints)\b", "optimizer steps"),
    (r"^\S*tokens\b|^block_length|^vocab_size", "tokens"),
    (r"^\S*(posts|cap_per_user)\b", "posts"),
    (r"^n_users|^n_heavy", "accounts"),
    (r"^n_respondents", "respondents"),
    (r"^epochs", "passes"),
    (r"^min_characters", "characters"),
    (r"^micro_batch|^blocks_per_step", "blocks"),
    (r"^together", "adapters"),
    (r"^workers", "processes"),
)
"""Pattern in `name: meaning` -> unit, for numbers; the first that fits."""


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes
    ----------
    name
        ``section.key``, as `--set` takes it.
    kind
        What may stand there, in words.
    default
        As it is written in YAML; empty where it must be given.
    unit
        Unit of a number; empty for a pure number and for everything else.
    meaning
        Its docstring.
    stage
        First stage of the line, or command beside it, whose key it changes, and with it all that follow; empty for a
        setting that says how to compute, not what.
    """

    name: str
    kind: str
    default: str
    unit: str
    meaning: str
    stage: str

    @property
    def section(self) -> str:
        """Name of the section; empty for what stands at the top of the file."""
        return self.name.rpartition(".")[0]


def settings() -> tuple[Setting, ...]:
    """Return every setting of a study file in the file's order."""
    schema = Study.model_json_schema()
    return tuple(_settings(schema, schema, ""))


def chosen(wanted: str) -> tuple[Setting, ...]:
    """Return one setting (``train.r``), those of a section (``train``, ``weeks.clean``), or all (empty).

    Raises
    ------
    UsageError
        If there is none of this name, with the nearest.
    """
    everything = settings()
    found = tuple(one for one in everything if not wanted or one.name == wanted or one.name.startswith(f"{wanted}."))
    if found:
        return found
    known = sorted({one.name for one in everything} | {one.section for one in everything if one.section})
    near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"sections: {', '.join(sections())}"
    raise UsageError(f"there is no setting {wanted!r}; {hint}")


def sections() -> dict[str, str]:
    """Return section -> what it holds, in the file's order; ``weeks.clean`` is a section, too."""
    schema = Study.model_json_schema()
    return dict(_sections(schema, schema, ""))


def _sections(schema: dict[str, Any], section: dict[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, node in section["properties"].items():
        if below := _below(schema, node):
            yield f"{prefix}{key}", " ".join((node.get("description") or below["description"]).split())
            yield from _sections(schema, below, f"{prefix}{key}.")


def _settings(schema: dict[str, Any], section: dict[str, Any], prefix: str) -> Iterator[Setting]:
    required = section.get("required", [])
    for key, node in section["properties"].items():
        below = _below(schema, node)
        if below:
            yield from _settings(schema, below, f"{prefix}{key}.")
            continue
        name, meaning = f"{prefix}{key}", " ".join(node["description"].split())
        default = "" if key in required else _yaml(node.get("default", {}))
        kind = _kind(node)
        yield Setting(name, kind, default, _unit(key, node, meaning), meaning, _stage(name, kind, node))


def _below(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any] | None:
    for one in (node, *node.get("anyOf", [])):
        found = schema["$defs"].get(str(one.get("$ref", "")).rpartition("/")[2])
        if found and "properties" in found:
            return dict(found)
    return None


def _stage(name: str, kind: str, node: dict[str, Any]) -> str:
    section = name.partition(".")[0]
    stage = FIRST_STAGE.get(name, FIRST_STAGE.get(section, section))
    if not node.get("operational"):
        return stage
    return f"{stage} {BY_CONTENT}" if "path" in kind else ""


def _unit(key: str, node: dict[str, Any], meaning: str) -> str:
    leaf = next((one for one in _leaves(node) if one.get("type") in ("integer", "number")), None)
    if leaf is None:
        return ""
    if "unit" in node:
        return str(node["unit"])
    low = leaf.get("minimum", leaf.get("exclusiveMinimum", -1))
    high = leaf.get("maximum", leaf.get("exclusiveMaximum", 2))
    if low >= 0 and high <= 1:
        return "0 to 1"
    return next((unit for pattern, unit in _UNITS if re.search(pattern, f"{key}: {meaning}")), "")


def _leaves(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    inner = [*node.get("anyOf", []), *node.get("prefixItems", [])]
    inner += [node[name] for name in ("items",) if isinstance(node.get(name), dict)]
    if not inner:
        yield node
    for one in inner:
        yield from _leaves(one)


_WORDS = {"integer": "whole number", "number": "number", "boolean": "true or false", "null": "null", "string": "text"}
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
}


def _kind(node: dict[str, Any]) -> str:
    """Return what may stand in a place, in words."""
    if "anyOf" in node:
        return " or ".join(_kind(one) for one in node["anyOf"])
    if "enum" in node or "const" in node:
        return "one of " + ", ".join(str(one) for one in node.get("enum", [node.get("const")]))
    if node.get("type") == "object":
        below = node.get("additionalProperties")
        return f"name: {_kind(below)}" if isinstance(below, dict) else "names: values"
    if node.get("type") == "array":
        inner = node.get("items") or node.get("prefixItems", [{}])[0]
        length = f" of {node['minItems']}" if node.get("minItems") == node.get("maxItems") is not None else ""
        return f"list{length}: {_kind(inner)}" if inner else "list"
    if "$ref" in node:
        return f"section {str(node['$ref']).rpartition('/')[2].lower()}"
    word = node.get("format") or _WORDS.get(str(node.get("type")), "anything")
    limits = [words.format(node[name]) for name, words in _BOUNDS.items() if name in node]
    return f"{word} ({', '.join(limits)})" if limits else str(word)


def _yaml(value: Any) -> str:
    written = io.StringIO()
    writer = YAML()
    writer.default_flow_style, writer.width = True, 4096
    writer.dump([value], written)
    return written.getvalue().strip()[1:-1]


def in_a_line(one: Setting) -> str:
    """Return a setting as `ta settings` lists it: name, default, unit, and the beginning of what it means."""
    default = one.default if len(one.default) <= 24 else f"{one.default[:21]}..."
    what = textwrap.shorten(f"({one.unit}) {one.meaning}" if one.unit else one.meaning, 100, placeholder=" ...")
    return f"{one.name:<34} {default or 'must be given':<24} {what}"


def in_words(one: Setting) -> str:
    """Return a setting as `ta settings SECTION.KEY` prints it."""
    lines = [one.name, f"  {one.meaning}", f"  type      {one.kind}", f"  default   {one.default or 'must be given'}"]
    lines += [f"  unit      {one.unit}"] if one.unit else []
    return "\n".join([*lines, f"  changes   {_changes(one)}"])


def _changes(one: Setting) -> str:
    return f"{one.stage} and what follows" if one.stage else "nothing: how it is computed, not what"
