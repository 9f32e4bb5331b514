"""Whether a base is fit for what a study wants of it, before an hour is spent.

Takes a base and settings, gives results of checks. Knows no weeks and no survey.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
