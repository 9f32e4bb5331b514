"""The commands `ta build-weeks` and `ta panel`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from temporal_adapters.cli.engines import AddressOption
from temporal_adapters.cli.session import (
    DEFAULT_RUNS,
    DEFAULT_STUDY,
    QuietOption,
    RunsOption,
    Session,
    SetOption,
    StudyOption,
    open_session,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from temporal_adapters.study.config import Panel

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Look at the beginning of each file; write nothing.")]
ReaderOption = Annotated[
    Literal["duckdb", "ray", "spark"],
    typer.Option("--engine", help="duckdb: this machine; ray: files spread over a cluster; spark: all of it there."),
]
MasterOption = Annotated[str, typer.Option("--master", help="Spark master, such as local[4] or spark://host:7077.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="Write the aggregates to this file as JSON.")]


def _build_weeks(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    quiet: QuietOption = None,
    dry_run: DryRunOption = False,
    engine: ReaderOption = "duckdb",
    master: MasterOption = "local[*]",
    address: AddressOption = None,
) -> None:
    """Split the panel into weekly corpora."""
    from temporal_adapters.stages import weeks

    session = open_session(study, runs, overrides, quiet, keep_log=not dry_run)
    if dry_run:
        _print_previews(session)
        return
    if engine == "spark":
        from temporal_adapters.scale import build_weeks

        manifest = build_weeks(session.study, session.run, master=master, listener=session.display)
    elif engine == "ray":
        from temporal_adapters.scale import Engine, ray_weeks

        where = Engine("ray", address=address)
        manifest = ray_weeks.build_weeks(session.study, session.run, engine=where, listener=session.display)
    else:
        manifest = weeks.build(session.study, session.run, listener=session.display)
    typer.echo(summary(manifest.facts))


def summary(facts: Mapping[str, Any]) -> str:
    """Return the table of what came out: weeks, posts, users, and what was dropped for which reason."""
    weeks = facts["weeks"]
    posts = sorted(week["n_posts"] for week in weeks)
    rows = [
        ("weeks", f"{len(weeks)}", f"{weeks[0]['label']} to {weeks[-1]['label']}"),
        ("gaps", f"{len(facts['gaps'])}", ", ".join(facts["gaps"][:5]) + (" ..." if len(facts["gaps"]) > 5 else "")),
        ("posts", f"{facts['n_posts']:,}", f"{posts[0]:,} to {posts[-1]:,} a week, median {posts[len(posts) // 2]:,}"),
        ("users", f"{facts['n_users']:,}", ""),
        ("records read", f"{facts['n_records']:,}", ""),
    ]
    rows += [(f"dropped: {reason}", f"{n:,}", "") for reason, n in facts["dropped"].items()]
    rows += [(f"repaired: {kind}", f"{n:,}", "") for kind, n in facts["repaired"].items()]
    return table(rows)


def table(rows: Sequence[tuple[str, str, str]]) -> str:
    """Return rows as aligned text: a name, a right-aligned number, a remark."""
    name, number = (max(len(row[column]) for row in rows) for column in (0, 1))
    return "\n".join(f"{row[0]:<{name}}  {row[1]:>{number}}  {row[2]}".rstrip() for row in rows)


def _print_previews(session: Session) -> None:
    from temporal_adapters.stages import weeks

    rows = []
    for found in weeks.preview(session.study, session.run):
        dropped = ", ".join(f"{n} {reason}" for reason, n in sorted(found.dropped.items()))
        remark = f"{found.layout} ({found.framing}); of its first {found.n_records} records {found.n_kept} stay"
        rows.append(
            (str(found.path), f"{found.n_bytes:,} bytes", remark + (f", dropped: {dropped}" if dropped else ""))
        )
    typer.echo(table(rows))


def _describe(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    out: OutOption = None,
) -> None:
    """Print the aggregates that a paper's data section needs: no text, no ids."""
    from temporal_adapters.stages import weeks

    session = open_session(study, runs, overrides, keep_log=False)
    found = weeks.describe(session.run)
    if out is not None:
        out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    typer.echo(description(found))


def description(found: Mapping[str, Any]) -> str:
    """Return the aggregates of `weeks.describe` as text: totals first, then one line per week."""
    rows = [(name, f"{found[name]:,}", "") for name in ("records", "posts", "users", "weeks")]
    rows += [("gaps", f"{len(found['gaps'])}", ", ".join(found["gaps"]))]
    rows += [(f"dropped: {reason}", f"{n:,}", "") for reason, n in found["dropped"].items()]
    rows += [(f"language: {tag}", f"{share:.1%}", "") for tag, share in list(found["languages"].items())[:8]]
    for name in ("posts_per_user", "weeks_per_user"):
        rows += [(f"{name.replace('_', ' ')}, quantile {q}", f"{value:g}", "") for q, value in found[name].items()]
    rows += [("posts by the most active 1 % of users", f"{found['posts_of_top_percent']:.1%}", "")]
    head = f"{'week':<10} {'posts':>9} {'users':>8} {'new':>8} {'still active':>12} {'overlap':>8}"
    lines = [
        f"{week['week']:<10} {week['posts']:>9,} {week['users']:>8,} {week['new']:>8,} {week['still_active']:>12.1%}"
        f" {'' if week['overlap'] is None else format(week['overlap'], '.1%'):>8}"
        for week in found["by_week"]
    ]
    return "\n".join([table(rows), "", head, *lines])


def _check(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files, folders or globs; without them those of the study.")
    ] = None,
    study: Annotated[str | None, typer.Option("--study", "-s", help="Study whose settings under panel count.")] = None,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Examine raw files: a page on each, without any text, id or author."""
    from temporal_adapters.stages import panel

    settings, zone = _panel_settings(paths, study, runs, overrides)
    doubtful = 0
    with panel.connect(1, "1GB") as connection:
        for path in panel.find_files(settings.paths):
            for page in panel.check_file(path, settings, connection, zone):
                typer.echo("\n".join(page.lines()) + "\n")
                n = sum(page.doubtful.values()) + sum(page.left_out[reason] for reason in panel.CORRUPT)
                doubtful += n > settings.max_corrupt_share * page.n_records
    for path in panel.left_out(settings.paths):
        typer.echo(f"{panel.shown(path)}: holds no posts, left out")
    if doubtful:
        raise typer.Exit(1)


def _panel_settings(paths: list[Path] | None, study: str | None, runs: Path, overrides: list[str]) -> tuple[Panel, str]:
    """Return the settings that count, and the zone in which days begin."""
    from temporal_adapters.study.config import Panel, load_study

    if study is None and paths and not overrides:
        return Panel(paths=tuple(paths)), "UTC"
    loaded = load_study(study or DEFAULT_STUDY, runs, overrides)
    return (loaded.panel.model_copy(update={"paths": tuple(paths)}) if paths else loaded.panel), loaded.weeks.timezone


def _forget(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    quiet: QuietOption = None,
    ids: Annotated[Path | None, typer.Option("--ids", help="File of post ids, one a line.")] = None,
    users: Annotated[
        Path | None, typer.Option("--users", help="File of user ids, one a line: all their posts go.")
    ] = None,
    erase: Annotated[
        bool, typer.Option("--erase", help="Delete what learned from them, and every copy aside.")
    ] = False,
) -> None:
    """Take posts out of a study for good; list, or delete, what learned from them."""
    from temporal_adapters.ground.errors import UsageError
    from temporal_adapters.stages import weeks

    if ids is None and users is None:
        raise UsageError("ta panel forget needs --ids FILE or --users FILE: one id a line")
    session = open_session(study, runs, overrides, quiet)
    found = weeks.forget(
        session.study,
        session.run,
        weeks.read_ids(ids, "--ids") if ids else frozenset(),
        weeks.read_ids(users, "--users") if users else frozenset(),
        erase=erase,
        build=lambda: weeks.build(session.study, session.run, listener=session.display),
    )
    rows = [
        ("posts taken out", f"{found.n_posts:,}", ""),
        ("weeks concerned", f"{len(found.weeks)}", ", ".join(found.weeks[:8])),
        ("learned from them", f"{len(found.learned)}", ", ".join(str(path) for path in found.learned[:8])),
        ("erased", f"{len(found.erased)}", ""),
    ]
    typer.echo(table(rows))
    if found.learned and not erase:
        typer.echo("stale now: run `ta run`, or repeat with --erase to delete them and every copy aside")


def _coverage(
    asked: Annotated[
        Path, typer.Option("--asked", help="Ids asked for: one a line, or CSV with post_id, user_id, created_at.")
    ],
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Say how many of the posts that were asked for are there, per week and user."""
    from temporal_adapters.stages import weeks

    session = open_session(study, runs, overrides, keep_log=False)
    found = weeks.coverage(session.study, asked)
    weeks.keep_coverage(session.study, session.run, found)
    typer.echo(covered(found))


def covered(found: pl.DataFrame) -> str:
    """Return the coverage (see `weeks.coverage`) as text: the whole, per week, and how it spreads over users."""
    import polars as pl

    n, there = found.height, int(found["found"].sum())
    rows = [("posts asked for", f"{n:,}", ""), ("found", f"{there:,}", f"{there / n:.1%}")]
    by_week = found.group_by("week").agg(pl.len().alias("n"), pl.col("found").sum()).sort("week", nulls_last=True)
    for week, asked, held in by_week.iter_rows():
        rows.append((f"week of {week or 'unknown'}", f"{held:,}", f"of {asked:,}: {held / asked:.1%}"))
    users = found.drop_nulls("user_id").group_by("user_id").agg(pl.col("found").mean())
    if users.height:
        shares = users["found"]
        rows.append(("users", f"{users.height:,}", f"{int((shares == 0).sum()):,} without any post found"))
        for q in (0.1, 0.5, 0.9):
            rows.append((f"share per user, quantile {q:g}", f"{shares.quantile(q, 'nearest'):.1%}", ""))
    return table(rows)


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("build-weeks")(_build_weeks)
    group = typer.Typer(help="The raw posts and what is known of them.", no_args_is_help=True)
    group.command("check")(_check)
    group.command("describe")(_describe)
    group.command("coverage")(_coverage)
    group.command("forget")(_forget)
    group.callback()(lambda: None)
    app.add_typer(group, name="panel")
