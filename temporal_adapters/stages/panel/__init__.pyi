from .files import find_files as find_files
from .layouts import detect as detect
from .posts import CORRUPT as CORRUPT
from .posts import POSTS as POSTS
from .posts import Chunk as Chunk
from .read import connect as connect
from .read import read_posts as read_posts
