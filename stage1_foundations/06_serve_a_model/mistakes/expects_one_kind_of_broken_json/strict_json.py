"""A FastAPI route that parses the body by hand."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, get_type_hints

import orjson
from fastapi import Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import ValidationError

MAX_PROBLEMS = 20  # in one 422 reply: enough to mend a body, too few to fill a log


class StrictJsonRoute(APIRoute):
    """For endpoints `async def f(body: SomeModel) -> SomeTypedDict`; routes without a body stay as they are.

    OpenAPI comes from the annotations, as always.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        if self.body_field is None:
            return super().get_route_handler()
        endpoint: Callable[[Any], Awaitable[Any]] = self.endpoint
        (body_type,) = (hint for name, hint in get_type_hints(endpoint).items() if name != "return")

        async def handle(request: Request) -> Response:
            try:
                body = body_type.model_validate(json.loads(await request.body()))
            except json.JSONDecodeError:
                return JSONResponse({"detail": "The body is no JSON."}, status_code=422)
            except ValidationError as error:
                return explain(error)
            return Response(orjson.dumps(await endpoint(body)), media_type="application/json")

        return handle


def explain(error: ValidationError) -> JSONResponse:
    """Which field is wrong, and why. Never the value: it may be personal data."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)[:MAX_PROBLEMS]
    return JSONResponse({"detail": [{"loc": p["loc"], "msg": p["msg"]} for p in problems]}, status_code=422)
