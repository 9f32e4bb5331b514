"""Worlds with a known truth: a panel, a survey, and a small base model that can be asked about them.

Takes the section `simulate` of a study (all knobs of the world), gives files: raw panel, survey series, truth.
Knows no stage of the line: it meets them only through those files.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
