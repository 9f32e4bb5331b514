"""How far a correlation can be trusted: reliability, agreement, specification, placebo, nowcast gain, stability.

Takes arrays of weekly values, gives records of figures. Knows no adapter and no survey file.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
