"""The HTTP contract: routes, errors and OpenAPI, as one typed ASGI application without BentoML.

``create_api`` needs a champion in ``api.state.champion`` before the first request.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from anyio import to_thread
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic_core import to_json
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import Response

from features.catalogue import as_documents, entries
from features.histories.tables import Reject
from features.matrix import indicators_of
from serving.answers import NOTHING_MORE, document, moment
from serving.champion import Champion
from serving.predictor import NothingToScore, TooManyAccounts, score_records
from serving.problems import PROBLEM_JSON, Fault, Problem, pointer, problem
from serving.schemas import MOST_ACCOUNTS, ModelInfo, ScoreRequest, ScoreResponse

INLINE_ROWS = 2_000
"""Requests of more rows than this are worked on in a thread, so that probes and others are answered meanwhile."""

MOST_FAULTS = 100
"""Faults and rejected rows told of one request."""

_ERRORS = {
    400: "The body is no JSON.",
    401: "No valid key, where the service asks for one.",
    404: "No such path.",
    405: "The path does not take this method; the header Allow says which it takes.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    422: "The request is not as described, or none of its rows is.",
    500: "Something went wrong here.",
}

DESCRIPTION = """Risk of leaving and stage of client accounts, with the reasons.

A figure that is not known is `null`, which means neither zero nor bad. Errors are problem details (RFC 9457). Where the
service asks for a key, send it as `Authorization: Bearer KEY` or as `X-API-Key: KEY`."""


def create_api() -> FastAPI:
    """The application, without a champion yet."""
    api = FastAPI(
        title="Rapport",
        version="1",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        exception_handlers={
            RequestValidationError: _invalid,
            StarletteHTTPException: _refused,
            Exception: _failed,
        },
    )
    api.post(
        "/v1/score",
        summary="Score accounts",
        response_model=ScoreResponse,
        responses=_problems(400, 401, 413, 415, 422, 500),
        dependencies=[Depends(_json_only)],
        operation_id="score",
    )(score)
    api.get(
        "/v1/model",
        summary="The model that answers",
        response_model=ModelInfo,
        responses=_problems(401, 500),
        operation_id="model",
    )(model)
    api.openapi = partial(_openapi, api)  # type: ignore[method-assign]
    return api


async def _json_only(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "Send the request as JSON, with 'Content-Type: application/json'.")


def _champion(request: Request) -> Champion:
    champion: Champion = request.app.state.champion
    return champion


async def score(asked: ScoreRequest, champion: Annotated[Champion, Depends(_champion)]) -> Response:
    """The risk of each account within each horizon, its stage, and the reasons.

    Rows that cannot be read are turned away one by one and listed in `rejects`; the others count. At most
    1,000 accounts at a time.
    """
    known = champion.models.risk.horizons
    if asked.horizon is not None and asked.horizon not in known:
        allowed = ", ".join(str(horizon) for horizon in known)
        fault = Fault(where="/horizon", message=f"{asked.horizon}: this model knows {allowed} days")
        return problem(422, "The model does not know this horizon.", [fault])
    try:
        rows = sum(len(records) for records in asked.tables().values())
        work = partial(answer, champion, asked)
        body = work() if rows <= INLINE_ROWS else await to_thread.run_sync(work)
    except NothingToScore as error:
        return problem(422, f"Nothing can be scored: {error}.", _faults(error.rejects))
    except TooManyAccounts as error:
        return problem(422, f"Send fewer accounts: {error}.")
    return Response(body, media_type="application/json")


def answer(champion: Champion, asked: ScoreRequest) -> bytes:
    """The body of the answer to a request, as ``ScoreResponse`` describes it."""
    dataset = asked.declares.dataset()
    scores = score_records(
        champion.models, asked.tables(), dataset, asked.as_of, asked.horizon, asked.wishes(), MOST_ACCOUNTS
    )
    told = {
        "as_of": moment(asked.as_of),
        "model": champion.location.version,
        "accounts": [document(one, scores.closer.get(one.account_id, NOTHING_MORE)) for one in scores.predictions],
        "nothing_known": scores.nothing_known,
        "rejected": len(scores.rejects),
        "rejects": [
            {
                "field": one.file,
                "row": one.row,
                "column": _printable(one.column),
                "value": one.value,
                "allowed": one.allowed,
            }
            for one in scores.rejects[:MOST_FAULTS]
        ],
        "ignored": {table: [_printable(name) for name in names] for table, names in scores.ignored.items()},
    }
    # Unknown figures are None already; should a NaN slip through, it must not become invalid JSON.
    return to_json(told, inf_nan_mode="null")


async def model(champion: Annotated[Champion, Depends(_champion)]) -> dict[str, Any]:
    """Which model answers, what it was trained on, and what each of its columns means."""
    location, models = champion.location, champion.models
    return {
        "name": location.name,
        "version": location.version,
        "registered_at": moment(location.registered_at),
        "definition": models.risk.definition,
        "horizons": models.risk.horizons,
        "fingerprint": models.risk.fingerprint,
        "training": models.meta,
        "indicators": as_documents(entries(indicators_of(models.reference))),
    }


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        place = found[0]["loc"][-1]
        return problem(400, f"The body is no JSON: {found[0]['ctx']['error']} at character {place}.")
    faults = [
        Fault(where=_printable(pointer(one["loc"])), message=one["msg"].removeprefix("Value error, "))
        for one in found[:MOST_FAULTS]
    ]
    return problem(422, "The request is not as described.", faults)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    headers = None if error.headers is None else dict(error.headers)
    # Of these two Starlette says no more than the title does.
    detail = _ERRORS[error.status_code] if error.status_code in (404, 405) else str(error.detail)
    return problem(error.status_code, detail, headers=headers)


async def _failed(_: Request, error: Exception) -> Response:
    # The error itself goes to the log of the server and to nobody else.
    return problem(500, "Something went wrong here; the log of the server says what.")


def _faults(rejects: Sequence[Reject]) -> list[Fault]:
    return [
        Fault(
            where=_printable(pointer((one.file, one.row - 1, one.column))),
            message=f"{one.value!r} is not allowed: {one.allowed}",
        )
        for one in rejects[:MOST_FAULTS]
    ]


def _printable(name: str) -> str:
    """A name of the caller's that may hold half of a character pair, which no answer can carry."""
    return name.encode(errors="replace").decode()


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _ERRORS[status], "content": content} for status in statuses}


def _openapi(api: FastAPI) -> dict[str, Any]:
    if api.openapi_schema is None:
        schema = get_openapi(title=api.title, version=api.version, description=api.description, routes=api.routes)
        template = "#/components/schemas/{model}"
        described = Problem.model_json_schema(ref_template=template)
        schema["components"]["schemas"] |= described.pop("$defs") | {"Problem": described}
        schema["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        # The empty one: a service started without keys asks for none.
        schema["security"] = [{"bearer": []}, {"key": []}, {}]
        api.openapi_schema = schema
    return api.openapi_schema
