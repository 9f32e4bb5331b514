"""The small base model that ships with the package, and how it is made again.

Takes nothing but constants, gives a model folder. Knows no world: the text it learns has moods that are uniform and
seeds that no world uses.
"""

from __future__ import annotations

from pathlib import Path

from temporal_adapters.ground.progress import Listener, silent

FOLDER = Path(__file__).resolve().parent / "base"
"""Where the shipped base lies."""

TEXT_SEED = 2024
N_DOCUMENTS = 90_000


def write(folder: Path, listener: Listener = silent) -> None:
    """Pre-train the demo's base model and write it into `folder`.

    With one thread the same machine gives the same bytes; other machines differ in the last bits of rounding.
    """
    import torch

    from temporal_adapters.worlds.pretext import documents
    from temporal_adapters.worlds.pretrain import Size, pretrain, save

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model, tokenizer = pretrain(list(documents(TEXT_SEED, N_DOCUMENTS)), Size(), listener)
    finally:
        torch.set_num_threads(n_threads)
    folder.mkdir(parents=True, exist_ok=True)
    save(model, tokenizer, folder)
