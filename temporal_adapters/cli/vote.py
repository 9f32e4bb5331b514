"""The commands `ta vote ...`: check a survey file, look at prompts, run an experiment, report, impute."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from temporal_adapters.cli.display import Display
from temporal_adapters.cli.session import DEFAULT_RUNS, QuietOption, RunsOption

if TYPE_CHECKING:
    import polars as pl

    from temporal_adapters.study.config import Baseline, LanguageModel

FileArgument = Annotated[Path, typer.Argument(help="Survey file: .sav, .dta, .csv or .parquet.")]
MappingArgument = Annotated[str, typer.Argument(help="Mapping file, or the name of a shipped survey.")]
ExperimentArgument = Annotated[str, typer.Argument(help="Experiment file, or the name of a shipped experiment.")]
EncodingOption = Annotated[str | None, typer.Option("--encoding", help="Encoding of the file's labels and words.")]

_vote = typer.Typer(
    name="vote", help="Predict votes from survey answers, and compare models honestly.", no_args_is_help=True
)


@_vote.command("check")
def _check(file: FileArgument, mapping: MappingArgument, encoding: EncodingOption = None) -> None:
    """Show what a survey file and a mapping make of each other; refuse unknown codes."""
    from temporal_adapters.ground.errors import VoteError
    from temporal_adapters.study.config import load_mapping
    from temporal_adapters.vote import check, files, respondents

    survey = files.open_survey(file, encoding)
    found = respondents.examine(survey, load_mapping(mapping))
    typer.echo(f"{file}: {len(survey.columns)} columns, labels read as {survey.encoding}")
    for step, n in found.filtered.items():
        typer.echo(f"{n:>7} respondents: {step}")
    for table in (check.classes_table(found), check.items_table(found), check.codes_table(survey, found)):
        typer.echo("")
        _show(table)
    for note in found.notes:
        typer.echo(f"note: {note}")
    for problem in found.problems:
        typer.echo(f"refused: {problem}", err=True)
    if found.problems:
        raise VoteError(
            f"{file}: {len(found.problems)} problems must be solved in the mapping before anything is computed"
        )
    typer.echo("the file and the mapping fit")


@_vote.command("show")
def _show_shipped(name: Annotated[str, typer.Argument(help="Name of a shipped mapping or experiment.")]) -> None:
    """Print a shipped mapping or experiment, to be saved under another name and adapted."""
    from temporal_adapters.ground import resources
    from temporal_adapters.ground.errors import UsageError

    kinds: tuple[resources.Kind, ...] = ("surveys", "experiments")
    for kind in kinds:
        if name in resources.names(kind):
            typer.echo(resources.text(kind, name), nl=False)
            return
    known = ", ".join(one for kind in kinds for one in resources.names(kind))
    raise UsageError(f"nothing called {name!r} is shipped (there are: {known})")


@_vote.command("preview")
def _preview(
    file: FileArgument,
    experiment: ExperimentArgument,
    model: Annotated[
        str | None, typer.Option("--model", help="Model of the experiment; a language model first.")
    ] = None,
    condition: Annotated[str | None, typer.Option("--condition", help="Condition; the first by default.")] = None,
    n: Annotated[int, typer.Option("--n", help="Respondents to show.", min=1)] = 2,
    tokens: Annotated[
        bool, typer.Option("--tokens", help="Load the base's tokenizer and show how labels are read.")
    ] = False,
    runs: RunsOption = DEFAULT_RUNS,
    encoding: EncodingOption = None,
) -> None:
    """Show what a model will read: prompts with examples and masks, tokens with their loss, or columns of numbers."""
    from temporal_adapters.engines.model import load_tokenizer
    from temporal_adapters.vote import Run, preview

    settings, mapping, survey = _open(file, experiment, runs, encoding)
    run = Run(settings, mapping, survey, runs / settings.experiment)
    asked = next((one for one in settings.language_models if model in (None, one.name)), None)
    tokenizer = load_tokenizer(asked.base) if tokens and asked is not None else None
    for line in preview.preview(run, model, condition, n, tokenizer):
        typer.echo(line)


@_vote.command("run")
def _run(
    file: FileArgument,
    experiment: ExperimentArgument,
    runs: RunsOption = DEFAULT_RUNS,
    encoding: EncodingOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be computed, and stop.")] = False,
    quiet: QuietOption = None,
) -> None:
    """Run an experiment: conditions x models x folds; finished folds are skipped."""
    from temporal_adapters.vote import Run

    settings, mapping, survey = _open(file, experiment, runs, encoding)
    display = Display(quiet)
    run = Run(settings, mapping, survey, runs / settings.experiment, display)
    outcome = run.plan() if dry_run else run.run()
    for cell, reasons in list(outcome.stale.items())[:3]:
        display.say(f"vote: {cell} is stale: {'; '.join(reasons[:3])}")
    if len(outcome.stale) > 3:
        display.say(f"vote: {len(outcome.stale) - 3} more folds are stale")
    if dry_run:
        typer.echo(f"vote: {outcome.done} folds to compute, {outcome.skipped} complete")
        return
    display.say(f"vote: {outcome.done} folds computed, {outcome.skipped} complete before")
    if outcome.hidden:
        display.say(f"vote: left out, because the condition hides the own party: {', '.join(outcome.hidden)}")
    typer.echo(f"votes: {runs / settings.experiment / 'votes'}")


@_vote.command("report")
def _report(
    experiment: ExperimentArgument,
    runs: RunsOption = DEFAULT_RUNS,
    weighted: Annotated[bool, typer.Option("--weighted", help="Use the survey weights.")] = False,
    draws: Annotated[int, typer.Option("--draws", help="Bootstrap draws.", min=100)] = 2000,
) -> None:
    """Write tables (CSV), figures (SVG) and one page (HTML) of a finished experiment, and print the main table."""
    from temporal_adapters.study.config import load_experiment
    from temporal_adapters.vote import page

    settings, folder = load_experiment(experiment, runs)
    root = runs / settings.experiment
    target = page.write(settings, _mapping(settings.survey, folder), root, weighted=weighted, draws=draws)
    _show(page.main_table(target))
    typer.echo(f"report: {target / 'index.html'}")


@_vote.command("impute")
def _impute(
    file: FileArgument,
    experiment: ExperimentArgument,
    model: Annotated[str, typer.Option("--model", help="Model of the experiment that fills in missing votes.")],
    m: Annotated[int, typer.Option("--m", help="Completed data sets.", min=2)] = 20,
    seed: Annotated[int, typer.Option("--seed", help="Seed of samples and draws.")] = 24,
    runs: RunsOption = DEFAULT_RUNS,
    encoding: EncodingOption = None,
    quiet: QuietOption = None,
) -> None:
    """Fill in missing votes m times, and pool the vote shares by Rubin's rules."""
    import polars as pl

    from temporal_adapters.ground.errors import UsageError
    from temporal_adapters.vote import impute

    settings, mapping, survey = _open(file, experiment, runs, encoding)
    models: list[Baseline | LanguageModel] = [*settings.baselines, *settings.language_models]
    chosen = next((one for one in models if one.name == model), None)
    if chosen is None:
        raise UsageError(f"--model {model}: the experiment has {', '.join(one.name for one in models)}")
    folder = runs / settings.experiment / "imputed" / model
    manifest = impute.write(survey, mapping, chosen, folder, m, seed, listener=Display(quiet))
    _show(pl.DataFrame(manifest.facts["shares"]))
    typer.echo(f"{manifest.facts['n_imputed']} missing votes filled in {m} times: {folder / 'completed.csv'}")


@_vote.command("simulate")
def _simulate(
    file: Annotated[Path, typer.Argument(help="File to write: .sav, .dta, .csv or .parquet.")],
    n: Annotated[int, typer.Option("--n", help="Respondents.", min=1)] = 2000,
    seed: Annotated[int, typer.Option("--seed", help="Seed.")] = 1,
) -> None:
    """Write a made-up survey file of the shape of GLES 2017 (mapping gles2017-post), to try things out."""
    from temporal_adapters.vote import specimen

    specimen.write(specimen.simulate(n, seed), file)
    typer.echo(f"{file}: {n} made-up respondents; next: ta vote check {file} gles2017-post")


def _mapping(reference: str, folder: Path) -> Any:
    from temporal_adapters.study.config import load_mapping

    return load_mapping(folder / reference if reference.endswith((".yaml", ".yml")) else reference)


def _open(file: Path, experiment: str, runs: Path, encoding: str | None) -> tuple[Any, Any, Any]:
    from temporal_adapters.study.config import load_experiment
    from temporal_adapters.vote import files

    settings, folder = load_experiment(experiment, runs)
    return settings, _mapping(settings.survey, folder), files.open_survey(file, encoding)


def _show(table: pl.DataFrame) -> None:
    import polars as pl

    with pl.Config(
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_hide_column_data_types=True,
        tbl_hide_dataframe_shape=True,
        tbl_width_chars=150,
        fmt_str_lengths=60,
        tbl_formatting="ASCII_MARKDOWN",
        float_precision=3,
    ):
        typer.echo(str(table))


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.add_typer(_vote)
