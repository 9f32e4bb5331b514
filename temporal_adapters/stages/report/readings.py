"""Whether the reader's series is about the posts, the base and the scale of the study.

Takes a study, its run folder and the manifest of ``read/``, gives a bool. Opens no model: it compares manifests.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from temporal_adapters.study.artifacts import Manifest, RunFolder, read_corpora, read_manifest
from temporal_adapters.study.config import Study


def is_current(study: Study, run: RunFolder, manifest: Manifest, bases: AbstractSet[str]) -> bool:
    """Say whether a series of the reader is the one of this study today.

    Parameters
    ----------
    study, run
        The study and its run folder.
    manifest
        Of the reader's series.
    bases
        Digests of the bases that were asked the study's questionnaires.
    """
    corpora = {corpus.label: corpus.sha256 for corpus in read_corpora(run) if corpus.n_posts}
    if manifest.facts["scale"] != study.series.scale or set(manifest.inputs) != set(corpora):
        return False
    for label, key in manifest.inputs.items():
        week = read_manifest(run.reading(label))
        if week is None or week.key != key or week.inputs["corpus"] != corpora[label]:
            return False
        if not bases <= {week.inputs["base"]}:
            return False
    return True
