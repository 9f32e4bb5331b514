"""The commands `ta base`: convert a base model, list known ones, check one before it costs hours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(name="base", help="Convert, list and check base models.", no_args_is_help=True, rich_markup_mode=None)

SourceArgument = Annotated[
    Path, typer.Argument(help="A .gguf file, a wheel or folder that holds one, a checkpoint folder, or a PEFT adapter.")
]
FolderArgument = Annotated[Path, typer.Argument(help="Folder to write; must not exist.")]
OfOption = Annotated[Path | None, typer.Option("--base", help="Base of an adapter; else the one that it names.")]
DtypeOption = Annotated[
    str, typer.Option("--dtype", help="float32, bfloat16 or float16; auto keeps the source's (quantised: float32).")
]


def _convert(
    source: SourceArgument, folder: FolderArgument, base: OfOption = None, dtype: DtypeOption = "auto"
) -> None:
    """Write a model as a plain Hugging Face folder with its tokenizer, for `model.base`."""
    from typing import get_args

    from temporal_adapters.engines.model.convert import Dtype, convert
    from temporal_adapters.ground.errors import UsageError

    known: tuple[Dtype, ...] = get_args(Dtype)
    wanted = next((one for one in known if one == dtype), None)
    if wanted is None:
        raise UsageError(f"--dtype {dtype}: known are {', '.join(known)}")
    for sentence in convert(source, folder, base=base, dtype=wanted).sentences():
        typer.echo(sentence)
    typer.echo(f"use it with `model: {{base: {folder}}}` in a study file")


def register(into: typer.Typer) -> None:
    """Add this module's commands to `into`."""
    app.command("convert")(_convert)
    into.add_typer(app)
