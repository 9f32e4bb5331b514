"""Posts that nearly repeat an earlier post of the same week, whoever wrote it.

Takes texts in order of time, gives the positions of those to drop. Knows neither users nor weeks.

MinHash signatures and banding come from rensa. On a real panel this finds little beyond exact duplicates (0.6 points),
hence it is off unless a study asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from temporal_adapters.ground.errors import WeeksError

_N_PERMUTATIONS = 128
_N_BANDS = 32
"""Bands of 4 rows find pairs of similarity 0.8 with a probability above 0.9999 and pairs of 0.5 with 0.87."""
_SEED = 20240917
_SHINGLE_WORDS = 3


def near_duplicates(texts: Sequence[str], threshold: float) -> npt.NDArray[np.bool_]:
    """Return which texts resemble an earlier one that is kept itself.

    Parameters
    ----------
    texts
        Texts in order of time.
    threshold
        Jaccard similarity of the sets of word triples, estimated from 128 permutations (standard error 0.04 at most).

    Raises
    ------
    WeeksError
        If rensa is not installed.
    """
    try:
        from rensa import RMinHash, RMinHashLSH
    except ImportError:
        raise WeeksError(
            "weeks.near_duplicates needs the package rensa: pip install 'temporal-adapters[text]'"
        ) from None
    index = RMinHashLSH(threshold=threshold, num_perm=_N_PERMUTATIONS, num_bands=_N_BANDS)
    signatures: dict[int, object] = {}
    found = np.zeros(len(texts), bool)
    for position, text in enumerate(texts):
        signature = RMinHash(num_perm=_N_PERMUTATIONS, seed=_SEED)
        signature.update(_shingles(text))
        alike = any(signature.jaccard(signatures[other]) >= threshold for other in index.query(signature))
        if alike:
            found[position] = True
        else:
            index.insert(position, signature)
            signatures[position] = signature
    return found


def _shingles(text: str) -> list[str]:
    words = text.lower().split()
    if len(words) < _SHINGLE_WORDS:
        return [" ".join(words)]
    return [" ".join(words[start : start + _SHINGLE_WORDS]) for start in range(len(words) - _SHINGLE_WORDS + 1)]
