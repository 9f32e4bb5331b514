"""Finished work on disk: keys, manifests, atomic publication, and where everything lies.

Takes configs, inputs and files, gives finished folders with a manifest. Knows the layout, but no stage's content.
"""

from temporal_adapters.study.artifacts.expected import Expected, differences
from temporal_adapters.study.artifacts.keys import digest_file, digest_json, stage_key
from temporal_adapters.study.artifacts.layout import RunFolder, WeekCorpus, read_corpora
from temporal_adapters.study.artifacts.make import in_work, make
from temporal_adapters.study.artifacts.manifest import Manifest, read_manifest
from temporal_adapters.study.artifacts.publish import State, publish, state, verify

__all__ = [
    "Expected",
    "Manifest",
    "RunFolder",
    "State",
    "WeekCorpus",
    "differences",
    "digest_file",
    "digest_json",
    "in_work",
    "make",
    "publish",
    "read_corpora",
    "read_manifest",
    "stage_key",
    "state",
    "verify",
]
