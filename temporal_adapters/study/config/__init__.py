"""One study file, validated and frozen: a section per stage.

Takes YAML, gives a `Study`. Knows no stage.
"""

from temporal_adapters.study.config.base import Section, scientific
from temporal_adapters.study.config.study import Study, load_study

__all__ = ["Section", "Study", "load_study", "scientific"]
