"""How the code is built: sizes, helpers, imports past faces, copies, arrows, circles; by the syntax trees of the files.

    python benchmarks/structure.py             one line per figure; the last line is one JSON object

What is counted
    lines            lines of temporal_adapters/**/*.py, as `wc -l` counts them
    functions        every def; its lines from `def` to its end, decorators left out
    helpers_once     functions of modules whose name begins with one underscore and that are named exactly once in their
                     module besides the definition, over all functions
    past_faces       imports of a module inside another room, over all imports between rooms. One import is one imported
                     module in one statement; those for types and inside functions count. A room is what lies on a row's
                     second level (`stages/train`, `ground/errors`) or, in rows without one, the row itself (`scale`,
                     `line`); its face is its package, or the room itself where it is one file
    copies           runs of six or more equal lines of code in two places; blank lines, imports, docstrings and lines
                     without a letter are left out
    spells_d         functions outside test D's own module (package, benchmarks, notebooks) that put it together
                     themselves: that call its `signed_ranks` or `products`, or `flips.null`
    undocumented     fields of settings (classes of study/config) without a docstring below them
    arrows, upward   pairs of rows of which one imports the other, and those against the order of the rows
    circles          groups of rooms, and of modules (names taken through faces), that import each other in a circle;
                     imports under TYPE_CHECKING are no arrows
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "temporal_adapters"
NAME = PACKAGE.name
ROWS = ("ground", "study", "engines", "stages", "worlds", "scale", "line", "proof", "vote", "front", "cli", "__main__")
"""From the lowest to the highest; proof and vote stand on one row."""

SPLIT = frozenset({"ground", "study", "engines", "stages", "proof"})
"""Rows whose second level are rooms."""

LEAST_COPY = 6
GOALS: dict[str, float] = {
    "lines": 34_500,
    "helpers_once": 0.22,
    "past_faces": 0.125,
    "spells_d": 0,
    "undocumented": 0,
    "upward": 0,
    "circles": 0,
}


class Import(NamedTuple):
    """One imported module: who imports, what (dotted), the names taken from it, and whether only for types."""

    source: str
    target: str
    names: tuple[str, ...]
    typing: bool


def modules() -> dict[str, ast.Module]:
    """Return dotted name -> syntax tree of every module."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def faces() -> dict[str, str]:
    """Return dotted name that a face offers -> dotted module where it is."""
    found = {}
    for path in sorted(PACKAGE.rglob("__init__.pyi")):
        package = ".".join(path.parent.relative_to(ROOT).parts)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    found[f"{package}.{alias.name}"] = f"{package}.{node.module}"
    return found


def imports(trees: dict[str, ast.Module]) -> list[Import]:
    """Return every import of a module of the package by another."""
    found, offered = [], faces()
    for source, tree in trees.items():
        for node, typing in _walk(tree, False):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == NAME:
                whole = {name: f"{node.module}.{name}" for name in (alias.name for alias in node.names)}
                deeper = [name for name, dotted in whole.items() if dotted in trees and dotted not in offered]
                found += [Import(source, whole[name], (), typing) for name in deeper]
                rest = tuple(name for name in whole if name not in deeper)
                if rest and node.module != NAME:
                    found.append(Import(source, str(node.module), rest, typing))
            elif isinstance(node, ast.Import):
                found += [Import(source, a.name, (), typing) for a in node.names if a.name.startswith(f"{NAME}.")]
    return found


def _walk(node: ast.AST, typing: bool) -> Iterator[tuple[ast.AST, bool]]:
    yield node, typing
    inside = typing or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, inside)


def row(module: str) -> str:
    """Return the row of a module; the front door itself stands with `front`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "front"


def room(module: str) -> str:
    """Return the room of a module."""
    parts = module.split(".")
    return ".".join(parts[1:3] if row(module) in SPLIT else parts[1:2]) or "front"


def past_faces(found: Iterable[Import]) -> tuple[int, int, Counter[str]]:
    """Return imports past faces, all imports between rooms, and the modules that are most reached into."""
    past, total, reached = 0, 0, Counter[str]()
    for one in found:
        if room(one.source) == room(one.target):
            continue
        total += 1
        if one.target.removeprefix(f"{NAME}.") != room(one.target):
            past += 1
            reached[one.target.removeprefix(f"{NAME}.")] += 1
    return past, total, reached


def circles(edges: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Return the groups of two and more that reach each other (strongly connected, Tarjan 1972)."""
    graph = defaultdict(set)
    for source, target in edges:
        if source != target:
            graph[source].add(target)
            graph.setdefault(target, set())
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                groups.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return groups


def module_edges(found: Iterable[Import], offered: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield arrows between modules; a name that a face offers is an arrow to where it lies."""
    for one in found:
        if one.typing:
            continue
        if not one.names:
            yield one.source, one.target
        for name in one.names:
            yield one.source, offered.get(f"{one.target}.{name}", one.target)


def functions(trees: dict[str, ast.Module]) -> list[tuple[int, str]]:
    """Return lines and place of every function."""
    return [
        (node.end_lineno - node.lineno + 1, f"{name}.{node.name}")
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None
    ]


def helpers_once(trees: dict[str, ast.Module]) -> tuple[int, int, list[str]]:
    """Return private functions named once, all private functions, and the shortest of those named once."""
    once, total, short = 0, 0, []
    for name, tree in trees.items():
        private = [node for node in tree.body if isinstance(node, ast.FunctionDef) and re.match(r"_[a-z]", node.name)]
        used = Counter(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
        total += len(private)
        for node in private:
            if used[node.name] == 1:
                once += 1
                short.append((int(node.end_lineno or 0) - node.lineno + 1, f"{name}.{node.name}"))
    return once, total, [f"{n} {place}" for n, place in sorted(short)]


def copies(trees: dict[str, ast.Module]) -> list[tuple[str, str, int]]:
    """Return two places and the length of every run of equal lines of code."""
    lines: list[tuple[str, int, str]] = []
    for name, tree in trees.items():
        left_out = _documentation(tree)
        path = next(
            p
            for p in (PACKAGE.parent / name.replace(".", "/"),)
            for p in (p.with_suffix(".py"), p / "__init__.py")
            if p.is_file()
        )
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            code = text.strip()
            if number not in left_out and re.search("[a-z]", code) and not re.match(r"(from|import) |#", code):
                lines.append((name, number, code))
        lines.append((name, 0, f"end of {name}"))
    seen: dict[tuple[str, ...], int] = {}
    found, skip = [], -1
    for at in range(len(lines) - LEAST_COPY):
        window = tuple(code for _, _, code in lines[at : at + LEAST_COPY])
        first = seen.setdefault(window, at)
        if first == at or at <= skip:
            continue
        length = LEAST_COPY
        while at + length < len(lines) and lines[first + length][2] == lines[at + length][2]:
            length += 1
        skip = at + length - 1
        places = [f"{lines[one][0]}:{lines[one][1]}" for one in (first, at)]
        found.append((places[0], places[1], length))
    return found


def _documentation(tree: ast.Module) -> set[int]:
    """Return the numbers of lines of docstrings and imports."""
    found: set[int] = set()
    for node in ast.walk(tree):
        is_text = (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        )
        if is_text or isinstance(node, ast.Import | ast.ImportFrom):
            found |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


def spells_d(trees: dict[str, ast.Module]) -> list[str]:
    """Return the functions that put test D together themselves."""
    found = []
    others = {
        f"benchmarks.{path.stem}": ast.parse(path.read_text(encoding="utf-8"))
        for path in (ROOT / "benchmarks").glob("*.py")
    }
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        others[f"notebooks.{path.stem}"] = ast.parse(text)
    for name, tree in {**trees, **others}.items():
        if (
            name.endswith("significance.changes")
            or name.endswith("significance.flips")
            or name == "benchmarks.structure"
        ):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and _assembles(node):
                found.append(f"{name}.{node.name}")
    return found


def _assembles(function: ast.FunctionDef) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.rpartition(".")[2] in ("signed_ranks", "products") or called == "flips.null":
                return True
    return False


def undocumented() -> list[str]:
    """Return the fields of settings without a docstring below them."""
    found = []
    for path in sorted((PACKAGE / "study" / "config").glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.ClassDef) or not node.bases:
                continue
            for at, field in enumerate(node.body):
                after = node.body[at + 1] if at + 1 < len(node.body) else None
                if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
                    continue
                said = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                if not said and not field.target.id.startswith("_") and field.target.id != "model_config":
                    found.append(f"{path.stem}.{node.name}.{field.target.id}")
    return found


def measure() -> dict[str, object]:
    """Return every figure."""
    trees = modules()
    found = imports(trees)
    sizes = {str(path.relative_to(PACKAGE)): path.read_text("utf-8").count("\n") for path in PACKAGE.rglob("*.py")}
    by_length = sorted(functions(trees))
    once, helpers, short = helpers_once(trees)
    past, between, reached = past_faces(found)
    arrows = {(row(one.source), row(one.target)) for one in found if row(one.source) != row(one.target)}
    arrows = {pair for pair in arrows if set(pair) <= set(ROWS)}
    upward = sorted(f"{a} -> {b}" for a, b in arrows if ROWS.index(a) < ROWS.index(b) or {a, b} == {"proof", "vote"})
    rooms = circles((room(one.source), room(one.target)) for one in found if not one.typing)
    inside = circles(module_edges(found, faces()))
    lengths = [length for length, _ in by_length]
    largest = max(sizes, key=lambda name: sizes[name])
    return {
        "lines": sum(sizes.values()),
        "modules": len(sizes),
        "largest_module": [largest, sizes[largest]],
        "modules_over_300": sorted(name for name, n in sizes.items() if n > 300),
        "functions": len(lengths),
        "function_median": statistics.median(lengths),
        "function_p90": lengths[int(0.9 * len(lengths))],
        "function_longest": [by_length[-1][1], by_length[-1][0]],
        "helpers": helpers,
        "helpers_once": round(once / len(lengths), 4),
        "shortest_helpers_once": short[:15],
        "imports_between_rooms": between,
        "past_faces": round(past / between, 4),
        "most_reached_into": dict(reached.most_common(15)),
        "copies": [f"{length} lines: {first} = {second}" for first, second, length in copies(trees)],
        "spells_d": len(spells_d(trees)),
        "spells_d_where": spells_d(trees),
        "undocumented": len(undocumented()),
        "undocumented_where": undocumented(),
        "arrows": len(arrows),
        "upward": len(upward),
        "upward_where": upward,
        "circles": len(rooms) + len(inside),
        "circles_where": rooms + inside,
        "goals": GOALS,
    }


def main() -> None:
    """Print every figure, and all of them as JSON on the last line."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    figures = measure()
    for name, value in figures.items():
        goal = f"   (goal {GOALS[name]})" if name in GOALS else ""
        print(f"{name:<24}{value}{goal}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
