"""The mixing experiment: adapters on corpora in which the share of a label is known, and how their answers follow it.

Takes labelled posts and a study (its base, training, questions and scoring), gives curves of answers over the share.
Knows no panel and no survey.

Internal validity as in Ahnert, Pellert, Garcia and Strohmaier (ICWSM 2025), who mixed joyful and sad tweets.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
