"""Questions put to every adapter: forward passes to token log-probs, then answers.

Takes adapters and questionnaires, gives ``logprobs/`` shards and ``answers/``. Knows neither posts nor survey.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
