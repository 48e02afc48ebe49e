"""A user's own settings: a TOML file that chooses otherwise than ``settings`` where the documents leave it open.

::

    prompted_within = "21 days"     # times as days or hours
    minimum_observations = 4        # other numbers as they are

    [marks]                         # by signal and figure, as in the catalogue; a band as a pair
    "G2b.show_up_rate" = 0.8
    "P1b.client_share_of_touches" = [0.3, 0.7]

    [warmth_weights]
    W1a = 5

Settings define the columns: a model that learned under other settings is refused (``matrix.fingerprint``).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FIXED = ("WINDOWS", "LONGER_WINDOW", "DAY", "VARIABLE", "QUARTER")
"""What is part of the columns' names or of the calendar, and so is nobody's choice."""

_HOUR = 3600
_TIME = re.compile(r"(\d+(?:\.\d+)?) (hour|day)s?")


class SettingsError(ValueError):
    """The file cannot be read, names what is no setting, or gives a value that is not allowed."""


def chosen(file: Path, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a file chooses, by name, checked against the form of the ``defaults``.

    Errors: SettingsError, naming file, setting, value and what is allowed.
    """
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: no TOML ({error})") from error
    known = {name: value for name, value in defaults.items() if name.isupper() and name not in FIXED}
    return {name.upper(): _setting(f"{file}: {name}", value, known, name.upper()) for name, value in document.items()}


def _setting(where: str, given: object, known: Mapping[str, Any], name: str) -> Any:
    if name not in known:
        raise SettingsError(f"{where} is no setting; there are {', '.join(sorted(known)).lower()}")
    default = known[name]
    if not isinstance(default, dict):
        return _value(where, given, default)
    if not isinstance(given, dict):
        raise SettingsError(f"{where} must be a table [{name.lower()}]")
    for key in given:
        if key not in default:
            raise SettingsError(f"{where}: {key!r} is none of {', '.join(default)}")
    return default | {key: _value(f"{where}.{key}", value, default[key]) for key, value in given.items()}


def _value(where: str, given: object, default: Any) -> Any:
    if isinstance(default, tuple):
        if not isinstance(given, list) or len(given) != 2 or not all(map(_is_number, given)) or given[0] > given[1]:
            raise SettingsError(f"{where}: {given!r} must be a pair of numbers such as {list(default)}")
        return tuple(given)
    if isinstance(default, int) and default >= _HOUR:
        found = _TIME.fullmatch(given) if isinstance(given, str) else None
        if found is None:
            raise SettingsError(f'{where}: {given!r} must be a time such as "14 days" or "36 hours"')
        return round(float(found[1]) * _HOUR * (24 if found[2] == "day" else 1))
    if not _is_number(given) or given < 0:  # type: ignore[operator]
        raise SettingsError(f"{where}: {given!r} must be a number of at least 0, such as {default}")
    return given


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
