"""Errors as RFC 9457 problem details: one document for every way in which a request can fail."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import Response

PROBLEM_JSON = "application/problem+json"


class Fault(BaseModel):
    """One thing that is wrong with a request, and where."""

    where: str = Field(description="JSON pointer into the request body, or the name of the header.")
    message: str = Field(description="What is wrong, and what is allowed.")


class Problem(BaseModel):
    """A problem detail (RFC 9457)."""

    type: str = Field(default="about:blank", description="The kind of problem; `about:blank`: see `status`.")
    title: str = Field(description="The meaning of the status, the same for every problem of this kind.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What went wrong this time, and what to do about it.")
    faults: list[Fault] = Field(default=[], description="Each fault of the request, where there are several.")


def problem(
    status: int, detail: str, faults: list[Fault] | None = None, headers: dict[str, str] | None = None
) -> Response:
    """The response that says what went wrong.

    >>> problem(413, "More than 3 bytes.").body
    b'{"type":"about:blank","title":"Content Too Large","status":413,"detail":"More than 3 bytes."}'
    """
    document = Problem(title=_title(status), status=status, detail=detail, faults=faults or [])
    content = document.model_dump_json(exclude=None if faults else {"faults"})
    return Response(content, status_code=status, headers=headers, media_type=PROBLEM_JSON)


def _title(status: int) -> str:
    # Python 3.13 renamed these two after RFC 9110; the same words on every version.
    renamed = {413: "Content Too Large", 422: "Unprocessable Content"}
    return renamed.get(status, HTTPStatus(status).phrase)


def pointer(place: tuple[Any, ...]) -> str:
    """A pydantic error's place as a JSON pointer.

    >>> pointer(("body", "interactions", 3, "a/b"))
    '/interactions/3/a~1b'
    """
    parts = place[1:] if place[:1] == ("body",) else place
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
