"""Blocks of tokens: packing, the policy for first and last tokens, and the table on disk."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_tokenizer

from temporal_adapters.ground.errors import TokensError
from temporal_adapters.stages.tokens import IGNORED, chunk, encode, pack, read_blocks, write_blocks
from temporal_adapters.stages.tokens.stage import _is_held_out, _user_weights

documents = st.lists(st.lists(st.integers(1, 250), min_size=1, max_size=40), min_size=1, max_size=40)


def _runs(blocks):
    """The documents of blocks, without padding."""
    for ids, labels, numbers in zip(blocks.input_ids, blocks.labels, blocks.documents, strict=True):
        for number in np.unique(numbers):
            mine = numbers == number
            if (labels[mine] != IGNORED).any():
                yield tuple(ids[mine].tolist())


@given(documents, st.integers(8, 40))
@settings(max_examples=60, deadline=None)
def test_packing_keeps_every_document_whole_and_once(docs, length):
    pieces = [tuple(ids[at : at + length]) for ids in docs for at in range(0, len(ids), length)]
    blocks = pack(docs, length)
    assert sorted(_runs(blocks)) == sorted(pieces)
    assert ((blocks.labels == blocks.input_ids) | (blocks.labels == IGNORED)).all()


def test_packing_wastes_little():
    rng = np.random.default_rng(1)
    docs = [[1] * int(n) for n in rng.integers(5, 40, 1000)]
    blocks = pack(docs, 128)
    assert (blocks.labels != IGNORED).mean() > 0.99


def test_packing_keeps_labels_and_weights_at_their_tokens():
    blocks = pack([[1, 5, 6], [1, 7]], 8, labels=[[IGNORED, IGNORED, 6], [IGNORED, 7]], weights=[2.0, 3.0])
    assert blocks.input_ids.tolist() == [[1, 5, 6, 1, 7, 0, 0, 0]]
    assert blocks.labels.tolist() == [[-100, -100, 6, -100, 7, -100, -100, -100]]
    assert blocks.documents.tolist() == [[0, 0, 0, 1, 1, 2, 2, 2]]
    assert blocks.weights.tolist() == [[2, 2, 2, 3, 3, 1, 1, 1]]


def test_chunks_are_the_concatenation_without_its_last_partial_chunk():
    blocks = chunk([[1, 2, 3], [4, 5], [6, 7, 8, 9]], 4)
    assert blocks.input_ids.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert not blocks.documents.any()


@pytest.mark.parametrize(
    ("own_bos", "bos", "eos", "expected"),
    [
        (True, "auto", False, [1, 100]),
        (True, "always", True, [1, 100, 2]),
        (True, "never", False, [100]),
        (False, "auto", False, [100]),
        (False, "always", False, [1, 100]),
    ],
)
def test_first_and_last_tokens_follow_the_policy(own_bos, bos, eos, expected):
    tokenizer = tiny_tokenizer(own_bos)
    letter = "a"
    expected = [tokenizer.convert_tokens_to_ids(letter) if token == 100 else token for token in expected]
    assert encode(tokenizer, [letter], bos, eos) == [expected]


def test_a_tokenizer_without_end_token_cannot_end_posts():
    tokenizer = tiny_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(TokensError, match=r"tokens\.eos"):
        encode(tokenizer, ["a"], eos=True)


def test_blocks_on_disk_are_a_table_that_datasets_loads_and_the_same_bytes_each_time(tmp_path):
    import datasets

    blocks = pack([[1, 5, 6], [1, 7]], 8, weights=[2.0, 3.0])
    for name in ("a", "b"):
        write_blocks(tmp_path / name, blocks)
    again = read_blocks(tmp_path / "a")
    for name in ("input_ids", "labels", "documents", "weights"):
        assert np.array_equal(getattr(again, name), getattr(blocks, name))
        assert not getattr(again, name).flags.owndata
    assert datasets.load_from_disk(str(tmp_path / "a"))[0]["input_ids"] == [1, 5, 6, 1, 7, 0, 0, 0]
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in files)


def test_a_damaged_table_is_refused_with_a_sentence(tmp_path):
    write_blocks(tmp_path / "a", pack([[1, 5, 6]], 8))
    next((tmp_path / "a").glob("*.arrow")).write_bytes(b"broken")
    with pytest.raises(TokensError, match="no readable token blocks"):
        read_blocks(tmp_path / "a")


def test_every_user_counts_alike_under_user_weights():
    weights = _user_weights(["a", "a", "a", "b"])
    assert sum(weights[:3]) == pytest.approx(weights[3]) == pytest.approx(2)
    assert sum(weights) == pytest.approx(4)


def test_held_out_posts_are_a_fixed_share_that_depends_on_the_post_alone():
    held = [_is_held_out(str(n), 0.2) for n in range(5000)]
    assert 0.18 < np.mean(held) < 0.22
    assert [_is_held_out(str(n), 0.1) for n in range(5000) if not held[n]].count(True) == 0
