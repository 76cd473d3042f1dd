"""The grader of serve_a_model: black box, over HTTP, with a model that is trained anew for each seed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from statistics import median

import pytest

import at_once
import fuzzing
import wrong_bodies
from labs.checks import check, close, show
from model_maker import draw_transactions, make_model, slowed, with_metadata
from wrong_bodies import MAX_BATCH

ABS = 1e-5  # between the service's probability and the model's own
TURNS_PER_ROW = 6000  # about 5 ms a row for the slow model
SLOW_SECONDS = 0.45
TRIES = 3  # a crowded machine may spoil one measurement; a wrong design spoils all
LEAST_SHARE_OF_BARE = 0.08
MOST_P95_OF_BARE = 15.0


@pytest.fixture(scope="session")
def model(seed):
    return make_model(seed)


@pytest.fixture
def transactions(seed, rng):
    return draw_transactions(seed, rng, 60)


@pytest.fixture
def transaction(transactions):
    return transactions[0]


def fully_known(transactions):
    return [one for one in transactions if None not in one.values()]


def serve(work, path):
    """The service, started and perhaps not ready, with MODEL_PATH = `path`."""
    return work.serve("app.py:app", env={"MODEL_PATH": path})


def ready(work, model):
    """The service with `model` loaded."""
    service = serve(work, work.give("fraud.onnx", model.content))
    service.poll("/readyz", status=200)
    return service


def nowhere(work):
    """A path where a model may arrive later."""
    return f"{work.inputs}/arriving/fraud.onnx"


def unready(service, reason):
    """The reply of `/readyz` once the service has found out why it is not ready."""
    hint = "Answer 503 with a `reason` until the model is loaded."
    for _ in range(100):
        reply = service.get("/readyz").expect(
            status=503, json={"status": "not ready"}, keys={"reason"}, hint=hint
        )
        if reply.json()["reason"] != "model_loading":
            break
        at_once.wait(0.05)
    return reply.expect(
        json={"reason": reason}, hint="Tell a file that is not there from one that cannot be used."
    )


def broken_files(model, rng):
    """Three files that are no model for this service."""
    yield "noise", rng.bytes(20_000)
    yield "half of the file", model.content[: len(model.content) // 2]
    stranger = [*model.features[:-1], "payer_score"]
    yield "a model that asks for a feature `payer_score`", with_metadata(model, features=stranger).content


# Alive and ready


@check(points=1)
def stays_alive_without_a_model(work):
    """starts without a model file, and answers `GET /healthz` with 200"""
    hint = "Whether the process lives has nothing to do with the model: load the model after the start."
    serve(work, nowhere(work)).get("/healthz").expect(status=200, json={"status": "ok"}, hint=hint)


@check(points=1, after=stays_alive_without_a_model)
def says_why_it_is_not_ready(work):
    """says on `GET /readyz` why it is not ready"""
    unready(serve(work, nowhere(work)), "model_missing")


@check(points=1, after=stays_alive_without_a_model)
def refuses_to_guess_without_a_model(work, transaction):
    """answers predictions with 503 while there is no model"""
    service = serve(work, nowhere(work))
    hint = "No model, no number: a made-up probability lets fraud through and nobody sees it."
    service.post("/predict", json=transaction).expect(status=503, hint=hint)
    service.post("/predict/batch", json={"transactions": [transaction]}).expect(status=503, hint=hint)


@check(points=1, after=stays_alive_without_a_model)
def gets_ready_with_its_model(work, model):
    """gets ready by itself when the model file is there"""
    reply = serve(work, work.give("fraud.onnx", model.content)).poll("/readyz", status=200)
    reply.expect(json={"status": "ready"}, keys={"model_version"})


@check(points=1, after=gets_ready_with_its_model)
def gets_ready_when_the_model_arrives(work, model, transaction):
    """gets ready by itself when the model file arrives after the start"""
    service = serve(work, nowhere(work))
    service.get("/readyz").expect(status=503)
    work.give("arriving/fraud.onnx", model.content)
    service.poll("/readyz", status=200, timeout=10).expect(
        json={"status": "ready", "model_version": model.version}
    )
    service.post("/predict", json=transaction).expect(status=200)


@check(points=1, after=stays_alive_without_a_model)
def survives_a_broken_model(work, model, rng, transaction):
    """stays alive and not ready with a model file that it cannot use"""
    for number, (_kind, content) in enumerate(broken_files(model, rng)):
        service = serve(work, work.give(f"{number}.onnx", content))
        unready(service, "model_invalid")
        service.post("/predict", json=transaction).expect(
            status=503, hint="It is not a model: do not predict with it."
        )
        service.get("/healthz").expect(
            status=200, hint="A new process would find the same file: do not ask for one."
        )


@check(points=1, after=stays_alive_without_a_model)
def keeps_its_insides_to_itself(work, rng, transaction):
    """shows callers neither a path of the server nor a traceback"""
    service = serve(work, work.give("secret_place/fraud.onnx", rng.bytes(5_000)))
    unready(service, "model_invalid")
    for reply in (service.get("/readyz"), service.post("/predict", json=transaction)):
        for inside in ("secret_place", "Traceback", "site-packages"):
            reply.require(
                inside not in reply.text,
                wanted="a reply that says nothing about the server's inside",
                got=f"a reply with `{inside}` in it",
                hint="Log the exception for yourself; give callers a word from the contract.",
            )


# Predictions


def expect_probability(reply, found, wanted):
    number = isinstance(found, float) or show(found) in ("0", "1")
    reply.require(
        number and close(found, wanted, rel=0, abs=ABS),
        wanted=f"the model's own probability, to within {ABS:.5f}",
        got="another number" if number else f"no probability: {show(found, 40)}",
        hint="Compare with the model by hand: which output, which column, which order of features?",
        measured=f"{show(found, 40)} instead of {wanted:.6f}",
    )


def predict(service, transaction):
    keys = {"transaction_id", "fraud_probability", "decision", "model_version"}
    return service.post("/predict", json=transaction).expect(status=200, keys=keys)


@check(points=3, after=gets_ready_with_its_model)
def predicts_like_the_model(work, model, transactions):
    """returns the model's own probability for transactions it never saw"""
    service = ready(work, model)
    known = fully_known(transactions)
    same_id = [{**one, "transaction_id": known[0]["transaction_id"]} for one in known[:3]]
    rows = known + same_id
    for one, wanted in zip(rows, model.probabilities(rows), strict=True):
        reply = predict(service, one)
        expect_probability(reply, reply.json()["fraud_probability"], wanted)


@check(points=1, after=predicts_like_the_model)
def passes_null_on_as_missing(work, model, transactions):
    """passes `null` to the model as a missing value"""
    service = ready(work, model)
    partly_known = [one for one in transactions if None in one.values()]
    for one, wanted in zip(partly_known, model.probabilities(partly_known), strict=True):
        reply = predict(service, one)
        expect_probability(reply, reply.json()["fraud_probability"], wanted)


@check(points=1, after=predicts_like_the_model)
def decides_as_the_file_says(work, model, transactions):
    """blocks from the threshold on that the model file holds"""
    known = fully_known(transactions)
    chances = sorted(model.probabilities(known))
    middle = len(chances) // 2
    for threshold in (median(chances[middle - 1 : middle + 1]), median(chances[-2:])):
        moved = with_metadata(model, threshold=threshold)
        service = serve(work, work.give(f"{threshold}.onnx", moved.content))
        service.poll("/readyz", status=200)
        for one, chance in zip(known, model.probabilities(known), strict=True):
            hint = "The threshold is in the file's metadata: from it on, block."
            predict(service, one).expect(json={"decision": moved.decision(chance)}, hint=hint)


@check(points=1, after=gets_ready_with_its_model)
def names_the_model_and_the_transaction(work, model, transactions):
    """names the file's `model_version` and the `transaction_id` in replies"""
    service = ready(work, model)
    hint = "Read the version from the file: it changes with every training."
    one = transactions[0]
    asked = {"transaction_id": one["transaction_id"], "model_version": model.version}
    predict(service, one).expect(json=asked, hint=hint)
    batch = service.post("/predict/batch", json={"transactions": transactions[:3]})
    batch.expect(status=200, json={"model_version": model.version}, keys={"predictions"}, hint=hint)


@check(points=2, after=predicts_like_the_model)
def answers_a_batch_like_singles(work, model, transactions):
    """gives a batch the same answers, in the same order, as singles"""
    service = ready(work, model)
    reply = service.post("/predict/batch", json={"transactions": transactions})
    found = reply.expect(status=200, keys={"predictions"}).json()["predictions"]
    reply.require(
        isinstance(found, list)
        and len(found) == len(transactions)
        and all(isinstance(one, dict) for one in found),
        wanted=f"a list of {len(transactions)} predictions",
        got="something else",
        hint="One object per transaction, in the order of the request.",
    )
    singles = [predict(service, one).json() for one in transactions]
    for number, (alone, together) in enumerate(zip(singles, found, strict=True)):
        for key in ("transaction_id", "decision"):
            reply.require(
                together.get(key) == alone[key],
                wanted=f"the same `{key}` as alone, in the same place",
                got=f"another one in place {number}",
                hint="Each row is scored by itself, and rows keep their order.",
            )
        expect_probability(reply, together.get("fraud_probability"), alone["fraud_probability"])


# What it refuses


@check(points=2, after=gets_ready_with_its_model)
def rejects_a_negative_amount(work, model, transaction, rng):
    """refuses a transaction whose `amount_paise` is negative"""
    wrong = {**transaction, "amount_paise": -int(rng.integers(1, 1_000_000))}
    hint = "Constrain the field in the request model."
    service = ready(work, model)
    service.post("/predict", json=wrong).expect(status=422, hint=hint)
    service.post("/predict/batch", json={"transactions": [transaction, wrong]}).expect(status=422, hint=hint)


@check(points=2, after=gets_ready_with_its_model)
def rejects_what_is_no_transaction(work, model, transaction, rng):
    """refuses wrong types and ranges, missing fields and unknown fields"""
    service = ready(work, model)
    for field, value in wrong_bodies.wrong_fields(rng):
        hint = f"Look up `{field}` in the contract: a number in quotes is text, and `true` is no number."
        service.post("/predict", json={field: value, **without(transaction, field)}).expect(
            status=422, hint=hint
        )
    for field in sorted(transaction):
        hint = "Every field must be there; some may be `null`."
        service.post("/predict", json=without(transaction, field)).expect(status=422, hint=hint)
    for misspelt in ("amount_paisa", "Channel", "device_age"):
        hint = "A field that is ignored today is a bug report in a month: forbid what the contract does not name."
        service.post("/predict", json={misspelt: 1, **transaction}).expect(status=422, hint=hint)


def without(transaction, field):
    return {name: value for name, value in transaction.items() if name != field}


@check(points=1, after=gets_ready_with_its_model)
def says_which_field_is_wrong(work, model, transactions, rng):
    """says where the mistake is, and does not repeat what was sent"""
    service = ready(work, model)
    place, secret = int(rng.integers(1, 5)), int(rng.integers(10**12, 10**13))
    wrong = {**transactions[place], "amount_paise": -secret}
    alone = service.post("/predict", json=wrong).expect(status=422)
    batch = [*transactions[:place], wrong, *transactions[place + 1 : 6]]
    together = service.post("/predict/batch", json={"transactions": batch}).expect(status=422)
    for reply, path in ((alone, ["amount_paise"]), (together, ["transactions", place, "amount_paise"])):
        detail = reply.expect(keys={"detail"}).json()["detail"]
        problems = [one for one in detail if isinstance(one, dict)] if isinstance(detail, list) else []
        paths = [list(one["loc"])[-len(path) :] for one in problems if isinstance(one.get("loc"), list)]
        reply.require(
            path in paths,
            wanted=f"a `loc` in `detail` that ends in {path}",
            got="none",
            hint="pydantic says where each problem is: pass its `loc` on.",
        )
        reply.require(
            str(secret) not in reply.text,
            wanted="a reply without the value that was sent",
            got="a reply that repeats it",
            hint="Replies end up in logs, and payments are personal data: leave `input` out.",
        )


@check(points=2, after=gets_ready_with_its_model)
def survives_what_is_no_json(work, model, transaction):
    """answers a body that is no JSON object with 400 or 422"""
    service = ready(work, model)
    for kind, body in wrong_bodies.not_json({**transaction, "payer_account_age_days": 12.5}):
        reply = replace(service.post("/predict", content=body), did=f"POST /predict with {kind}")
        reply.expect(status={400, 422}, hint="Send this body yourself and read the server's log.")
    service.post("/predict", json=transaction).expect(
        status=200, hint="After bad requests, good ones must still work."
    )


@check(points=1, after=gets_ready_with_its_model)
def refuses_other_content(work, model, transaction):
    """answers a body that is not declared as `application/json` with 415"""
    service = ready(work, model)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonlines"):
        reply = service.post("/predict", json=transaction, headers={"Content-Type": kind})
        replace(reply, did=f"POST /predict as {kind}").expect(
            status=415, hint="Look at the Content-Type first."
        )
    for kind in ("application/json; charset=utf-8", "Application/JSON"):
        reply = service.post("/predict", json=transaction, headers={"Content-Type": kind})
        replace(reply, did=f"POST /predict as {kind}").expect(
            status=200, hint="This is application/json as well."
        )


@check(points=1, after=gets_ready_with_its_model)
def limits_the_body(work, model, transaction):
    """answers a body above 1 MiB with 413, announced or not"""
    service = ready(work, model)
    large = wrong_bodies.padded(transaction, wrong_bodies.TEN_MEGABYTES)
    service.post("/predict", content=large, timeout=20).expect(
        status=413, hint="Stop at the limit: do not parse it."
    )
    pieces = {"Transfer-Encoding": "chunked"}
    reply = service.post("/predict", content=wrong_bodies.chunked(large), headers=pieces, timeout=20)
    reply = replace(reply, did="POST /predict with 10 MB in pieces, without Content-Length")
    reply.expect(status=413, hint="Content-Length is only a promise: count what arrives.")
    fair = wrong_bodies.padded(transaction, wrong_bodies.CHUNK * 8)
    reply = service.post("/predict", content=wrong_bodies.chunked(fair), headers=pieces)
    replace(reply, did="POST /predict with half a MiB in pieces").expect(status=200)


@check(points=1, after=gets_ready_with_its_model)
def limits_the_batch(work, model, transaction):
    """accepts batches of 1 to 500 transactions, and no others"""
    service = ready(work, model)
    for count, status in ((0, 422), (1, 200), (MAX_BATCH, 200), (MAX_BATCH + 1, 422)):
        reply = service.post("/predict/batch", json={"transactions": [transaction] * count}, timeout=20)
        reply = replace(reply, did=f"POST /predict/batch with {count} transactions")
        reply.expect(status=status, hint="Constrain the length of the list in the request model.")


# What it says of itself


@check(points=1, after=gets_ready_with_its_model)
def documents_what_it_answers(work, model, transaction, seed):
    """documents what it takes and every status of the contract in `/openapi.json`"""
    reply = ready(work, model).get("/openapi.json").expect(status=200)
    routes = {("GET", "/healthz"): (200,), ("GET", "/readyz"): (200, 503)}
    routes |= {("POST", path): (200, 413, 415, 422, 503) for path in ("/predict", "/predict/batch")}
    for (method, path), statuses in routes.items():
        named = fuzzing.documented(reply, method, path)
        missing = [status for status in statuses if not fuzzing.covers(named, status)]
        reply.require(
            not missing,
            wanted=f"statuses {', '.join(map(str, statuses))} for {method} {path}",
            got=f"nothing about {', '.join(map(str, missing))}",
            hint="FastAPI cannot see what you raise: declare it with `responses=`.",
        )
    alone, batch = (fuzzing.bodies(reply, path, seed)[0] for path in ("/predict", "/predict/batch"))
    rows = batch.get("transactions") if isinstance(batch, dict) else None
    taken = [alone, *(rows if isinstance(rows, list) else [None])]
    reply.require(
        all(isinstance(one, dict) and transaction.keys() <= one.keys() for one in taken),
        wanted="the ten fields of a transaction, as what the prediction routes take",
        got="a document without them",
        hint="FastAPI reads the body's schema from the route's annotations; elsewhere you write it yourself.",
    )


@check(points=3, after=documents_what_it_answers)
def answers_as_it_documents(work, model, seed):
    """answers requests made from its own `/openapi.json` as documented"""
    service = ready(work, model)
    document = service.get("/openapi.json").expect(status=200)
    for path in ("/predict", "/predict/batch"):
        named = fuzzing.documented(document, "POST", path)
        for body in fuzzing.bodies(document, path, seed):
            reply = service.post(path, json=body)
            replace(reply, did=f"POST {path} with bodies made from /openapi.json").require(
                reply.status < 500 and fuzzing.covers(named, reply.status),
                wanted="a status below 500 that the document names",
                got=f"status {reply.status}",
                hint="Send the body shown here yourself: the smallest and the largest allowed values are among them.",
                measured=show(body),
            )


# Under load, and at the end


@check(points=3, after=answers_a_batch_like_singles)
def keeps_answering_during_a_batch(work, model, seed, rng):
    """answers `GET /healthz` at once while a large batch is scored"""
    service = ready(work, slowed(model, TURNS_PER_ROW))
    rows, _ = at_once.rows_for(service, draw_transactions(seed, rng, MAX_BATCH), SLOW_SECONDS)
    for _ in range(TRIES):
        both = at_once.while_busy(service, {"transactions": rows})
        both.slow.expect(status=200)
        if both.longest < both.slow.seconds / 3:
            return
    replace(both.slow, did="GET /healthz during a POST /predict/batch").fail(
        wanted="a reply while the batch is still being scored",
        got="a reply only when the batch was done",
        hint="One long call in `async def` stops everybody: where else could it run?",
        measured=f"/healthz took up to {both.longest:.2f} s, the batch {both.slow.seconds:.2f} s",
    )


@check(points=2, after=predicts_like_the_model)
def keeps_callers_apart(work, model, transactions):
    """gives each of many callers at the same time their own answer"""
    service = ready(work, slowed(model, TURNS_PER_ROW))
    known = fully_known(transactions)[:32]
    wanted = model.probabilities(known)
    replies = at_once.side_by_side(lambda one: predict(service, one), known, threads=8)
    for one, reply, probability in zip(known, replies, wanted, strict=True):
        reply = replace(reply, did="POST /predict from 8 callers at the same time")
        body = reply.json()
        reply.require(
            body["transaction_id"] == one["transaction_id"]
            and isinstance(body["fraud_probability"], float)
            and close(body["fraud_probability"], probability, rel=0, abs=ABS),
            wanted="everybody's own `transaction_id` and probability",
            got="an answer that belongs to somebody else",
            hint="Look for something that two requests write to: a global, a buffer, an attribute.",
        )


@check(points=2, after=answers_a_batch_like_singles)
def finishes_what_it_began(work, model, seed, rng):
    """answers the request that it is working on when SIGTERM comes"""
    slow = slowed(model, TURNS_PER_ROW)
    drawn = draw_transactions(seed, rng, MAX_BATCH)
    for _ in range(TRIES):
        service = ready(work, slow)
        rows, seconds = at_once.rows_for(service, drawn, SLOW_SECONDS)
        with ThreadPoolExecutor(1) as pool:
            last = at_once.begin(pool, service, {"transactions": rows})
            at_once.wait(seconds / 2)
            in_time = not last.done()
            ended = service.stop("SIGTERM", timeout=at_once.PATIENCE)
        if in_time and last.exception() is None and last.result().status == 200:
            found = last.result().expect(keys={"predictions"}).json()["predictions"]
            ended.require(
                isinstance(found, list) and len(found) == len(rows),
                wanted="a prediction for each transaction of the batch",
                got="fewer",
            )
            return
    ended.fail(
        wanted="the reply to the batch that was being scored, then the end",
        got="no reply",
        hint="uvicorn already waits for running requests on SIGTERM: see what of yours ends the process before.",
    )


@check(points=1, after=stays_alive_without_a_model)
def ends_when_it_is_told(work):
    """ends within 5 seconds of SIGTERM, also while it waits for a model"""
    service = serve(work, nowhere(work))
    unready(service, "model_missing")
    ended = service.stop("SIGTERM", timeout=5)
    ended.require(
        not ended.killed,
        wanted="the process ends",
        got="it is still running after 5 s",
        hint="Something waits for ever: a task, a thread or a loop that nobody tells to stop.",
    )


@check(points=3, after=predicts_like_the_model)
def keeps_up_with_its_callers(work, model, transactions):
    """answers at least 8 % as many requests per second as a bare route"""
    service = ready(work, model)
    crowd = service.load("POST", "/predict", bodies=transactions, concurrency=16, requests=200)
    bare, own = at_once.paces((work.peer("bare.py:app"), service), transactions, enough=keeps_up)
    for found in (crowd, own):
        service.require(
            not found.errors and set(found.statuses) == {200},
            wanted="status 200 for each of many good requests",
            got=f"statuses {sorted(found.statuses)}" + (" and broken connections" if found.errors else ""),
        )
    service.require(
        keeps_up(bare, own),
        wanted=f"at least {LEAST_SHARE_OF_BARE:.0%} of a bare route's requests per second, and p95 below "
        f"{MOST_P95_OF_BARE:.0f} times its own",
        got="a service that is slower than that",
        hint="What does every request do that one start could do once?",
        measured=f"{bare.p50_ms / own.p50_ms:.1%} of the bare route's requests per second, "
        f"p95 {own.p95_ms / bare.p95_ms:.0f} times its own",
    )


def keeps_up(bare, own):
    return bare.p50_ms / own.p50_ms >= LEAST_SHARE_OF_BARE and own.p95_ms / bare.p95_ms <= MOST_P95_OF_BARE
