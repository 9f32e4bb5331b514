"""A questionnaire back to the native YAML format.

Takes records, gives YAML text that `files.load` reads as the same records. Knows no other format.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from temporal_adapters.study.questionnaire.records import Item, Option, Questionnaire, Wording


def dumps(questionnaire: Questionnaire) -> str:
    """Return `questionnaire` as YAML; settings that are the default are left out."""
    document = CommentedMap(questionnaire=questionnaire.name)
    for name in ("title", "language", "source"):
        document[name] = getattr(questionnaire, name)
    lists = choice_lists(questionnaire)
    document["choices"] = CommentedMap({name: [_option(o) for o in options] for name, options in lists.items()})
    document["items"] = [_item(item, lists, questionnaire) for item in questionnaire.items]
    out = io.StringIO()
    yaml = YAML(typ="rt")
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(document, out)
    return out.getvalue()


def choice_lists(questionnaire: Questionnaire) -> dict[str, tuple[Option, ...]]:
    """Return list name -> options: equal lists are shared, each is named after the first item that uses it."""
    found: dict[str, tuple[Option, ...]] = {}
    for item in questionnaire.items:
        if item.options not in found.values():
            found[item.name] = item.options
    return found


def list_name(item: Item, lists: dict[str, tuple[Option, ...]]) -> str:
    """Return the name of the list that holds the item's options."""
    return next(name for name, options in lists.items() if options == item.options)


def _option(option: Option) -> CommentedMap:
    entry = CommentedMap(text=option.text)
    if option.name != option.text:
        entry["name"] = option.name
    if option.survey and option.survey != option.name:
        entry["survey"] = option.survey
    _add(entry, option, ("code", "value", "role", "pinned", "aliases"))
    if _fits_one_line(entry.values()):
        entry.fa.set_flow_style()
    return entry


def _item(item: Item, lists: dict[str, tuple[Option, ...]], questionnaire: Questionnaire) -> CommentedMap:
    entry = CommentedMap(item=item.name, type=item.type, title=item.title)
    if item.language != questionnaire.language:
        entry["language"] = item.language
    entry["survey"] = item.survey_question
    entry["choices"] = list_name(item, lists)
    _add(entry, item, ("cases", "orders", "domain"))
    entry["wordings"] = [_wording(wording) for wording in item.wordings]
    return entry


def _wording(wording: Wording) -> CommentedMap:
    entry = CommentedMap(wording=wording.name)
    _add(entry, wording, tuple(field.name for field in fields(Wording) if field.name != "name"))
    return entry


def _add(entry: CommentedMap, record: Any, names: tuple[str, ...]) -> None:
    defaults = {field.name: field.default for field in fields(record)}
    for name in names:
        value = getattr(record, name)
        if value != defaults[name]:
            entry[name] = _flow(value) if isinstance(value, tuple) else value


def _flow(values: tuple[Any, ...]) -> CommentedSeq:
    listed = CommentedSeq(values)
    if _fits_one_line(values):
        listed.fa.set_flow_style()
    return listed


def _fits_one_line(values: Iterable[Any]) -> bool:
    """Say whether braces may hold these: ruamel.yaml leaves a leading "?" bare, which there marks a key."""
    words = [word for value in values for word in (value if isinstance(value, list | tuple) else [value])]
    return not any(isinstance(word, str) and word.startswith("?") for word in words)
