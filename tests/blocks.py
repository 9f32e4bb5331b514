"""The code blocks of a Markdown page: what each of them is, and a page's blocks run in order as its reader would.

A fence tagged ``bash`` or ``python`` is run; one with a title (```` ```yaml title="study.yaml" ````) is written to that
file first. ``<!-- not run: REASON -->`` before a block leaves it out, ``<!-- output -->`` before a ``text`` block says
that the block before it prints this ("..." stands for anything), and a comment that begins with ``<!-- run`` holds bash
that readers need not see.
"""

from __future__ import annotations

import doctest
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN = ("bash", "python")
SHOWN = ("text",)
"""Languages of blocks that are no code: what a command prints, a formula, a path."""

MARK = re.compile(r"<!-- (not run: (?P<reason>.+?)|(?P<output>output)|run\n(?P<hidden>.+?)) ?-->", re.S)


@dataclass(frozen=True)
class Block:
    """One block: its language, the file it is (``title``), why it is not run, whether it is quoted output."""

    language: str
    text: str
    line: int
    title: str = ""
    reason: str | None = None
    output: bool = False

    @property
    def runs(self) -> bool:
        return self.language in RUN and self.reason is None and not self.title


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of a page in order; an indented block has the language ``indented``."""
    mark: re.Match[str] | None = None
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "html_block":
            mark = MARK.search(token.content)
            if mark and mark["hidden"]:
                yield Block("bash", mark["hidden"], _line(token) + 1)
        elif token.type in ("fence", "code_block"):
            yield _block(token, mark)
            mark = None
        elif token.type != "inline":
            mark = None


def _block(token: Token, mark: re.Match[str] | None) -> Block:
    if token.type == "code_block":
        return Block("indented", token.content, _line(token))
    words = token.info.split()
    title = re.search(r'title="([^"]+)"', token.info)
    reason = mark["reason"] if mark else None
    return Block(
        words[0] if words else "",
        token.content,
        _line(token),
        title[1] if title else "",
        reason,
        bool(mark and mark["output"]),
    )


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 0


def run(page: str, text: str, folder: Path) -> list[str]:
    """Run a page in an empty folder; return what is wrong, in sentences, up to the first block that fails."""
    wrong: list[str] = []
    with Reader(folder) as reader:
        for block in blocks(text):
            where = f"{page}:{block.line}"
            if block.title:
                (folder / block.title).parent.mkdir(parents=True, exist_ok=True)
                (folder / block.title).write_text(block.text, encoding="utf-8")
            elif block.output and not same(block.text, reader.printed):
                wrong.append(f"{where}: the page says\n{block.text}\nand the block before it prints\n{reader.printed}")
            elif block.runs and (failure := reader.run(block, where)):
                return [*wrong, failure]
    return wrong


def same(wanted: str, got: str) -> bool:
    return doctest.OutputChecker().check_output(wanted, got, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)


class Reader:
    """Somebody who types a page's blocks: one folder, one Python, the command `ta` at hand, no network."""

    def __init__(self, folder: Path) -> None:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.where: dict[str, object] = {"cwd": folder, "stderr": subprocess.STDOUT, "text": True}
        self.where["env"] = {
            **os.environ,
            "PATH": path,
            "HOME": str(folder),
            "COLUMNS": "120",
            "MPLBACKEND": "agg",
            "HF_HUB_OFFLINE": "1",
        }
        self.printed = ""

    def __enter__(self) -> Reader:
        code = (
            "import json, sys, traceback\n"
            "names = {'__name__': '__main__'}\n"
            "for line in sys.stdin:\n"
            "    where, text = json.loads(line)\n"
            "    try:\n"
            "        exec(compile(text, where, 'exec'), names)\n"
            "        print('\\n\\0ok', flush=True)\n"
            "    except BaseException:\n"
            "        traceback.print_exc(file=sys.stdout)\n"
            "        print('\\n\\0failed', flush=True)\n"
        )
        call = [sys.executable, "-c", code]
        self.python = subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **self.where)  # type: ignore[call-overload]
        return self

    def __exit__(self, *_: object) -> None:
        self.python.stdin.close()
        self.python.wait()
        self.python.stdout.close()

    def run(self, block: Block, where: str) -> str:
        """Run one block; return a sentence if it fails."""
        done = self._bash(block.text) if block.language == "bash" else self._python(block.text, where)
        return "" if done else f"{where}: this fails:\n{block.text}\n{self.printed[-3000:]}"

    def _bash(self, text: str) -> bool:
        call = ["bash", "-euo", "pipefail", "-c", text]
        done = subprocess.run(call, stdout=subprocess.PIPE, check=False, **self.where)  # type: ignore[call-overload]
        self.printed = done.stdout
        return bool(done.returncode == 0)

    def _python(self, text: str, where: str) -> bool:
        self.python.stdin.write(json.dumps([where, text]) + "\n")
        self.python.stdin.flush()
        lines = []
        for line in self.python.stdout:
            if line.startswith("\0"):
                self.printed = "".join(lines)
                return line.strip() == "\0ok"
            lines.append(line)
        self.printed = "".join(lines)
        return False
