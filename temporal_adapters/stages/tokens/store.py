"""Blocks on disk: a Hugging Face `datasets` table in Arrow format that is mapped into memory, not read.

Takes and gives `Blocks`. Knows no tokenizer. The library writes, because the format is its own; its files are mapped
with Arrow alone, because importing it takes a second and every worker reads.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from temporal_adapters.ground.errors import TokensError
from temporal_adapters.stages.tokens.blocks import Blocks

COLUMNS = ("input_ids", "labels", "documents")
_STATE = "state.json"
"""Where the library names a table's files."""


@contextlib.contextmanager
def _no_bars() -> Iterator[None]:
    import datasets

    shown = datasets.utils.logging.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


def write_blocks(folder: Path, blocks: Blocks) -> None:
    """Write `blocks` so that `datasets.load_from_disk(folder)` gives its arrays as columns."""
    import datasets
    import pyarrow as pa

    length = blocks.block_length
    arrays = {name: (getattr(blocks, name), "int32") for name in COLUMNS}
    if blocks.weights is not None:
        arrays["weights"] = (blocks.weights, "float32")
    columns = [
        pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(array).ravel()), length)
        for array, _ in arrays.values()
    ]
    features = {name: datasets.Sequence(datasets.Value(kind), length=length) for name, (_, kind) in arrays.items()}
    table = pa.table(dict(zip(arrays, columns, strict=True)))
    data = datasets.Dataset(table.cast(datasets.Features(features).arrow_schema))
    with _no_bars():
        data.save_to_disk(str(folder))
    # The library writes below a name that tells the number of files; its caches are of no use to a reader.
    shutil.rmtree(folder / "cache", ignore_errors=True)


def read_blocks(folder: Path) -> Blocks:
    """Return the blocks of `folder`; their arrays are views of the mapped file.

    Raises
    ------
    TokensError
        If the folder is not such a table.
    """
    import pyarrow as pa

    try:
        files = json.loads((folder / _STATE).read_text(encoding="utf-8"))["_data_files"]
        parts = [pa.ipc.open_stream(pa.memory_map(str(folder / file["filename"]))).read_all() for file in files]
        table = pa.concat_tables(parts)
        arrays = {name: _array(table, name) for name in table.column_names}
        return Blocks(arrays["input_ids"], arrays["labels"], arrays["documents"], arrays.get("weights"))
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise TokensError(
            f"{folder} holds no readable token blocks ({error}): remove the folder, train again"
        ) from None


def _array(table: Any, name: str) -> np.ndarray[Any, Any]:
    length = table.schema.field(name).type.list_size
    chunks = [part.flatten().to_numpy().reshape(-1, length) for part in table.column(name).chunks]
    return chunks[0] if len(chunks) == 1 else np.concatenate(chunks) if chunks else np.empty((0, length), np.int32)
