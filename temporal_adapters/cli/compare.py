"""The command `ta compare`: two weekly series, or finished studies, without a model."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

SidesArgument = Annotated[
    list[Path],
    typer.Argument(
        help="Two files (CSV, Parquet, xlsx), one with two columns, or run folders of several studies.",
        show_default=False,
    ),
]
DateOption = Annotated[str | None, typer.Option("--date", help="Column of the times; usual names are known.")]
ValueOption = Annotated[
    list[str], typer.Option("--value", help="Column of the values; give it twice for two columns or two files.")
]
LagsOption = Annotated[
    str, typer.Option("--lags", help="Lags that are tested, fixed before looking, such as 0,1; positive = X leads.")
]
FormatOption = Annotated[str | None, typer.Option("--date-format", help='How days are written, such as "%d/%m/%Y".')]
EveryOption = Annotated[int, typer.Option("--every-weeks", min=1, max=26, help="Weeks between the values.")]
AdjustOption = Annotated[
    list[str],
    typer.Option("--adjust", help="Taken out of both: season, month, four_weeks, trend, holidays:GB, FILE.csv."),
]
SetOption = Annotated[list[str], typer.Option("--set", help="Setting of correlate: alpha=0.01, draws=999, ...")]
PlanOption = Annotated[
    Path | None, typer.Option("--plan", help="File of the plan: frozen where it is new, kept where it is not.")
]
OutOption = Annotated[Path | None, typer.Option("--out", help="Folder for the page, results.json and results.csv.")]
NamesOption = Annotated[list[str], typer.Option("--name", help="What X and Y are called; given twice.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def _compare(
    sides: SidesArgument,
    date: DateOption = None,
    value: ValueOption = [],  # noqa: B006 (typer copies it)
    lags: LagsOption = "0",
    date_format: FormatOption = None,
    every_weeks: EveryOption = 1,
    adjust: AdjustOption = [],  # noqa: B006
    settings: SetOption = [],  # noqa: B006
    plan: PlanOption = None,
    out: OutOption = None,
    names: NamesOption = [],  # noqa: B006
    as_json: JsonOption = False,
) -> None:
    """Say whether two weekly series move together, beyond what persistence produces: tests, verdict, page."""
    import temporal_adapters as ta
    from temporal_adapters.ground.errors import UsageError

    if all(side.is_dir() for side in sides):
        _say_runs(sides, out)
        return
    if len(sides) > 2:
        raise UsageError(f"{len(sides)} files are given: name two, or one with two columns")
    try:
        found = ta.compare(
            *sides,
            lags=_lags(lags),
            names=names,
            date=date,
            value=value,
            date_format=date_format,
            plan=plan,
            every_weeks=every_weeks,
            adjust=adjust,
            **_settings(settings),
        )
        page = None if out is None else found.write(out)
    except ta.TemporalAdaptersError as error:
        raise type(error)(_as_options(str(error))) from None
    _say(found, page, as_json)


def _say_runs(folders: list[Path], out: Path | None) -> None:
    from temporal_adapters.front import compare_runs

    found = compare_runs(folders)
    typer.echo(str(found))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        found.table.write_csv(out / "results.csv")
        found.heterogeneity.write_csv(out / "heterogeneity.csv")


def _say(found: Any, page: Path | None, as_json: bool) -> None:
    from temporal_adapters.front.compare_drawn import BARS, PLAIN_BARS, drawn
    from temporal_adapters.front.compare_folder import results

    if as_json:
        import json

        typer.echo(json.dumps(results(found).values(), ensure_ascii=False, allow_nan=False))
        return
    bars = BARS if "utf" in (sys.stdout.encoding or "").lower() else PLAIN_BARS
    typer.echo("\n".join([*drawn(found, bars), "", str(found)]))
    if page is not None:
        typer.echo(f"page: {page}")


def _lags(given: str) -> list[int]:
    from temporal_adapters.ground.errors import UsageError

    try:
        return [int(word) for word in given.split(",")]
    except ValueError:
        raise UsageError(f"--lags {given!r}: write whole numbers joined by commas, such as 0,1") from None


def _settings(given: list[str]) -> dict[str, Any]:
    """Return ``key=value`` words as settings, values in YAML."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    from temporal_adapters.ground.errors import UsageError

    found = {}
    for word in given:
        key, sign, text = word.partition("=")
        try:
            found[key.removeprefix("correlate.")] = YAML(typ="safe").load(text)
        except YAMLError:
            raise UsageError(f"--set {word!r}: the value is not valid YAML") from None
        if not sign or not key:
            raise UsageError(f"--set {word!r}: write it as key=value, for example draws=999")
    return found


def _as_options(text: str) -> str:
    """Return a sentence of the library with its parameters spelled as options."""
    known = "adjust|value|date|date_format|every_weeks|lags|plan|name"
    spelled = re.sub(rf"`({known})s?`", lambda found: f"--{found[1].replace('_', '-')}", text)
    return re.sub(r"\bset (date_format|every_weeks)\b", lambda found: f"set --{found[1].replace('_', '-')}", spelled)


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("compare")(_compare)
