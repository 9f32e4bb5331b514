"""Adapters fitted on one resident base: many jobs, K at a time, each independent of its neighbours.

Takes blocks of tokens, gives adapters; as a stage, takes ``tokens/`` and gives ``adapters/``. Knows no questions.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
