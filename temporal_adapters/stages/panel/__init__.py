"""Raw dumps of any supported platform to one table of posts.

Takes paths and the settings of `panel`, gives chunks of posts in the columns of `POSTS`. Knows no week, no cleaning
rule and no study.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
