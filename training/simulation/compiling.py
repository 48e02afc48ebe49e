"""One typed way to compile a kernel, and to keep what was compiled for as long as it is valid."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """The function compiled by numba on first use, kept on disk, free of the interpreter lock.

    numba keeps compiled code until the function's own file changes, though the code holds constants and callees of the
    package's other files too. So that an edit there counts, the stamp of the whole package takes the file's place. It
    also goes with numba's version, which is read before anything else of an old cache: that may name types since moved.
    """
    dispatcher: Any = njit(cache=True, nogil=True, error_model="numpy")(function)
    index = dispatcher._cache._cache_file
    if not (hasattr(index, "_source_stamp") and hasattr(index, "_version")):
        raise AttributeError("numba keeps its compiled code differently now; see compiled() before trusting the cache")
    index._source_stamp = _package_stamp()
    index._version = f"{index._version} {_package_stamp()}"
    return cast(Function, dispatcher)


@cache
def _package_stamp() -> str:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
