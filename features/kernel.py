"""How the compiled loops of this package are made: numba, cached on disk, free of the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Loop = TypeVar("Loop", bound=Callable[..., Any])


def compiled(loop: Loop) -> Loop:
    """Compile a loop over arrays on its first call; the plain function stays reachable as ``.py_func``."""
    return cast(Loop, numba.njit(cache=True, nogil=True)(loop))
