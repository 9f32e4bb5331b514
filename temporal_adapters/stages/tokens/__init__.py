"""A corpus to packed blocks of tokens, once per week and tokenizer, shared by all seeds and epochs.

Takes posts and a tokenizer, gives `Blocks` in memory and a memory-mapped Arrow table on disk. Knows no base model.
"""

from temporal_adapters.stages.tokens.blocks import IGNORED, Blocks, chunk, pack
from temporal_adapters.stages.tokens.encode import encode
from temporal_adapters.stages.tokens.stage import VERSION, build, tokens_expected
from temporal_adapters.stages.tokens.store import read_blocks, write_blocks

__all__ = [
    "IGNORED",
    "VERSION",
    "Blocks",
    "build",
    "chunk",
    "encode",
    "pack",
    "read_blocks",
    "tokens_expected",
    "write_blocks",
]
