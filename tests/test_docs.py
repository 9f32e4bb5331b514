"""The README and the pages of the site: what they quote is what the code says, and every block of code in them runs."""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from blocks import PAGES, ROOT, RUN, SHOWN, Block, blocks, name, run
from ruamel.yaml import YAML

import temporal_adapters as ta
from temporal_adapters.cli import app
from temporal_adapters.engines.scoring import METHODS
from temporal_adapters.engines.significance.alternates import ALTERNATES
from temporal_adapters.ground.tables import SCHEMAS

DOCS = ROOT / "docs"


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def every_block() -> Iterator[tuple[str, Block]]:
    for page in PAGES:
        for block in blocks(text(page)):
            yield f"{name(page)}:{block.line}", block


def settings() -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(text(ROOT / "mkdocs.yml"))
    return loaded


def leaves(nav: list[Any]) -> Iterator[str]:
    for entry in nav:
        if isinstance(entry, str):
            yield entry
        else:
            for below in entry.values():
                yield from [below] if isinstance(below, str) else leaves(below)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if any(b.runs for b in blocks(text(page)))], ids=name)
def test_every_block_of_a_page_runs_in_order_from_an_empty_folder(page: Path, tmp_path: Path) -> None:
    assert run(name(page), text(page), tmp_path) == []


def test_a_block_is_run_written_shown_or_marked_with_a_reason() -> None:
    wrong = []
    for where, block in every_block():
        known = block.language in RUN or block.language in SHOWN or block.title or block.reason
        wrong += [] if known else [f"{where}: a block of {block.language or 'no language'!r} is neither run nor marked"]
        wrong += [f"{where}: give a reason"] if block.reason is not None and len(block.reason.split()) < 2 else []
        wrong += [f"{where}: output of nothing"] if block.output and block.language not in SHOWN else []
    assert wrong == []


def test_every_page_is_in_the_navigation_and_has_one_title() -> None:
    assert sorted(leaves(settings()["nav"])) == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
    assert [name(page) for page in PAGES if len(re.findall(r"^# ", without_code(text(page)), re.M)) != 1] == []


def test_every_link_and_every_path_leads_somewhere() -> None:
    wrong = []
    for page in PAGES:
        links = [link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text(page)) if "://" not in link]
        wrong += [f"{name(page)}: {link}" for link in links if not (page.parent / link).exists()]
        named = re.findall(
            r"`((?:configs|benchmarks|notebooks|tests|docs|queries|temporal_adapters)/[\w./-]+)`", text(page)
        )
        wrong += [f"{name(page)}: {path}" for path in named if not (ROOT / path).exists()]
    assert wrong == []


def test_every_command_and_option_that_is_named_exists() -> None:
    wrong = []
    for page in PAGES:
        named = [line for block in blocks(text(page)) if block.language == "bash" for line in commands(block.text)]
        named += re.findall(r"`(ta [a-z][^`]*)`", without_code(text(page)))
        wrong += [f"{name(page)}: {line}: {problem}" for line in named for problem in unknown(line)]
    assert wrong == []


def commands(script: str) -> list[str]:
    lines = script.replace("\\\n", " ").splitlines()
    return [found[1] for line in lines if (found := re.search(r"(?:^|[\s;&|'(])(ta [a-z-][^;|&>)']*)", line))]


def unknown(line: str) -> Iterator[str]:
    """Yield what is wrong with a command line, by the app's own parameters."""
    words = [word for word in shlex.split(line, comments=True)[1:] if word != "..."]
    command: Any = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    if hasattr(command, "commands") and words and not words[0].startswith("-") and not words[0].isupper():
        yield f"no command {words[0]}"
    options = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
    for word in words:
        if word.startswith("-") and not re.fullmatch(r"-?[\d.]+", word):
            option = word.split("=")[0]
            if option not in {*options, "--help", "-h"}:
                yield f"no option {option}"


def without_code(page: str) -> str:
    return re.sub(r"^```.*?^```", "", page, flags=re.M | re.S)


def test_the_quoted_schemas_are_those_of_the_tables() -> None:
    page = text(DOCS / "files.md")
    for table, schema in SCHEMAS.items():
        columns = ", ".join([*schema.columns, *(f"{prefix}<label> ..." for prefix in schema.open_columns)])
        assert re.search(rf"^\| {table} \| [^|]+ \| {re.escape(columns)} \|$", page, re.M), f"{table}: {columns}"


def test_every_scoring_method_and_every_alternate_test_has_its_formula_on_the_page() -> None:
    page = text(DOCS / "methods.md")
    assert [name for name in [*METHODS, *ALTERNATES] if f"`{name}`" not in page] == []


def test_a_built_page_holds_every_command_every_call_and_the_results(tmp_path: Path) -> None:
    runpy.run_path(str(DOCS / "pages.py"))["write"](tmp_path / "pages")
    built = text(tmp_path / "pages" / "cli.md")
    for path, command in walk(typer.main.get_command(app), "ta"):
        assert f"`{path}`" in built
        assert all(f"--{word}" in built for word in option_names(command))
    named = set(ta.__all__) - {"__version__", "Study"}
    assert named == set(re.findall(r"^## `ta\.(\w+)`$", text(tmp_path / "pages" / "api.md"), re.M))
    results = text(ROOT / "benchmarks" / "RESULTS.md").splitlines()
    assert len(text(tmp_path / "pages" / "results.md").splitlines()) >= len(results)
    assert "<!-- " not in text(tmp_path / "pages" / "changelog.md")


def walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, command
    for word, below in getattr(command, "commands", {}).items():
        yield from walk(below, f"{path} {word}")


def option_names(command: Any) -> Iterator[str]:
    for parameter in command.params:
        yield from (word[2:] for word in parameter.opts if word.startswith("--"))


PAGE = """# A page

```yaml title="deep/study.yaml"
study: x
```

<!-- run
echo hidden > seen.txt
-->

```bash
cat deep/study.yaml seen.txt
```

<!-- output -->
```text
study: ...
hidden
```

```python
x = 1
```

<!-- not run: costs money -->
```bash
exit 7
```

```python
assert x == 1
print("ten", open("seen.txt").read())
```

<!-- output -->
```text
ten hidden
```
"""


def test_a_reader_runs_blocks_in_order_with_their_files_and_hidden_lines(tmp_path: Path) -> None:
    assert run("page", PAGE, tmp_path) == []
    assert (tmp_path / "seen.txt").read_text() == "hidden\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("assert x == 1", "assert x == 2", "page:30: this fails"),
        ("ten hidden", "ten lost", "page:36: the page says"),
        ("cat deep", "cat shallow", "page:11: this fails"),
        ("<!-- not run: costs money -->\n", "", "page:25: this fails"),
    ],
)
def test_a_reader_says_which_block_fails(old: str, new: str, said: str, tmp_path: Path) -> None:
    (wrong,) = run("page", PAGE.replace(old, new, 1), tmp_path)
    assert said in wrong


def test_marks_and_indented_blocks_are_seen() -> None:
    assert [(b.language, b.runs, b.reason, b.title) for b in blocks(PAGE)] == [
        ("yaml", False, None, "deep/study.yaml"),
        ("bash", True, None, ""),
        ("bash", True, None, ""),
        ("text", False, None, ""),
        ("python", True, None, ""),
        ("bash", False, "costs money", ""),
        ("python", True, None, ""),
        ("text", False, None, ""),
    ]
    assert [b.language for b in blocks("a\n\n    indented\n")] == ["indented"]


def test_a_command_that_does_not_exist_is_seen() -> None:
    assert list(unknown("ta nope")) == ["no command nope"]
    assert list(unknown("ta run --nope")) == ["no option --nope"]
    assert list(unknown("ta survey check --study x.yaml")) == []
