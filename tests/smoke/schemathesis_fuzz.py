"""schemathesis: from an application's own OpenAPI it finds the route that answers 500, and clears the good one."""

import schemathesis
from fastapi import FastAPI
from hypothesis import given, settings
from schemathesis.checks import not_a_server_error

app = FastAPI()


@app.get("/good")
def good(n: int) -> int:
    return n


@app.get("/bad")
def bad(n: int) -> float:
    return 1 / (n if n < 0 else 0)


schema = schemathesis.openapi.from_asgi("/openapi.json", app)


def fuzz(path: str) -> None:
    @settings(max_examples=30, database=None, deadline=None)
    @given(case=schema[path]["GET"].as_strategy())
    def run(case: schemathesis.Case) -> None:
        case.call_and_validate(checks=[not_a_server_error])

    run()


fuzz("/good")
try:
    fuzz("/bad")
except ZeroDivisionError:  # an ASGI application's own exception comes through
    pass
else:
    raise AssertionError("the route that divides by zero was cleared")
