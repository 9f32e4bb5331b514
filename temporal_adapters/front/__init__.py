"""What a command and a notebook call: one function for one job, and records and frames that they give."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
