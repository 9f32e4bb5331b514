"""The command `ta settings`: what can be set, and what it means."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from temporal_adapters.ground.errors import UsageError


def _settings(
    wanted: Annotated[str, typer.Argument(metavar="[SECTION[.KEY]]", help="A section or one setting.")] = "",
    schema: Annotated[bool, typer.Option("--schema", help="Print a JSON Schema for editors.")] = False,
    example: Annotated[bool, typer.Option("--example", help="Print a commented study file.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the documentation's page.")] = False,
) -> None:
    """Explain the settings of a study file: type, default, unit, meaning, and what each of them changes."""
    from temporal_adapters.study.config import Study, explain, settings_text

    if (bool(wanted) + schema + example + markdown) > 1:
        raise UsageError("give a section or setting, or one of --schema, --example and --markdown, not several")
    if schema:
        dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
        typer.echo(json.dumps({**dialect, **Study.model_json_schema()}, indent=1, ensure_ascii=False))
    elif example:
        typer.echo(settings_text.example(), nl=False)
    elif markdown:
        typer.echo(settings_text.page(), nl=False)
    else:
        found = explain.chosen(wanted)
        typer.echo(
            "\n".join(map(explain.in_a_line, found)) if not wanted else "\n\n".join(map(explain.in_words, found))
        )


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("settings")(_settings)
