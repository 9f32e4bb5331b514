"""Split halves: what the answers of two halves of the same panel have in common, and how far each is from it.

Takes a study and its finished weeks, trains and asks both halves, gives ``validate/halves-<by>/halves.json``: variance
components with the factor ``half``, from which `ta power` reckons with other numbers of posts and users.

Halves of the users differ in who they are and in which posts were drawn; halves of the posts in the latter only.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from temporal_adapters.ground.errors import ValidityError
from temporal_adapters.ground.progress import Listener, silent
from temporal_adapters.proof.validate import dealing
from temporal_adapters.proof.validate.dealing import Split
from temporal_adapters.proof.validate.variants import HALVES, Variant, answer, variant
from temporal_adapters.stages.trust import cell_table
from temporal_adapters.stages.trust.components import components
from temporal_adapters.study.artifacts import (
    CELLS_FILE,
    Expected,
    Halved,
    Manifest,
    RunFolder,
    digest_file,
    load_table,
    make,
    read_corpora,
    read_manifest,
)

if TYPE_CHECKING:
    import polars as pl

    from temporal_adapters.study.config import Study

STAGE, VERSION = "halves", 2
_CELLS = CELLS_FILE
KINDS: tuple[Split, ...] = ("users", "posts")


def build(study: Study, run: RunFolder, by: Split, listener: Listener = silent) -> Manifest:
    """Train and ask both halves of a study and publish what they have in common; what is complete is skipped.

    Each half has half of the posts, so both together cost about as much as the study.

    Raises
    ------
    ValidityError
        If the study has no series, or fewer than 3 weeks are answered in both halves.
    """
    if read_manifest(run.series) is None:
        raise ValidityError(f"{run.series} does not exist: run `ta run` (or `ta series`) first")
    sides = [_half(study, run, by, side) for side in (0, 1)]
    for one in sides:
        answer(one, listener)
    wanted = _expected(study, run, by, sides)

    def write(target: Path) -> dict[str, Any]:
        found = document(by, sides)
        found.write(target)
        return {"n_options": len(found.options), "posts": found.posts, "users": found.users}

    return make(wanted, write)


def _half(study: Study, run: RunFolder, by: Split, side: int) -> Variant:
    changes = {"weeks.min_posts": 1}  # a week that is there in the whole is there in its halves
    one = variant(study, run, f"half-{by}-{side + 1}", changes, own_weeks=True, own_seeds=HALVES[by] + side)
    dealing.half(run, one.run.weeks, by, side, study.placebo.seed)
    return one


def _expected(study: Study, run: RunFolder, by: Split, sides: list[Variant]) -> Expected:
    inputs = {one.name: digest_file(one.run.cells_table) for one in sides}
    inputs[_CELLS] = digest_file(run.cells_table)  # of the study itself, whose noise they are
    return Expected(run.halves(by), STAGE, VERSION, {"by": by, "seed": study.placebo.seed}, inputs)


def document(by: Split, sides: list[Variant]) -> Halved:
    """Return the components of every option as one document."""
    corpora = [corpus for one in sides for corpus in read_corpora(one.run)]
    cells = [load_table(one.run.cells_table) for one in sides]
    names = cells[0].select("item", "option").unique(maintain_order=True).rows()
    return Halved(
        by=by,
        posts=float(np.median([corpus.n_posts for corpus in corpora])),
        users=float(np.median([corpus.n_users for corpus in corpora])),
        options=[{"item": item, "option": option, **_one(cells, item, option)} for item, option in names],
    )


def _one(cells: list[pl.DataFrame], item: str, option: str) -> dict[str, Any]:
    import polars as pl

    here = [table.filter(pl.col("item") == item, pl.col("option") == option) for table in cells]
    weeks = sorted(set(here[0]["week"].to_list()) & set(here[1]["week"].to_list()))
    table = np.stack([cell_table(one, weeks) for one in here], axis=1)
    table = table[np.isfinite(table).all(axis=(1, 2, 3))]
    if len(table) < 3:
        raise ValidityError(f"{item} / {option}: {len(table)} weeks are answered in both halves, at least 3 are needed")
    r = np.corrcoef(table[:, 0].mean(axis=(1, 2)), table[:, 1].mean(axis=(1, 2)))[0, 1]
    return {
        "n_weeks": len(table),
        "r": float(r) if np.isfinite(r) else None,
        "components": asdict(components(table, ("week", "half", "seed", "wording"))),
    }


def read(run: RunFolder) -> dict[str, Halved]:
    """Return the results that there are for the answers that the study has now, by kind of half."""
    found = {by: Halved.read(run, by) for by in _made(run, current=True)}
    return {by: one for by, one in found.items() if one is not None}


def stale(run: RunFolder) -> list[Split]:
    """Return the kinds of halves that were made when the study had other answers: they say nothing about these."""
    return _made(run, current=False)


def _made(run: RunFolder, *, current: bool) -> list[Split]:
    cells = run.cells_table
    now = digest_file(cells) if cells.is_file() else None
    manifests = {by: read_manifest(run.halves(by)) for by in KINDS}
    return [by for by, one in manifests.items() if one is not None and (one.inputs.get(_CELLS) == now) is current]
