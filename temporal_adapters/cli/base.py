"""The commands `ta base`: convert a base model, list known ones, check one before it costs hours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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

    from temporal_adapters.engines.model import Dtype, convert
    from temporal_adapters.ground.errors import UsageError

    known: tuple[Dtype, ...] = get_args(Dtype)
    wanted = next((one for one in known if one == dtype), None)
    if wanted is None:
        raise UsageError(f"--dtype {dtype}: known are {', '.join(known)}")
    for sentence in convert(source, folder, base=base, dtype=wanted).sentences():
        typer.echo(sentence)
    typer.echo(f"use it with `model: {{base: {folder}}}` in a study file")


def _list() -> None:
    """List bases that are known to work: size, memory, training cut-off, speed, licence."""
    from temporal_adapters.study.bases import lines

    for line in lines():
        typer.echo(line)


AttentionOption = Annotated[str, typer.Option("--attention", help="document, chunk or padded, as tokens.attention.")]
LengthOption = Annotated[int, typer.Option("--block-length", min=2, help="Tokens of the longest post, or of a block.")]
TargetOption = Annotated[
    list[str], typer.Option("--target", help="Module for adapters, all-linear or default; may be repeated.")
]
LayoutOption = Annotated[str, typer.Option("--layout", help="tree or rows, as probe.layout.")]
MethodOption = Annotated[list[str], typer.Option("--method", help="Scoring methods of the questionnaires.")]
QuestionnaireOption = Annotated[
    list[str], typer.Option("--questionnaire", help="Questionnaire whose options must be separable; may be repeated.")
]


def _check(
    base: Annotated[str, typer.Argument(help="demo, a folder or a hub name.")],
    attention: AttentionOption = "document",
    block_length: LengthOption = 128,
    targets: TargetOption = ["default"],  # noqa: B006 (typer copies it)
    layout: LayoutOption = "tree",
    questionnaires: QuestionnaireOption = [],  # noqa: B006
    methods: MethodOption = ["sequence"],  # noqa: B006
) -> None:
    """Try a base in seconds: no leaks between posts, PEFT reads its adapters, answers are right; exit 1 if not."""
    from typing import get_args

    from temporal_adapters.engines.model import LoraShape, load_base
    from temporal_adapters.ground.errors import UsageError
    from temporal_adapters.stages.base import Wanted, examine
    from temporal_adapters.stages.train import Attention
    from temporal_adapters.study.config import Model

    for name, value, known in (
        ("--attention", attention, get_args(Attention)),
        ("--layout", layout, ("tree", "rows")),
    ):
        if value not in known:
            raise UsageError(f"{name} {value}: known are {', '.join(known)}")
    shape = LoraShape(8, 16.0, targets=targets[0] if targets[0] in ("default", "all-linear") else tuple(targets))
    loaded = load_base(Model(base=base))
    wanted = Wanted(attention, longest=block_length, shape=shape, layout=layout)  # type: ignore[arg-type]
    typer.echo(
        f"yes  loads: {loaded.model.config.model_type}, {loaded.model.num_parameters() / 1e6:,.1f} million weights"
    )
    results = examine(loaded, wanted)
    for result in results:
        typer.echo(str(result))
    found = [line for one in questionnaires for line in _separable(one, loaded.tokenizer, tuple(methods))]
    for line in found:
        typer.echo(line)
    if found or any(result.sentence for result in results):
        raise typer.Exit(1)


def _separable(reference: str, tokenizer: Any, methods: tuple[str, ...]) -> list[str]:
    """Return what in a questionnaire cannot be told apart under this tokenizer."""
    from temporal_adapters.stages.probe import check_tokens
    from temporal_adapters.study.questionnaire import load

    found = check_tokens(load(reference, methods=methods), tokenizer, methods)
    return [f"no   {reference}: {one.place}: {one.sentence}" for one in found if one.level == "error"]


def register(into: typer.Typer) -> None:
    """Add this module's commands to `into`."""
    app.command("convert")(_convert)
    app.command("check")(_check)
    app.command("list")(_list)
    into.add_typer(app)
