"""Fused kernels for training small models on a CPU: compiled once from ``kernels.c``, then called on tensors.

Takes float32 tensors, gives float32 tensors. Knows no model.

PyTorch makes a pass over memory for each of the dozen small operations between two matrix products; these kernels make
one. Where there is no C compiler everything is computed by PyTorch: the results then differ in the last bits only.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import torch

_SOURCE = Path(__file__).with_name("kernels.c")
_FLAGS = ("-O3", "-ffp-contract=fast", "-fPIC", "-shared")
_COMPILE_S = 120.0
_TILE = 4  # as in the source
_log = logging.getLogger(__name__)


class Documents:
    """Where the documents of a flattened batch begin, and the room that their attention needs.

    Parameters
    ----------
    starts
        Place of each document's first token, and the number of tokens at the end; int64 on the CPU.
    """

    def __init__(self, starts: torch.Tensor) -> None:
        self.starts = starts
        self._longest = int(starts.diff().max())

    def scratch(self, d: int) -> torch.Tensor:
        """Return memory for `attend` and `attend_back` with heads of `d`."""
        step = kernels().lanes()
        length, wide = (-(-n // step) * step for n in (self._longest, d))
        return torch.empty(length * (5 * wide + 2 * _TILE) + 3 * _TILE * wide)


def instructions() -> str:
    """Return the compiler's option for the instructions to use: those of this processor.

    ``TA_KERNELS_MARCH`` names others that it has, such as ``x86-64-v3`` (AVX2), to measure or to compare machines.
    """
    wanted = os.environ.get("TA_KERNELS_MARCH", "native")
    return f"-mcpu={wanted}" if platform.machine() in ("aarch64", "arm64") else f"-march={wanted}"


@functools.cache
def kernels() -> Any:
    """Return the compiled library, or None where it cannot be had (said once)."""
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None:
        _log.warning("no C compiler was found: adapters are trained with PyTorch's own operations, which is slower")
        return None
    try:
        return _load(compiler)
    except (OSError, AttributeError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        reason = (said.strip().splitlines() or ["?"])[0]
        _log.warning("the training kernels could not be compiled (%s): PyTorch's own operations are slower", reason)
        return None


def _load(compiler: str) -> Any:
    library = _build(compiler, cache_folder())
    try:
        return _declare(ctypes.CDLL(str(library)))
    except (OSError, AttributeError):  # cut short, or another library: it is compiled anew, once
        library.unlink(missing_ok=True)
        # Elsewhere, because the loader holds what it has found under the first path.
        return _declare(ctypes.CDLL(str(_build(compiler, _passing_folder()))))


def _build(compiler: str, folder: Path) -> Path:
    """Return the library of this source, compiler and processor in `folder`; it is compiled if it is not there yet."""
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout
    library = folder / f"kernels-{_digest(version)}.so"
    if not (library.is_file() and _is_ours(library)):
        with tempfile.TemporaryDirectory(dir=folder) as work:
            target = Path(work) / library.name
            call = [compiler, instructions(), *_FLAGS, "-o", str(target), str(_SOURCE), "-lm"]
            subprocess.run(call, capture_output=True, text=True, check=True, timeout=_COMPILE_S)
            target.chmod(0o700)
            os.replace(target, library)
    return library


def identity() -> str:
    """Return a digest of the kernels' source, their instructions and this processor."""
    return _digest("")


def _digest(version: str) -> str:
    parts = (_SOURCE.read_text(encoding="utf-8"), " ".join((instructions(), *_FLAGS)), version, _processor())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def _processor() -> str:
    """Return what decides which instructions the compiler may use."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()} {platform.node()}"
    wanted = ("model name", "flags", "Features", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))


def cache_folder() -> Path:
    """Return the user's cache, or a folder for this process where there is none that only this user can write."""
    try:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = root / "temporal-adapters"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if _is_ours(folder) and os.access(folder, os.W_OK):
            return folder
    except (OSError, RuntimeError):  # there is no home, or nothing can be written there
        pass
    return _passing_folder()


def _passing_folder() -> Path:
    """Return a new folder that is removed when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="temporal-adapters-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _is_ours(path: Path) -> bool:
    """Return whether nobody else can have written `path`: what lies there runs in this process."""
    found = path.stat()
    if not hasattr(os, "getuid"):
        return True  # Windows: a user's folders are closed to others
    return found.st_uid == os.getuid() and not found.st_mode & 0o022


def _declare(library: Any) -> Any:
    kinds = {"p": ctypes.c_void_p, "n": ctypes.c_int64, "f": ctypes.c_float}
    arguments = {
        "rms_norm": "ppppnnf",
        "rms_norm_back": "ppppppnn",
        "rotate": "pppnnnn",
        "swiglu": "pppn",
        "swiglu_back": "pppn",
        "cross_entropy": "pppnnn",
        "attend": "pppppp" + "nnnnnnnn" + "fnp",
        "attend_back": "pppppppppp" + "nnnnnnnn" + "fnp",
    }
    library.lanes.restype = ctypes.c_int64
    for name, kind in arguments.items():
        function = getattr(library, name)
        function.argtypes = [kinds[letter] for letter in kind]
        function.restype = ctypes.c_double if name == "cross_entropy" else None
    return library


def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float, out: torch.Tensor, rstd: torch.Tensor) -> None:
    """Write the normalised rows of `x` (n, d) into `out` and each row's factor into `rstd` (n,)."""
    n, d = x.shape
    kernels().rms_norm(x.data_ptr(), weight.data_ptr(), out.data_ptr(), rstd.data_ptr(), n, d, eps)


def rms_norm_back(
    grad: torch.Tensor,
    x: torch.Tensor,
    weight: torch.Tensor,
    rstd: torch.Tensor,
    add: torch.Tensor | None,
    out: torch.Tensor,
) -> None:
    """Write the gradient of `x`, plus `add` if there is any, into `out`, which may be `add` or `grad`."""
    before = None if add is None else add.data_ptr()
    pointers = (tensor.data_ptr() for tensor in (grad, x, weight, rstd))
    kernels().rms_norm_back(*pointers, before, out.data_ptr(), *x.shape)


def rotate(x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor, back: bool = False) -> None:
    """Rotate `x` (tokens, heads, d) in place by the tokens' angles (tokens, d), or back."""
    kernels().rotate(x.data_ptr(), cosine.data_ptr(), sine.data_ptr(), *x.shape, int(back))


def swiglu(gate: torch.Tensor, up: torch.Tensor, out: torch.Tensor) -> None:
    """Write silu(gate) up into `out`."""
    kernels().swiglu(gate.data_ptr(), up.data_ptr(), out.data_ptr(), out.numel())


def swiglu_back(grad: torch.Tensor, gate: torch.Tensor, up: torch.Tensor) -> None:
    """Replace `gate` and `up` by their gradients."""
    kernels().swiglu_back(grad.data_ptr(), gate.data_ptr(), up.data_ptr(), grad.numel())


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor, factors: torch.Tensor | None, wanted: bool) -> float:
    """Return the weighted sum of losses; `logits` (n, vocabulary) become their gradients if `wanted`, else rubbish."""
    weights = None if factors is None else factors.data_ptr()
    found = kernels().cross_entropy(logits.data_ptr(), labels.data_ptr(), weights, *logits.shape, int(wanted))
    return float(found)


def attend(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    out: torch.Tensor,
    shifts: torch.Tensor,
    documents: Documents,
    scale: float,
    window: int | None,
) -> None:
    """Write causal attention of documents into `out`.

    Parameters
    ----------
    q, k, v, out
        Tensors (tokens, heads, d) with adjacent heads; `k` and `v` may have fewer heads.
    shifts
        Tensor (tokens, heads) that `attend_back` needs.
    documents
        Where documents begin.
    scale
        Factor on the products.
    window
        Keys that a query sees, itself included; None for all.
    """
    pointers = (tensor.data_ptr() for tensor in (q, k, v, out, shifts, documents.starts))
    scratch = documents.scratch(q.shape[2])  # a name keeps it alive during the call
    kernels().attend(*pointers, *_sizes(q, k, v, out, documents), scale, window or 0, scratch.data_ptr())


def attend_back(
    grad: torch.Tensor,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    out: torch.Tensor,
    shifts: torch.Tensor,
    grads: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    documents: Documents,
    scale: float,
    window: int | None,
) -> None:
    """Write the gradients of `attend` into `grads`, laid out as `q`, `k` and `v`; `grad` is laid out as `out`."""
    pointers = (tensor.data_ptr() for tensor in (grad, q, k, v, out, shifts, *grads, documents.starts))
    scratch = documents.scratch(q.shape[2])
    kernels().attend_back(*pointers, *_sizes(q, k, v, out, documents), scale, window or 0, scratch.data_ptr())


def _sizes(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, out: torch.Tensor, documents: Documents
) -> tuple[int, ...]:
    strides = (tensor.stride(0) for tensor in (q, k, v, out))
    return (len(documents.starts) - 1, q.shape[1], k.shape[1], q.shape[2], *strides)
