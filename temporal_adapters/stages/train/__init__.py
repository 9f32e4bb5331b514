"""Adapters fitted on one resident base: many jobs, K at a time, each independent of its neighbours.

Takes blocks of tokens, gives adapters; as a stage, takes ``tokens/`` and gives ``adapters/``. Knows no questions.
"""

from temporal_adapters.stages.train.estimate import Estimate, estimate
from temporal_adapters.stages.train.job import Fitted, Job, Recipe
from temporal_adapters.stages.train.loop import Keeper, fit
from temporal_adapters.stages.train.plan import Item, expected, items, recipe
from temporal_adapters.stages.train.stage import run

__all__ = [
    "Estimate",
    "Fitted",
    "Item",
    "Job",
    "Keeper",
    "Recipe",
    "estimate",
    "expected",
    "fit",
    "items",
    "recipe",
    "run",
]
