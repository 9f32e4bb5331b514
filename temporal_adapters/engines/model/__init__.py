"""The only place that loads weights: the frozen base, adapters as PEFT folders, and K adapters stacked on one base.

Takes the `model` section of a study and adapter folders, gives a resident `Base` and attached adapters. Knows neither
posts nor questions.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
