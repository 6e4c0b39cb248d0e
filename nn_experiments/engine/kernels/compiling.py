"""Functions compiled by numba and cached on disk; the key of the cache covers every file with such functions.

Numba recompiles a function only if the file of *that* function changes. A kernel in one file that calls a function in
another one would keep using the old function after an edit of the other file, while results record the new revision.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numba

try:
    from numba.core.caching import FunctionCache
except ImportError:  # this numba has its cache elsewhere: functions are compiled in every process
    FunctionCache = None

__all__ = ["compiled", "sources"]

#: File -> hash of its text, for every file with a compiled function, as of the import of the file.
_HASHES: dict[str, str] = {}


def sources() -> str:
    """Return one hash of the text of all files with compiled functions.

    A function can only call functions that were defined before it, so their files are known when it is compiled.
    """
    return hashlib.sha256("".join(sorted(_HASHES.values())).encode()).hexdigest()


if FunctionCache is not None:

    class _Cache(FunctionCache):
        """Numba's cache on disk with `sources` in the key."""

        def _index_key(self, sig: object, codegen: object) -> tuple:
            return (*super()._index_key(sig, codegen), sources())


def compiled(function: Callable) -> Callable:
    """Compile a function with numba and cache it on disk; it is recompiled if a file with compiled functions changes.

    Sums may be reordered and products fused. NaN and infinity keep their meaning, so that divergence is detected.
    """
    path = function.__code__.co_filename
    if path not in _HASHES:
        with open(path, "rb") as file:
            _HASHES[path] = hashlib.sha256(file.read()).hexdigest()
    dispatcher = numba.njit(fastmath={"contract", "reassoc", "nsz"}, nogil=True, error_model="numpy")(function)
    if FunctionCache is not None:
        dispatcher._cache = _Cache(function)  # pyright: ignore[reportAttributeAccessIssue]
    return dispatcher
