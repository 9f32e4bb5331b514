"""The only place that loads weights: the frozen base, adapters as PEFT folders, and K adapters stacked on one base.

Takes the `model` section of a study and adapter folders, gives a resident `Base` and attached adapters. Knows neither
posts nor questions.
"""

from temporal_adapters.engines.model.adapter import Adapter, Lora, LoraShape, new_adapter, read_adapter, write_adapter
from temporal_adapters.engines.model.attention import Layout, document_attention, inside, lay_out, whole_rows
from temporal_adapters.engines.model.base import Base, digest_base, load_base, load_tokenizer, precision
from temporal_adapters.engines.model.stacked import Stack, stacked
from temporal_adapters.engines.model.targets import find_targets

__all__ = [
    "Adapter",
    "Base",
    "Layout",
    "Lora",
    "LoraShape",
    "Stack",
    "digest_base",
    "document_attention",
    "find_targets",
    "inside",
    "lay_out",
    "load_base",
    "load_tokenizer",
    "new_adapter",
    "precision",
    "read_adapter",
    "stacked",
    "whole_rows",
    "write_adapter",
]
