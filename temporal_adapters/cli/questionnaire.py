"""The commands `ta questionnaire check`, `import` and `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from temporal_adapters.ground.errors import UsageError

_group = typer.Typer(
    name="questionnaire",
    help="Check, import and export questionnaires.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

BaseOption = Annotated[str, typer.Option("--base", help="Base model: demo, a folder or a hub name.")]
MethodOption = Annotated[list[str], typer.Option("--method", help="Scoring methods it will be used with.")]


def _check(
    questionnaire: Annotated[str, typer.Argument(help="Shipped name, or path of a .yaml or .csv file.")],
    base: BaseOption = "demo",
    methods: MethodOption = ["sequence"],  # noqa: B006 (typer copies it)
    tokens_only: Annotated[bool, typer.Option("--tokens-only", help="Load the tokenizer, not the model.")] = False,
) -> None:
    """Check a questionnaire: rules, tokens, and how much the base says about its options at all."""
    from temporal_adapters.stages.probe import check_mass, check_tokens
    from temporal_adapters.study.config import Model, Probe
    from temporal_adapters.study.questionnaire import load

    settings, known = Model(base=base), _methods(Probe, methods)
    found = load(questionnaire, methods=known)
    if tokens_only:
        from temporal_adapters.engines.model import load_tokenizer

        findings = check_tokens(found, load_tokenizer(settings), known)
    else:
        from temporal_adapters.engines.model import load_base

        loaded = load_base(settings)
        findings = check_tokens(found, loaded.tokenizer, known)
        if all(finding.level != "error" for finding in findings):
            findings += check_mass(found, loaded)
    for finding in findings:
        typer.echo(str(finding))
    count = {level: sum(finding.level == level for finding in findings) for level in ("error", "warning")}
    typer.echo(f"{found.name}: {len(found.items)} items, {count['error']} errors, {count['warning']} warnings")
    if count["error"]:
        raise typer.Exit(1)


def _methods(section: Any, methods: list[str]) -> tuple[str, ...]:
    from pydantic import ValidationError

    try:
        return tuple(section(methods=tuple(methods)).methods)
    except ValidationError as error:
        sentence = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise UsageError(f"--method: {sentence}") from None


def _import(
    source: Annotated[Path | None, typer.Argument(help="File of another program (see --all-formats).")] = None,
    target: Annotated[Path | None, typer.Option("--to", help="Questionnaire to write: .yaml or .csv.")] = None,
    options: Annotated[
        list[str], typer.Option("--option", help="Answer option of a QSTN file: text or code=text.")
    ] = [],  # noqa: B006
    scales: Annotated[list[str], typer.Option("--scale", help="Item whose options are a scale.")] = [],  # noqa: B006
    language: Annotated[str, typer.Option("--language", help="Language to import, such as en or English.")] = "",
    all_formats: Annotated[bool, typer.Option("--all-formats", help="List what can be imported, and stop.")] = False,
) -> None:
    """Turn another program's questionnaire into ours; what it cannot say (wordings, aliases) is yours to add."""
    from temporal_adapters.study.questionnaire import FORMATS, import_file

    if all_formats:
        for ending, meaning in FORMATS.items():
            typer.echo(f"{ending:<6} {meaning}")
        return
    if source is None or target is None:
        raise UsageError("write: ta questionnaire import FILE --to NAME.yaml")
    if target.suffix not in (".yaml", ".csv"):
        raise UsageError(f"--to {target}: a questionnaire is a .yaml or a .csv file")
    if target.exists():
        raise UsageError(f"--to {target}: this file exists already; choose another name")
    found = import_file(source, options, scales, language)
    target.write_text(_writer(target)(found.questionnaire), encoding="utf-8")
    typer.echo(f"{target}: {len(found.questionnaire.items)} items; check the roles, and which items are scales")
    for note in found.notes:
        typer.echo(note)
    for part in found.left_out:
        typer.echo(f"left out: {part}")


def _writer(target: Path) -> Any:
    if target.suffix == ".csv":
        from temporal_adapters.study.questionnaire import dumps
    else:
        from temporal_adapters.study.questionnaire.native_text import dumps
    return dumps


def _export(
    questionnaire: Annotated[str, typer.Argument(help="Shipped name, or path of a .yaml or .csv file.")],
    target: Annotated[Path, typer.Option("--to", help="File to write: .yaml, .xlsx (XLSForm) or .csv (QSTN).")],
) -> None:
    """Write a questionnaire for another program, or as YAML."""
    from temporal_adapters.study.questionnaire import export_file, load

    if target.suffix not in (".yaml", ".xlsx", ".csv"):
        raise UsageError(f"--to {target}: allowed are .yaml, .xlsx (XLSForm) and .csv (QSTN)")
    if target.exists():
        raise UsageError(f"--to {target}: this file exists already; choose another name")
    found = load(questionnaire)
    if target.suffix == ".yaml":
        target.write_text(_writer(target)(found), encoding="utf-8")
        lost: tuple[str, ...] = ()
    else:
        lost = export_file(found, target)
    typer.echo(f"{target}: {len(found.items)} items")
    for part in lost:
        typer.echo(f"not in it: {part}")


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    _group.command("check")(_check)
    _group.command("import")(_import)
    _group.command("export")(_export)
    app.add_typer(_group)
