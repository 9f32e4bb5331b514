"""What is wrong with posts that look sound: ids that lost digits, texts in the wrong encoding.

Takes the posts of one file, stretch by stretch, gives them mended, and counts of what was mended, what is doubtful and
what is worth knowing. Knows no layout.

Columns are looked at as memory first: a column of digits, or of plain ASCII, needs nothing more.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from temporal_adapters.stages.panel.naming import tags

_EXPONENT = r"^-?[0-9]+([.,][0-9]+)?[eE][+]?[0-9]+$"
_KEPT_AS_TEXT = "^('[0-9]+'?|=?\"[0-9]+\"|[0-9]{1,3}(,[0-9]{3})+)$"
_POINT_ZERO = r"^[0-9]+([.]0+|,0{1,2})$"
_LONG_ID = 10**15
"""Numbers from which a spreadsheet or a float loses digits: 15 and 2^53 (16 digits) are what they hold."""

_EXACT = 2**53
_SHARE = 0.5
"""Share of the long ids of a stretch ending in zeros from which they have lost digits; one in 1,000 does by chance."""

_ENOUGH = 8
"""Long ids below which their endings say nothing."""

_TWICE_BYTES = re.compile(b"\xc3[\x82-\xb4](?:\xc2[\x80-\xbf]|\xc5|\xc6\x92|\xcb|\xe2[\x80\x82\x84])")
"""In the memory of texts: a character that begins a sequence of UTF-8 when taken as a byte, and one that goes on."""

_TWICE = (
    "[\u00c2-\u00f4]"
    "[\u0080-\u00bf\u20ac\u201a-\u203a\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2122]"
)
_SURE = re.compile("[\u0080-\u009f]|Ã[\u00a0-\u00bf]|Â[\u00a0-\u00bf]|â€|ðŸ")
_MOST_TIMES = 3
_CUT = "…( https://t[.]co/[A-Za-z0-9]+)?$"
_CP1252 = {
    bytes([code]).decode("cp1252"): code for code in range(0x80, 0xA0) if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}


@dataclass
class Examination:
    """What has been seen of one file so far.

    Attributes
    ----------
    repaired, doubtful, noted
        Kind -> records of the last stretch (see `Chunk`).
    hint
        What is known of the doubts: which column, never a value of it.
    """

    missing: pa.Array
    repaired: Counter[str] = field(default_factory=Counter)
    doubtful: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    hint: str = ""
    _n_prefixed: int = 0

    def look(self, posts: pa.Table, n_replaced: int) -> pa.Table:
        """Return a stretch of posts, mended, and count what was found (columns as in `RAW` or `POSTS`).

        Parameters
        ----------
        posts
            The posts.
        n_replaced
            Texts in which the reader itself wrote U+FFFD, for something else than a wrong encoding.
        """
        self.repaired, self.doubtful, self.noted = Counter(), Counter(), Counter()
        for name in ("post_id", "user_id"):
            posts = _with(posts, name, self._ids(posts[name].combine_chunks(), name))
        posts = _with(posts, "lang", self._tags(posts["lang"].combine_chunks()))
        return _with(posts, "text", self._texts(posts, n_replaced))

    def _ids(self, ids: pa.Array, name: str) -> pa.Array:
        if _only_digits(ids):
            self._judge_digits(ids, name)
            return ids
        trimmed = pc.utf8_trim_whitespace(ids)
        known = pc.if_else(pc.is_in(trimmed, value_set=self.missing), None, trimmed)
        if _holds(known, b"'", b'"', b","):
            known = self._as_spreadsheets_keep_them(known)
        if _holds(known, b".", b"e", b"E"):
            known = self._written_as_numbers(known, name)
        prefixed = pc.fill_null(pc.match_substring_regex(known, "^x[0-9]{5,}$"), False)
        n_prefixed = pc.sum(prefixed).as_py() or 0
        if n_prefixed and n_prefixed == len(known) - known.null_count:
            # R's rtweet writes an x before ids so that no spreadsheet takes them for numbers.
            known = pc.utf8_slice_codeunits(known, 1)
            self.repaired["id_with_x"] += n_prefixed
        self._judge_digits(known, name)
        return known

    def _as_spreadsheets_keep_them(self, ids: pa.Array) -> pa.Array:
        """Take off the marks by which people keep long numbers from a spreadsheet: '1, ="1" and 1,000."""
        marked = pc.fill_null(pc.match_substring_regex(ids, _KEPT_AS_TEXT), False)
        n = pc.sum(marked).as_py() or 0
        if not n:
            return ids
        self.repaired["id_in_marks"] += n
        return pc.if_else(marked, pc.replace_substring_regex(ids, "[^0-9]", ""), ids)

    def _written_as_numbers(self, ids: pa.Array, name: str) -> pa.Array:
        """Take `.0` off ids that only gained it; count those that lost digits."""
        with_point = pc.fill_null(pc.match_substring_regex(ids, _POINT_ZERO), False)
        lost = pc.fill_null(pc.match_substring_regex(ids, _EXPONENT), False)
        if pc.any(with_point).as_py():
            plain = pc.replace_substring_regex(ids, r"[.,]0+$", "")
            # A float holds every number up to 2^53: these have lost nothing.
            short = pc.less_equal(pc.utf8_length(plain), 15)
            mended = pc.and_(with_point, short)
            lost = pc.or_(lost, pc.and_(with_point, pc.invert(short)))
            self.repaired["id_with_point_zero"] += pc.sum(mended).as_py() or 0
            ids = pc.if_else(mended, plain, ids)
        self._doubt(pc.sum(lost).as_py() or 0, name, "are written as numbers with an exponent or decimals")
        return ids

    def _judge_digits(self, ids: pa.Array, name: str) -> None:
        """Count ids of 16 and more digits if most of them end in zeros, or all as a float would."""
        values = _numbers(ids)
        long = values[values >= _LONG_ID]
        if len(long) < _ENOUGH:
            return
        ends = long % 1000 == 0
        if ends.mean() > _SHARE:
            self._doubt(int(ends.sum()), name, "end in zeros")
            return
        # A float of this size counts in steps of 2^k; ids with empty low bits (no counter) are multiples of more.
        beyond = np.unique(long[long > _EXACT])
        step = np.left_shift(np.int64(1), np.floor(np.log2(beyond.astype(np.float64))).astype(np.int64) - 52)
        if (
            len(beyond) >= 4 * _ENOUGH
            and (step > 1).all()
            and (beyond % step == 0).all()
            and (beyond % (16 * step) == 0).mean() < _SHARE
        ):
            self._doubt(len(long), name, "are all numbers that a float holds")

    def _doubt(self, n: int, name: str, what: str) -> None:
        if n:
            self.doubtful["lost_digits"] = max(self.doubtful["lost_digits"], n)
            self.hint = f"{name} {what}"

    def _tags(self, langs: pa.Array) -> pa.Array:
        if langs.null_count == len(langs):
            return langs
        return tags(pc.if_else(pc.is_in(langs, value_set=self.missing), None, langs))

    def _texts(self, posts: pa.Table, n_replaced: int) -> pa.Array:
        texts = posts["text"].combine_chunks()
        if _TWICE_BYTES.search(_bytes(texts)):
            texts = self._once(texts)
        if _holds(texts, b"\xef\xbf\xbd"):
            n = (pc.sum(pc.match_substring(texts, "\ufffd")).as_py() or 0) - n_replaced
            if n > 0:
                self.doubtful["damaged_text"] += n
        if _holds(texts, b"\xe2\x80\xa6") and posts.num_rows and posts["platform"][0].as_py() == "twitter":
            n_cut = pc.sum(pc.match_substring_regex(texts, _CUT)).as_py() or 0
            self.noted["cut_text"] += n_cut
        return texts

    def _once(self, texts: pa.Array) -> pa.Array:
        """Undo the second encoding of texts that were encoded twice, as in Facebook's downloads."""
        suspect = pc.fill_null(pc.match_substring_regex(texts, _TWICE), False)
        if not pc.any(suspect).as_py():
            return texts
        rows = np.flatnonzero(suspect.to_numpy(zero_copy_only=False))
        found = {row: decoded for row in rows if (decoded := as_meant(texts[row].as_py())) is not None}
        if not found:
            return texts
        self.repaired["encoded_twice"] += len(found)
        mask = np.zeros(len(texts), bool)
        mask[list(found)] = True
        return pc.replace_with_mask(texts, pa.array(mask), pa.array([found[row] for row in sorted(found)], texts.type))


def as_meant(text: str) -> str | None:
    """Return a text that was encoded too often as it was meant, or None if it was not."""
    found = None
    for _ in range(_MOST_TIMES):
        text, before = decoded_once(text) or text, text
        if text == before:
            break
        found = text
    return found


def decoded_once(text: str) -> str | None:
    """Return a text that was encoded twice as it was meant, or None if it was not.

    UTF-8 was taken for latin-1 or windows-1252: every character beyond ASCII then belongs to a sequence of UTF-8, and
    some of the sequences are ones that nobody writes.
    """
    if not _SURE.search(text):
        return None
    try:
        raw = bytes(_CP1252.get(character, 256) if ord(character) > 255 else ord(character) for character in text)
        return raw.decode("utf-8")
    except ValueError:
        return None


def _with(posts: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return posts.set_column(posts.schema.get_field_index(name), name, values)


def _bytes(values: pa.Array) -> memoryview:
    """Return the text of a column of strings as it lies in memory."""
    offsets, content = values.buffers()[1], values.buffers()[2]
    if content is None or offsets is None or not len(values):
        return memoryview(b"")
    kind = np.int64 if pa.types.is_large_string(values.type) else np.int32
    ends = np.frombuffer(offsets, kind)
    return memoryview(content)[ends[values.offset] : ends[values.offset + len(values)]]


def _only_digits(ids: pa.Array) -> bool:
    content = np.frombuffer(_bytes(ids), np.uint8)
    return (
        ids.null_count == 0
        and len(content) > 0
        and content.min() >= 48
        and content.max() <= 57
        and len(content) > len(ids)
    )


def _holds(values: pa.Array, *wanted: bytes) -> bool:
    content = _bytes(values)
    return any(bytes_find(content, part) for part in wanted)


def bytes_find(content: memoryview, part: bytes) -> bool:
    """Return whether `part` lies somewhere in `content`, without copying it."""
    return re.search(re.escape(part), content) is not None


def _numbers(ids: pa.Array) -> np.ndarray:
    """Return the ids that are numbers, as far as 64 bits hold them."""
    try:
        return pc.drop_null(ids.cast(pa.int64())).to_numpy()
    except pa.ArrowInvalid:
        some = ids.filter(pc.fill_null(pc.match_substring_regex(ids, "^[0-9]{16,18}$|^[1-8][0-9]{18}$"), False))
        return some.cast(pa.int64()).to_numpy()
