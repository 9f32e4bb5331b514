"""Token log-probs to answers: pure arithmetic, testable without a model.

Takes form scores, gives scores, shares, centred log-ratios, masses. Knows no model and no file.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
