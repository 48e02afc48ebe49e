"""The BentoML service: a thin shell that loads the champion and mounts the HTTP contract of ``api``.

Start it with ``rapport serve``, or with ``bentoml serve serving.service:Rapport``.
"""

from __future__ import annotations

import gc
import os
from typing import Any, cast

import bentoml
from starlette.types import Receive, Scope, Send

from serving.api import answer, create_api
from serving.champion import Champion, Location, load_champion, open_champion
from serving.schemas import EXAMPLE, ScoreRequest
from serving.security import ApiKeys, BodyLimit, keys_from_environment, limit_from_environment

CHAMPION_VARIABLE = "RAPPORT_CHAMPION"
"""Holds the champion's location where whoever starts the service has found it already."""

api = create_api()


async def contract(scope: Scope, receive: Receive, send: Send) -> None:
    """The application as BentoML mounts it.

    BentoML looks into a FastAPI application for a matching route and answers itself where there is none, not with
    problem details. It does not look into a plain function.
    """
    await api(scope, receive, send)


# Off: BentoML labels its metrics with the paths that callers ask for, so that strangers decide how many there are.
@bentoml.service(name="rapport", metrics={"enabled": False}, logging={"access": {"enabled": False}})
@bentoml.asgi_app(contract)
class Rapport:
    """Answers with the champion."""

    def __init__(self) -> None:
        api.state.champion = _champion()
        # Loads the compiled kernels, which the first caller would wait for.
        answer(api.state.champion, ScoreRequest.model_validate(EXAMPLE))
        _spare_garbage_collection()


# The decorator makes a service of the class, of which type checkers know nothing.
_service = cast(Any, Rapport)
_service.add_asgi_middleware(ApiKeys, keys=keys_from_environment())
_service.add_asgi_middleware(BodyLimit, limit=limit_from_environment())


def _champion() -> Champion:
    located = os.environ.get(CHAMPION_VARIABLE)
    if located:
        return open_champion(Location.from_json(located))
    return load_champion(os.environ["MLFLOW_TRACKING_URI"])


def _spare_garbage_collection() -> None:
    """Keep the collector away from what stays: walking it takes 80 ms and more, in the middle of some request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)
