"""What `ta validate` does for real studies, without a known truth: placebos and split halves."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from temporal_adapters.cli.session import Session
    from temporal_adapters.proof.validate.dealing import Split
    from temporal_adapters.study.artifacts import Trust

PlaceboOption = Annotated[
    bool,
    typer.Option("--placebo", help="Series that should not be related to the survey, instead: for any study."),
]
HalvesOption = Annotated[
    str | None,
    typer.Option("--halves", help="Split halves, of users or posts: what ta power needs; for any study."),
]


def placebo_stage(session: Session) -> list[str]:
    """Make the placebos of a finished study, rank its series among them, and return that as lines."""
    from temporal_adapters.proof.validate import placebo
    from temporal_adapters.stages import trust

    manifest = placebo.build(session.study, session.run, session.display)
    counted = ", ".join(f"{n} {kind}" for kind, n in manifest.facts["n_series"].items())
    session.display.say(f"placebo: {counted}")
    trust.run(session.study, session.run)
    return lines(trust.read(session.run))


def split(by: str) -> Split:
    """Return what is halved.

    Raises
    ------
    UsageError
        If that cannot be.
    """
    from temporal_adapters.ground.errors import UsageError
    from temporal_adapters.proof.validate import halves

    kinds = {kind: kind for kind in halves.KINDS}
    if by not in kinds:
        raise UsageError(f"--halves: {by!r} cannot be halved (allowed: {', '.join(kinds)})")
    return kinds[by]


def halves_stage(session: Session, by: Split) -> list[str]:
    """Train and ask both halves of a finished study's panel, and return how far they agree as lines."""
    from temporal_adapters.proof.validate import halves

    halves.build(session.study, session.run, by, session.display)
    found = halves.read(session.run)[by]
    known = [one["r"] for one in found.options if one["r"] is not None]
    middle = f"{statistics.median(known):.2f}" if known else "none"
    return [
        f"halves of {by}: {found.posts:,.0f} posts of {found.users:,.0f} users a week in each half;"
        f" their answers agree with r = {middle} (median over {len(known)} options).",
        f"ta power --study reckons with it; now it knows {' and '.join(halves.read(session.run))}.",
    ]


def lines(document: Trust) -> list[str]:
    """Return the ranks of every option as lines for the terminal."""
    from temporal_adapters.stages.trust import placebo_sentence

    found = [placebo_sentence(document)]
    for one in document.options:
        placebo = one["placebo"]
        if placebo is None:
            found.append(f"  {one['item']} / {one['option']}: {one['not_available']['placebo']}")
            continue
        ranks = "; ".join(f"{kind} {_p(kind_of)}" for kind, kind_of in placebo["kinds"].items())
        found.append(f"  {one['item']} / {one['option']}: r {placebo['r']:.2f}; p of levels, changes: {ranks}")
    for kind, seen in document.placebos["uniform"].items():
        independent = seen["changes"]["p"] is not None
        figure, dependent = ("p", "") if independent else ("distance", "; they depend on each other: no p")
        found.append(
            f"  p-values of {seen['n']} {kind} placebos: mean r {seen['mean_r']:.3f}, KS {figure}"
            f" {seen['changes'][figure]:.2f} (changes), {seen['levels'][figure]:.2f} (levels){dependent}"
        )
    return found + [f"  {kind}: {words}" for kind, words in document.placebos["not_available"].items()]


def _p(kind: Mapping[str, Any]) -> str:
    if kind["p_level"] is None:
        return "does not vary"
    return f"{kind['p_level']:.3f}, {kind['p_changes']:.3f} (of {len(kind['placebo_r'])})"
