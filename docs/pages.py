"""The pages of the site, complete: those of this folder, and what the repository holds elsewhere put in its place.

Takes a folder, gives it the pages. Where a page says ``<!-- commands -->`` comes the help of every command as the app
itself gives it; where it says ``<!-- functions -->``, the docstrings of the front door, by mkdocstrings; where it says
``<!-- file: PATH -->``, the text of that file of the repository.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def commands() -> str:
    """Return the help of `ta` and of every command as Markdown, by Typer's own writer."""
    import typer
    from typer.cli import get_docs_for_click

    from temporal_adapters.cli import app

    command = typer.main.get_command(app)
    written = get_docs_for_click(obj=command, ctx=typer.Context(command, info_name="ta"), name="ta")
    return written.replace("```console", "```text").partition("\n")[2]


def functions() -> str:
    """Return a heading and mkdocstrings' mark for every name of the front door, as its stub lists them."""
    stub = (ROOT / "temporal_adapters" / "__init__.pyi").read_text(encoding="utf-8")
    names = re.findall(r"^from \.(\S+) import (\w+) as \2$", stub, re.M)
    mark = "## `ta.{1}`\n\n::: temporal_adapters.{0}.{1}\n    options:\n      show_root_heading: false\n"
    return "\n".join(mark.format(module, name) for module, name in names if (module, name) != ("study.config", "Study"))


def file(path: str) -> str:
    """Return a file of the repository without its title; what it links to in the repository is named instead."""
    text = (ROOT / path).read_text(encoding="utf-8")
    body = text.partition("\n")[2] if text.startswith("# ") else text
    return re.sub(r"\[([^\]]+)\]\((?!https?://|#)[^)]+\)", r"\1", body)


def complete(page: str) -> str:
    """Return a page with what its marks stand for."""
    if "<!-- commands -->" in page:
        page = page.replace("<!-- commands -->", commands())
    if "<!-- functions -->" in page:
        page = page.replace("<!-- functions -->", functions())
    return re.sub(r"<!-- file: (\S+) -->", lambda found: file(found[1]), page)


def write(folder: Path) -> None:
    """Write every page and picture into a folder, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for path in folder.rglob("*.md"):
        path.write_text(complete(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
