"""The tree as the benchmark `structure` measures it: no arrow upward, no circle, no copy of test D, faces are used."""

from __future__ import annotations

import ast
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "structure.py"


@pytest.fixture(scope="module")
def structure() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("structure", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def figures(structure: ModuleType) -> dict[str, Any]:
    return dict(json.loads(json.dumps(structure.measure())))


@pytest.mark.parametrize("name", ["upward", "circles", "spells_d", "undocumented"])
def test_nothing_of_this_is_in_the_tree(figures: dict[str, Any], name: str) -> None:
    assert figures[name] == 0, figures[f"{name}_where"]


def test_rooms_are_entered_by_their_faces(figures: dict[str, Any]) -> None:
    assert figures["past_faces"] <= 0.125, figures["most_reached_into"]


def test_functions_stay_short(figures: dict[str, Any]) -> None:
    assert figures["function_median"] <= 10
    assert figures["function_p90"] <= 25


def trees(**texts: str) -> dict[str, ast.Module]:
    return {f"temporal_adapters.{name.replace('_to_', '.')}": ast.parse(text) for name, text in texts.items()}


def test_a_helper_called_once_an_upward_arrow_and_a_circle_are_seen(structure: ModuleType) -> None:
    made = trees(
        study_to_a=(
            "from temporal_adapters.stages.b import f\ndef _once(): ...\ndef _twice(): ...\n_once(), _twice(), _twice()"
        ),
        stages_to_b="from temporal_adapters.study.a import g\ndef f(): ...",
        stages_to_b_to_inner="",
        line="from temporal_adapters.stages.b.inner import h",
    )
    found = structure.imports(made)
    once, total, places = structure.helpers_once(made)
    assert (once, total, places) == (1, 2, ["1 temporal_adapters.study.a._once"])
    assert structure.circles((structure.room(one.source), structure.room(one.target)) for one in found) == [
        ["stages.b", "study.a"]
    ]
    assert structure.past_faces(found)[:2] == (1, 3)


def test_test_d_put_together_by_hand_is_seen(structure: ModuleType) -> None:
    made = trees(proof_to_x="def mine(a, b):\n    return flips.statistic(products(a, b, [0]))")
    assert structure.spells_d(made) == ["temporal_adapters.proof.x.mine"]
