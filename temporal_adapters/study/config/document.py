"""YAML 1.2 files with line numbers, and validation errors a person can act on.

Takes a path and a Pydantic model, gives the model or `ConfigError` with file:line, the bad value, what is allowed and
the nearest known key. Knows no section.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from temporal_adapters.ground.errors import ConfigError
from temporal_adapters.study.config.bounds import MOST_BYTES, check_text, check_values

ModelT = TypeVar("ModelT", bound=BaseModel)


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML 1.2 file (`Yes` stays a string), keeping line numbers.

    Raises
    ------
    ConfigError
        If the file is missing, not UTF-8, or not YAML; with file:line.
    """
    try:
        size = path.stat().st_size
        if size > 4 * MOST_BYTES:
            raise ConfigError(f"{path}: holds {size:,} bytes, at most {MOST_BYTES:,} are read: split the file")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text ({error})") from None
    document = _parsed(text, path)
    check_values(document, path)
    return document


def _parsed(text: str, path: Path) -> Any:
    try:
        check_text(text, path)
        return YAML(typ="rt").load(text)
    except ConfigError:
        raise
    except MarkedYAMLError as error:
        mark = error.problem_mark
        line = f":{mark.line + 1}" if mark else ""
        problem = " ".join(str(error.problem or error.context or "unreadable").split())
        raise ConfigError(f"{path}{line}: not valid YAML: {problem[:200]}") from None
    except YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())[:200]}") from None
    except Exception as error:
        # What a tag asks for (`!!int abc`, `!!timestamp x`) or a key that is no text: the library meets these with
        # whatever its own code raises.
        said = " ".join(str(error).split())[:120]
        raise ConfigError(f"{path}: holds a value that cannot be read ({type(error).__name__}: {said})") from None


def line_of(document: Any, location: Sequence[Any]) -> int | None:
    """Return the line (from 1) of the value at `location`, or of its nearest parent that has one."""
    line: int | None = None
    node = document
    for part in location:
        known = node.lc.data if isinstance(node, CommentedMap | CommentedSeq) and node.lc.data else {}
        if part not in known:
            break
        line = known[part][0] + 1
        node = node[part]
    return line


def plain(node: Any) -> Any:
    """Return `node` as plain dicts, lists and scalars."""
    if isinstance(node, Mapping):
        return {str(key): plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(value) for value in node]
    return node


def validate(model: type[ModelT], document: Any, path: Path, context: Mapping[str, Any] | None = None) -> ModelT:
    """Return `document` as `model`.

    Raises
    ------
    ConfigError
        One sentence for the first problem, with file:line, and how many more there are.
    """
    if not isinstance(document, Mapping):
        raise ConfigError(f"{path}: must hold `key: value` lines, found {type(document).__name__}")
    try:
        return model.model_validate(plain(document), context=dict(context or {}))
    except ValidationError as error:
        # A misspelt key is also a missing one: the misspelling is what the person needs to see.
        problems = sorted(error.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
        first = _sentence(model, document, path, problems[0])
        more = f" ({len(problems) - 1} more problems follow)" if len(problems) > 1 else ""
        raise ConfigError(first + more) from None


def _sentence(model: type[BaseModel], document: Any, path: Path, problem: Any) -> str:
    location = [part for part in problem["loc"] if not (isinstance(part, str) and "[" in part)]
    location = location or list(problem["loc"][-1:])
    line = line_of(document, location)
    place = f"{path}:{line}" if line else str(path)
    name = ".".join(str(part) for part in location)
    if problem["type"] == "extra_forbidden":
        return f"{place}: unknown key {name!r}{_nearest(model, location)}"
    if problem["type"] == "missing":
        return f"{place}: the key {name!r} is required"
    message = problem["msg"].removeprefix("Value error, ")
    subject = f"{name}: " if name else ""
    if problem["type"] == "value_error":
        return f"{place}: {subject}{message}"
    return f"{place}: {subject}{problem['input']!r} is not allowed: {message[0].lower()}{message[1:]}"


def _nearest(model: type[BaseModel], location: Sequence[Any]) -> str:
    here: type[BaseModel] | None = model
    for part in location[:-1]:
        here = _section(here, part)
    if here is None or not location:
        return ""
    known = list(_keys(here))
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{hint} (allowed: {', '.join(known)})"


def _keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a section by their keys in a file."""
    return {info.serialization_alias or name: info for name, info in model.model_fields.items()}


def _section(model: type[BaseModel] | None, part: Any) -> type[BaseModel] | None:
    if model is None or part not in _keys(model):
        return model if isinstance(part, int) else None
    queue = [_keys(model)[part].annotation]
    while queue:
        kind = queue.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
        queue.extend(get_args(kind))
    return None
