"""Honest p-values for two short, autocorrelated series.

Takes arrays of weekly values (NaN where a week is missing), gives correlations, intervals, p-values and verdicts' raw
material. Pure arithmetic on numpy and scipy; knows no week, question or file.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
