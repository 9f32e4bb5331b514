"""The settings as texts: a page of documentation, and a study file in which everything stands as a comment.

Takes the explained settings, gives text.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import groupby

from temporal_adapters.study.config.explain import Setting, sections, settings

_PAGE = """# Settings

Every setting of a study file, by section; this page is what `ta settings --markdown` prints. *Changes* names the first
stage whose key a setting changes: a finished folder of that stage, and of all that follow, is then stale and done
again. Settings without a stage say how to compute, not what, and change nothing that is finished.

`ta settings train` prints a section, `ta settings train.r` one setting, `ta settings --schema` a JSON Schema from which
editors complete and check study files, `ta settings --example` a study file in which every setting stands as a comment.
"""

_EXAMPLE = """# A study file. What is commented out has the value that stands there.
# Editors that know YAML complete and check it with the schema that `ta settings --schema` writes.
"""

_GIVEN = {"study": "my-study", "panel.paths": "[posts.jsonl.gz]"}
"""What a study file must give, as an example of it."""


def page() -> str:
    """Return `docs/settings.md`."""
    parts = [_PAGE]
    described = sections()
    for section, group in groupby(settings(), key=lambda one: one.section):
        title = f"## {section}\n\n{described.get(section, '')}" if section else "## The study itself"
        rows = [f"| {' | '.join(_cells(one))} |" for one in group]
        head = "| setting | type | default | unit | changes | meaning |\n|---|---|---|---|---|---|"
        parts.append(f"{title.strip()}\n\n{head}\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _cells(one: Setting) -> Iterator[str]:
    key = one.name.rpartition(".")[2]
    default = f"`{one.default}`" if one.default else "must be given"
    for cell in (f"`{key}`", one.kind, default, one.unit, one.stage, one.meaning):
        yield cell.replace("|", "\\|").replace("<", "&lt;") if "`" not in cell else cell.replace("|", "\\|")


def example() -> str:
    """Return a study file that is valid as it is, and with every comment of a setting taken away."""
    lines = [_EXAMPLE]
    described, opened = sections(), [""]
    for one in settings():
        parts = one.name.split(".")[:-1]
        for depth in range(1, len(parts) + 1):
            path = ".".join(parts[:depth])
            if path not in opened:
                opened.append(path)
                lines += _section(path, described.get(path, ""), live=path in ("panel",))
        lines += _setting(one, len(parts))
    return "\n".join(lines) + "\n"


def _section(path: str, meaning: str, *, live: bool) -> list[str]:
    indent = "  " * path.count(".")
    head = f"{indent}{path.rpartition('.')[2]}:"
    return ["", *_comment(meaning, indent), head if live else f"#{head}"]


def _setting(one: Setting, depth: int) -> list[str]:
    indent, key = "  " * depth, one.name.rpartition(".")[2]
    given = _GIVEN.get(one.name)
    value = f"{indent}{key}: {given if given else one.default}"
    return [*_comment(one.meaning, indent), value if given else f"#{value}"]


def _comment(meaning: str, indent: str) -> list[str]:
    return [f"{indent}# {line}" for line in textwrap.wrap(meaning, 110)]
