"""One study file, validated and frozen: a section per stage.

Takes YAML, gives a `Study`. Knows no stage.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
