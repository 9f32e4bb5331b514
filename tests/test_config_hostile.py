"""Study files, questionnaires and mappings from strangers: every odd one is a sentence, soon and in little memory."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from temporal_adapters.ground.errors import ConfigError, TemporalAdaptersError
from temporal_adapters.study import questionnaire
from temporal_adapters.study.config import load_study
from temporal_adapters.study.config.document import read_yaml

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "aliases"),
        ("a: " + "[" * 5000 + "]" * 5000, "nests more than 40 levels deep"),
        ("".join(f"{'  ' * depth}a:\n" for depth in range(200)), "nests more than 40 levels deep"),
        ("study: !!int abc\n", "cannot be read"),
        ("? {a: b}\n: 1\n", "study.yaml"),
        ("train: {learning_rate: .inf}\n", "train.learning_rate: inf is no number to compute with"),
        ("train: {learning_rate: .nan}\n", "is no number to compute with"),
        ('description: "\\ud800"\n', "half a character"),
        ('"\\ud800": 1\n', "half a character"),
        ("train: {seeds: [12345678901234567890123456]}\n", "has more than 18 digits"),
        ("train: {steps: 1" + "0" * 40 + "}\n", "has more than 18 digits"),
        ("train: {steps: 1" + "0" * 5000 + "}\n", "study.yaml"),
        ("a: !!python/object/apply:os.system [touch /tmp/pwned]\n", "study.yaml"),
        ("a: !!timestamp nonsense\n", "study.yaml"),
        ("a: &a\n  b: *a\n", "study.yaml"),
        ("\x00", "study.yaml"),
        ("<<: 3\n", "study.yaml"),
    ],
)
def test_a_hostile_study_file_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(text.encode("utf-8"))
    with pytest.raises(ConfigError) as caught:
        load_study(path, tmp_path / "runs")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 2000
    assert not Path("/tmp/pwned").exists()


def test_a_large_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("a: 1\n" * 10_000_000)
    with pytest.raises(ConfigError, match=r"at most 5,000,000 are read: split the file"):
        read_yaml(path)


def test_shipped_files_keep_far_from_the_bounds() -> None:
    for path in (Path(__file__).parents[1] / "configs").rglob("*.yaml"):
        assert path.stat().st_size < 500_000
        read_yaml(path)


_WORDS = st.sampled_from(
    ["study", "train", "seeds", "[", "]", "{", "}", ":", "- ", "&a", "*a", "!!int", "!!binary", "?", "|", ">", "\n",
     "\n  ", ".inf", "0x", "1e999", "'", '"', "\\ud800", "\u2028", "\ufeff", "%YAML 1.1\n---", "<<", "~", "#", "\t"]
)  # fmt: skip


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.lists(_WORDS, max_size=30).map(" ".join), st.text(max_size=200), st.binary(max_size=200)))
def test_whatever_a_file_holds_it_is_read_or_refused_by_name(tmp_path: Path, text: str | bytes) -> None:
    path = tmp_path / "fuzz.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    for read in (lambda: load_study(path, tmp_path / "runs"), lambda: questionnaire.load(str(path))):
        with contextlib.suppress(TemporalAdaptersError):
            read()
