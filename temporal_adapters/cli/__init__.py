"""The command `ta`: argv to one library call per command.

Takes argv, gives an exit code: 0 done, 1 the input is at fault, 2 the command line is at fault, 130 and 143 stopped by
SIGINT and SIGTERM. A `TemporalAdaptersError`, and what a disk or the memory refuses, is printed as a sentence; anything
else is a bug and keeps its traceback. Nothing heavy is imported until a command runs.
"""

from __future__ import annotations

import sys

import typer

from temporal_adapters import __version__
from temporal_adapters.ground.errors import TemporalAdaptersError

app = typer.Typer(
    name="ta",
    help="Turn a social-media panel into a survey instrument: one LoRA adapter per week, asked survey questions.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"ta {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Print the version."),
) -> None:
    """Turn a social-media panel into a survey instrument: one LoRA adapter per week, asked survey questions."""


def _register() -> None:
    from temporal_adapters.cli import (
        base,
        compare,
        correlate,
        export,
        init,
        mix,
        plan,
        power,
        pretrain,
        probe,
        questionnaire,
        read,
        report,
        run,
        settings,
        simulate,
        survey,
        train,
        upkeep,
        validate,
        vote,
        weeks,
    )

    line = (run, simulate, weeks, pretrain, train, probe, read, questionnaire, survey, plan, power, correlate, report)
    for module in (init, *line, compare, export, upkeep, validate, vote, mix, base, settings):
        module.register(app)


_register()


def main() -> None:
    """Run `ta` and leave with its exit code."""
    from temporal_adapters.cli.ending import Stopped, stopping
    from temporal_adapters.cli.session import command

    with stopping() as signals:
        try:
            with command():
                app()
        except SystemExit as leaving:
            # Typer makes a plain exit of an interruption.
            sys.exit(signals.said() if signals.number and leaving.code else leaving.code)
        except (Stopped, KeyboardInterrupt):
            sys.exit(signals.said())
        except TemporalAdaptersError as error:
            typer.echo(f"ta: {error}", err=True)
            sys.exit(error.exit_code)
        except BaseException as error:
            from temporal_adapters.ground.storage import explain

            known = explain(error)
            if known is None:
                raise
            typer.echo(f"ta: {known}", err=True)
            sys.exit(known.exit_code)
