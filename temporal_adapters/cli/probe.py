"""The commands `ta probe` and `ta questionnaire`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from temporal_adapters.cli.engines import AddressOption, EngineOption, SlurmOption, WorkersOption, choose_engine
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

questionnaire_app = typer.Typer(
    name="questionnaire", help="Check and import questionnaires.", no_args_is_help=True, rich_markup_mode=None
)


DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print every prompt with its tokens and the cost; run no model.")
]
BaseOption = Annotated[str, typer.Option("--base", help="Base model: demo, a folder or a hub name.")]
MethodOption = Annotated[list[str], typer.Option("--method", help="Scoring methods it will be used with.")]


def _probe(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    dry_run: DryRunOption = False,
    engine: EngineOption = "local",
    workers: WorkersOption = None,
    address: AddressOption = None,
    slurm: SlurmOption = [],  # noqa: B006
    quiet: QuietOption = None,
) -> None:
    """Ask all adapters and the base the questions of the study; what is complete is skipped."""
    session = open_session(study, runs, overrides, quiet, keep_log=not dry_run)
    if dry_run:
        _dry_run(session)
    else:
        from temporal_adapters import line

        line.probe(session.work(choose_engine(engine, workers, address, slurm)))


def _dry_run(session: Session) -> None:
    from temporal_adapters.engines.model import load_tokenizer
    from temporal_adapters.stages import probe
    from temporal_adapters.stages.probe.preview import preview
    from temporal_adapters.stages.probe.targets import find_targets
    from temporal_adapters.study.artifacts import read_manifest

    study, run = session.study, session.run
    n_models = len(find_targets(study, run, strict=False)) if read_manifest(run.weeks) else 1
    lines = preview(
        probe.load_questionnaires(study),
        load_tokenizer(study.model),
        study.probe.methods,
        n_models,
        study.probe.tree_tokens,
        probe.count_parameters(study.model),
    )
    for line in lines:
        typer.echo(line)


def _check(
    questionnaire: Annotated[str, typer.Argument(help="Shipped name, or path of a .yaml or .csv file.")],
    base: BaseOption = "demo",
    methods: MethodOption = ["sequence"],  # noqa: B006 (typer copies it)
    tokens_only: Annotated[bool, typer.Option("--tokens-only", help="Load the tokenizer, not the model.")] = False,
) -> None:
    """Check a questionnaire: rules, tokens, and how much the base says about its options at all."""
    from temporal_adapters.stages.probe.check import check_mass, check_tokens
    from temporal_adapters.study.config.model import Model
    from temporal_adapters.study.config.probe import Probe
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

    from temporal_adapters.ground.errors import UsageError

    try:
        return tuple(section(methods=tuple(methods)).methods)
    except ValidationError as error:
        sentence = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise UsageError(f"--method: {sentence}") from None


def _import(
    source: Annotated[Path, typer.Argument(help="QSTN .csv, XLSForm .xlsx, or .sav / .dta for its labels.")],
    target: Annotated[Path, typer.Option("--to", help="Questionnaire to write: .yaml or .csv.")],
    options: Annotated[
        list[str], typer.Option("--option", help="Answer option of a QSTN file: text or code=text.")
    ] = [],  # noqa: B006
    scales: Annotated[list[str], typer.Option("--scale", help="Item whose options are a scale.")] = [],  # noqa: B006
) -> None:
    """Turn another program's questionnaire into ours; what it cannot say (wordings, aliases) is yours to add."""
    from temporal_adapters.ground.errors import UsageError
    from temporal_adapters.study.questionnaire.importers import import_file

    if target.suffix not in (".yaml", ".csv"):
        raise UsageError(f"--to {target}: a questionnaire is a .yaml or a .csv file")
    if target.exists():
        raise UsageError(f"--to {target}: this file exists already; choose another name")
    found = import_file(source, options, scales)
    if target.suffix == ".csv":
        from temporal_adapters.study.questionnaire.twin import dumps
    else:
        from temporal_adapters.study.questionnaire.native_text import dumps
    target.write_text(dumps(found.questionnaire), encoding="utf-8")
    typer.echo(f"{target}: {len(found.questionnaire.items)} items; check the roles, and which items are scales")
    for part in found.left_out:
        typer.echo(f"left out: {part}")


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("probe")(_probe)
    questionnaire_app.command("check")(_check)
    questionnaire_app.command("import")(_import)
    app.add_typer(questionnaire_app)
