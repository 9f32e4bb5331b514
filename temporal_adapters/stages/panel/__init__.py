"""Raw dumps of any supported platform to one table of posts.

Takes paths and the settings of `panel`, gives chunks of posts in the columns of `POSTS`. Knows no week, no cleaning
rule and no study.
"""

from temporal_adapters.stages.panel.files import find_files
from temporal_adapters.stages.panel.layouts import detect
from temporal_adapters.stages.panel.posts import CORRUPT, POSTS, Chunk
from temporal_adapters.stages.panel.read import connect, read_posts

__all__ = ["CORRUPT", "POSTS", "Chunk", "connect", "detect", "find_files", "read_posts"]
