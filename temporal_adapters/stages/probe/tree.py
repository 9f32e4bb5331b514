"""Many prompts with many options as one tree of tokens: every shared beginning is computed once.

Takes token sequences, gives flat trees of bounded size with parents, depths and the rows whose logits are needed. Knows
neither questionnaire nor model.

A tree is run as one sequence: a token sees itself and its ancestors only (a 4-D attention mask), and its position is
its depth. So the question is computed once however many options follow it, and prompts that begin alike share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Path:
    """One sequence to score: `answer` after `context`.

    Attributes
    ----------
    context, answer
        Token ids; both hold at least one.
    barred
        Tokens that do not count as an end of this answer, because another option goes on with them.
    """

    context: Ids
    answer: Ids
    barred: Ids = ()


@dataclass
class Tree:
    """Paths that are computed together.

    Attributes
    ----------
    ids
        ``(n_nodes,)`` token of every node; parents come before their children.
    parents
        ``(n_nodes,)`` index of the parent, -1 at a root.
    depths
        ``(n_nodes,)`` distance from the root = position.
    paths
        Index of each path among all paths given.
    rows
        Per path: ``(n_answer + 1,)`` nodes whose logits predict its answer's tokens and what comes after it.
    """

    ids: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    paths: list[int] = field(default_factory=list)
    rows: list[list[int]] = field(default_factory=list)
    children: list[dict[int, int]] = field(default_factory=list)
    roots: dict[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def visible(self, window: int | None = None) -> npt.NDArray[np.bool_]:
        """Return ``(n_nodes, n_nodes)``: row sees column (itself and its ancestors, at most `window` - 1 steps up)."""
        seen = np.zeros((len(self), len(self)), dtype=np.bool_)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                seen[node] = seen[parent]
            seen[node, node] = True
        if window is not None:
            depth = np.asarray(self.depths)
            seen &= depth[:, None] - depth[None, :] < window
        return seen

    def add(self, index: int, path: Path) -> None:
        """Add path number `index`."""
        node, rows = -1, []
        for position, token in enumerate((*path.context, *path.answer)):
            if position >= len(path.context):
                rows.append(node)
            node = self._child(node, token, position)
        self.paths.append(index)
        self.rows.append([*rows, node])

    def missing(self, path: Path) -> int:
        """Return how many nodes `path` would add."""
        branch, tokens = self.roots, (*path.context, *path.answer)
        for position, token in enumerate(tokens):
            if token not in branch:
                return len(tokens) - position
            branch = self.children[branch[token]]
        return 0

    def _child(self, parent: int, token: int, depth: int) -> int:
        branch = self.roots if parent < 0 else self.children[parent]
        if token not in branch:
            branch[token] = len(self.ids)
            self.ids.append(token)
            self.parents.append(parent)
            self.depths.append(depth)
            self.children.append({})
        return branch[token]


def plant(paths: Sequence[Path], max_nodes: int) -> list[Tree]:
    """Return trees of at most `max_nodes` nodes (a single longer path gets a tree of its own) that hold all `paths`.

    Paths are taken in the order of their ids, so that those that begin alike meet in one tree.
    """
    trees: list[Tree] = []
    for index in sorted(range(len(paths)), key=lambda number: paths[number].context + paths[number].answer):
        if not trees or (len(trees[-1]) and len(trees[-1]) + trees[-1].missing(paths[index]) > max_nodes):
            trees.append(Tree())
        trees[-1].add(index, paths[index])
    return trees
