"""Finished work on disk: keys, manifests, atomic publication, and where everything lies.

Takes configs, inputs and files, gives finished folders with a manifest. Knows the layout, but no stage's content.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
