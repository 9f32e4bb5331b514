"""Packaged resources: found, listed, and asked for by the right name."""

from __future__ import annotations

import pytest

from temporal_adapters.ground import resources
from temporal_adapters.ground.errors import ResourceError


@pytest.mark.parametrize("kind", ["queries", "studies", "questionnaires"])
def test_every_listed_resource_can_be_read(kind: str) -> None:
    names = resources.names(kind)  # type: ignore[arg-type]
    assert names
    assert all(resources.text(kind, name).strip() for name in names)  # type: ignore[arg-type]


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ResourceError, match="did you mean demo"):
        resources.text("studies", "dmeo")
