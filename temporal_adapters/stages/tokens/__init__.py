"""A corpus to packed blocks of tokens, once per week and tokenizer, shared by all seeds and epochs.

Takes posts and a tokenizer, gives `Blocks` in memory and a memory-mapped Arrow table on disk. Knows no base model.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
