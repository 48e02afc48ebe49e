"""Records of a CRM's API in JSON, one after the other, as flat records of texts.

A file may hold one page as the API answers it (``{"results": [...]}``), several, a list of records, or records on lines
of their own. Whatever it is, one record at a time is read.
"""

from __future__ import annotations

import codecs
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

from features.sources.readers import SourceError

LARGEST_VALUE = 64 << 20
"""Characters of a single record, or of a page of them."""

_PIECE = 1 << 20
_BETWEEN = " \t\r\n,[]"
_LISTS = ("results", "records", "value", "data")
"""What APIs call the list of records on a page: HubSpot, Salesforce, Dynamics 365, Pipedrive."""


def is_json(path: Path) -> bool:
    """Whether a file is to be read as JSON of an API."""
    return path.name.lower().removesuffix(".gz").endswith((".json", ".jsonl", ".ndjson"))


def json_records(path: Path) -> Iterator[dict[str, str]]:
    """The records of a file, gzipped or not. Raises SourceError where it is no JSON."""
    with path.open("rb") as raw:
        stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if path.name.lower().endswith(".gz") else raw
        try:
            for value in _values(path.name, stream):
                yield from _records_of(value)
        except (EOFError, OSError, zlib.error) as error:
            raise SourceError(f"{path.name}: cannot be read, the file is damaged or cut off ({error})") from None


def _values(file: str, stream: IO[bytes]) -> Iterator[Any]:
    """The JSON values of a file; of a list its elements."""
    decode = codecs.getincrementaldecoder("utf-8-sig")().decode
    decoder = json.JSONDecoder()
    text, wanted, ended, open_lists = "", 0, False, 0
    while True:
        rest = text.lstrip(_BETWEEN)
        between = text[: len(text) - len(rest)]
        open_lists += between.count("[") - between.count("]")
        text = rest
        if text and (ended or len(text) >= wanted):
            try:
                value, end = decoder.raw_decode(text)
            except (ValueError, RecursionError) as error:
                if ended or isinstance(error, RecursionError):
                    raise SourceError(f"{file}: not JSON: {error}") from None
                if len(text) > LARGEST_VALUE:
                    raise SourceError(
                        f"{file}: a record or page of more than {LARGEST_VALUE >> 20} MB, or not JSON ({error})"
                    ) from None
                wanted = 2 * len(text)
            else:
                if ended or end < len(text):
                    yield value
                    text, wanted = text[end:], 0
                    continue
                wanted = len(text) + 1  # a number or word may go on
        elif ended:
            if open_lists:
                raise SourceError(f"{file}: not JSON: the list is not closed; is the file cut off?")
            return
        try:
            piece = stream.read(_PIECE)
            ended = not piece
            text += decode(piece, ended)
        except UnicodeDecodeError as error:
            raise SourceError(f"{file}: not UTF-8 text ({error.reason}); save it as UTF-8") from None


def _records_of(value: Any) -> Iterator[dict[str, str]]:
    if not isinstance(value, dict):
        return
    listed = next((value[name] for name in _LISTS if isinstance(value.get(name), list)), None)
    if listed is None or "properties" in value:
        yield flat(value)
        return
    for one in listed:
        if isinstance(one, dict):
            yield flat(one)


def flat(record: Mapping[str, Any]) -> dict[str, str]:
    """A record as texts by name: HubSpot's ``properties`` as columns, its associations as ids, the primary one first.

    >>> flat({"id": 7, "properties": {"dealstage": "closedwon", "amount": None}, "archived": False,
    ...     "associations": {"companies": {"results": [{"id": "2", "type": "deal_to_company_unlabeled"},
    ...                                                {"id": "1", "type": "deal_to_company"}]}}})
    {'hs_object_id': '7', 'archived': 'false', 'dealstage': 'closedwon', 'associations.companies': '1;2'}
    """
    properties = record.get("properties")
    if not isinstance(properties, Mapping):
        return {name: text for name, value in record.items() if (text := _text(value)) is not None}
    found = {"hs_object_id": record.get("id"), **{name: record.get(name) for name in _ENVELOPE}, **properties}
    texts = {name: text for name, value in found.items() if (text := _text(value)) is not None}
    associations = record.get("associations")
    if isinstance(associations, Mapping):
        for name, linked in associations.items():
            results = linked.get("results") if isinstance(linked, Mapping) else None
            if isinstance(results, list):
                texts[f"associations.{name}"] = ";".join(_ids(results))
    return texts


_ENVELOPE = ("createdAt", "updatedAt", "archived")


def _ids(results: list[Any]) -> list[str]:
    linked = [one for one in results if isinstance(one, Mapping) and one.get("id") is not None]
    linked.sort(key=lambda one: str(one.get("type", "")).endswith("_unlabeled"))
    return list(dict.fromkeys(str(one["id"]) for one in linked))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, dict | list):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)
