"""The online fraud service in one file: Starlette, one pipelined Redis connection, and metrics written by hand."""

import asyncio
import bisect
import contextlib
import json
import math
import os
import time
import urllib.parse

import hiredis
import numpy
import onnxruntime
import orjson
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

ENV = os.environ
TIMEOUT = float(ENV.get("LOOKUP_TIMEOUT_MS", "30")) / 1e3
CACHE_SECONDS = float(ENV.get("CACHE_SECONDS", "30"))
STALE_SECONDS = float(ENV.get("STALE_SECONDS", "1800"))
MAX_IN_FLIGHT = int(ENV.get("MAX_IN_FLIGHT", "64"))
WARM_UP_SECONDS = float(ENV.get("WARM_UP_SECONDS", "10"))
NAMES = [b"payer_account_age_days", b"payer_txn_count_24h", b"payer_mean_amount_30d_paise", b"event_time"]
LIMITS = [(float, 36_500), (int, 100_000), (float, 10_000_000)]
DEFAULTS = (365.0, 2, 20_000.0)
CHANNELS = ("qr", "intent", "collect", "autopay")


# Metrics


class Histogram:
    def __init__(self, name, bounds):
        self.name, self.bounds, self.series = name, bounds, {}

    def observe(self, seconds, label=""):
        series = self.series.setdefault(label, [[0] * (len(self.bounds) + 1), 0.0])
        series[0][bisect.bisect_left(self.bounds, seconds)] += 1
        series[1] += seconds

    def lines(self):
        yield f"# TYPE {self.name} histogram"
        for label, (counts, total) in self.series.items():
            so_far = 0
            for bound, count in zip([*map(str, self.bounds), "+Inf"], counts, strict=True):
                so_far += count
                yield f'{self.name}_bucket{{{label}{"," * bool(label)}le="{bound}"}} {so_far}'
            braces = f"{{{label}}}" if label else ""
            yield f"{self.name}_sum{braces} {total}"
            yield f"{self.name}_count{braces} {so_far}"


OBJECTIVES = [0.002, 0.005, 0.01, 0.02, 0.04, 0.05, 0.0625, 0.075, 0.096, 0.12, 0.15, 0.25, 0.5, 1.0, 3.0]
requests = Histogram("fraud_request_duration_seconds", OBJECTIVES)
lookups = Histogram("fraud_lookup_duration_seconds", [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5])
counters = {"fraud_shed_total": 0, 'fraud_cache_requests_total{result="hit"}': 0}
in_flight = 0


def count(series):
    counters[series] = counters.get(series, 0) + 1


async def metrics(request):
    lines = [
        *requests.lines(),
        *lookups.lines(),
        "# TYPE fraud_in_flight gauge",
        f"fraud_in_flight {in_flight}",
    ]
    for family in sorted({series.partition("{")[0] for series in counters}):
        lines.append(f"# TYPE {family} counter")
        lines += [f"{one} {value}" for one, value in counters.items() if one.partition("{")[0] == family]
    return Response("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


# Redis: one connection, questions and answers in order


class Down(Exception):
    pass


class Redis:
    def __init__(self, url):
        where = urllib.parse.urlsplit(url)
        self.address = (where.hostname, where.port or 6379)
        self.password, self.database = where.password, where.path.strip("/") or "0"
        self.writer, self.waiting, self.opening = None, [], asyncio.Lock()
        self.failed, self.rest_until = 0, 0.0

    async def open(self):
        async with self.opening:
            if self.writer is None:
                reader, self.writer = await asyncio.open_connection(*self.address)
                self.task = asyncio.create_task(self.listen(reader, self.writer))
                hello = [(b"AUTH", self.password.encode())] if self.password else []
                for words in [*hello, (b"SELECT", self.database.encode())]:
                    self.send(words)

    async def listen(self, reader, writer):
        parser = hiredis.Reader()
        with contextlib.suppress(OSError, hiredis.ProtocolError):
            while data := await reader.read(65536):
                parser.feed(data)
                while (found := parser.gets()) is not False:
                    waiter = self.waiting.pop(0)
                    if not waiter.done():
                        waiter.set_result(found)
        if self.writer is writer:
            self.drop()

    def drop(self):
        if self.writer is not None:
            self.writer.close()
        waiting, self.writer, self.waiting = self.waiting, None, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_exception(Down())
                waiter.exception()

    def send(self, words):
        waiter = asyncio.get_running_loop().create_future()
        self.waiting.append(waiter)
        self.writer.write(hiredis.pack_command(words))
        return waiter

    async def ask(self, *words):
        """The answer in time, or Down. An error about one key comes back as a hiredis error."""
        now = time.monotonic()
        if self.failed >= 4:
            if now < self.rest_until:
                raise Down
            self.rest_until = now + 1.0
        try:
            async with asyncio.timeout(TIMEOUT):
                if self.writer is None:
                    await self.open()
                answer = await self.send(words)
            if isinstance(answer, hiredis.ReplyError) and not str(answer).startswith(("WRONGTYPE", "NOPERM")):
                raise Down
        except (OSError, Down) as error:  # TimeoutError is an OSError
            if not isinstance(error, Down):
                self.drop()
            self.failed += 1
            self.rest_until = time.monotonic() + 1.0
            raise Down from None
        self.failed = 0
        return answer


def features_from(answer):
    """(values, event time in seconds), or the reason why there are none."""
    if not isinstance(answer, list):
        return "invalid"
    if answer == [None] * 4:
        return "missing"
    try:
        values = tuple(kind(text) for (kind, _), text in zip(LIMITS, answer, strict=False))
        moment = int(answer[3]) / 1000
    except (TypeError, ValueError):
        return "invalid"
    fine = all(0 <= value <= most for value, (_, most) in zip(values, LIMITS, strict=True))
    return (values, moment) if fine else "invalid"


cache = {}  # payer -> (read at, (values, event time))


async def look_up(payer):
    entry = cache.get(payer)
    if entry and time.monotonic() - entry[0] <= CACHE_SECONDS:
        count('fraud_cache_requests_total{result="hit"}')
        return "cached", entry[1]
    count('fraud_cache_requests_total{result="miss"}')
    asked = time.monotonic()
    resting = service.redis.failed >= 4 and asked < service.redis.rest_until
    try:
        found = features_from(await service.redis.ask(b"HMGET", b"fraud:payer:%d" % payer, *NAMES))
    except Down:
        found = "unavailable"
    if not resting:
        lookups.observe(time.monotonic() - asked)
    if isinstance(found, str):
        count(f'fraud_fallbacks_total{{reason="{found}"}}')
        return "fallback", (DEFAULTS, math.inf)
    if len(cache) > 50_000:
        cache.clear()
    cache[payer] = (asked, found)
    return "fresh", found


# The model


class Scorer:
    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        about = self.session.get_modelmeta().custom_metadata_map
        self.version, self.threshold = about["version"], float(about["threshold"])
        self.columns, self.channels = json.loads(about["features"]), json.loads(about["channels"])

    def __call__(self, facts):
        facts["channel"] = self.channels.index(facts["channel"])
        row = [math.nan if facts[name] is None else facts[name] for name in self.columns]
        answer = self.session.run(["probabilities"], {"features": numpy.array([row], dtype=numpy.float32)})
        return float(answer[0][0, 1])


def whole(least, most):
    return lambda value: type(value) is int and least <= value <= most


def number(most):
    return lambda value: value is None or (type(value) in (int, float) and 0 <= value <= most)


RULES = {
    "transaction_id": whole(0, 2**53 - 1),
    "payer_id": whole(0, 2**53 - 1),
    "amount_paise": whole(1, 10_000_000),
    "channel": lambda value: isinstance(value, str) and value in CHANNELS,
    "hour_ist": whole(0, 23),
    "payer_merchant_is_new": lambda value: isinstance(value, bool),
    "device_age_days": number(36_500),
    "distance_km": number(25_000),
}


# The service


class Service:
    scorer = None
    warm = False
    redis = None


service = Service()


def answer(body, status=200, **headers):
    return Response(orjson.dumps(body), status, headers, "application/json")


async def predict(request):
    try:
        facts = orjson.loads(await request.body())
        wrong = set(facts) ^ set(RULES) or [name for name, fits in RULES.items() if not fits(facts[name])]
    except (ValueError, TypeError):
        return answer({"detail": "no JSON object"}, 422)
    if wrong:
        return answer({"detail": sorted(map(str, wrong))}, 422)
    scorer = service.scorer
    if scorer is None:
        return answer({"detail": "no model"}, 503, **{"Retry-After": "1"})
    origin, (values, moment) = await look_up(facts["payer_id"])
    if time.time() - moment > STALE_SECONDS:
        origin = "stale"
    facts.update(zip((name.decode() for name in NAMES[:3]), values, strict=True))
    probability = scorer(facts)
    return answer(
        {
            "transaction_id": facts["transaction_id"],
            "fraud_probability": probability,
            "decision": ("allow", "block")[probability >= scorer.threshold],
            "model_version": scorer.version,
            "features": origin,
        }
    )


async def healthz(request):
    return answer({"status": "ok"})


async def readyz(request):
    if service.scorer and service.warm:
        return answer({"status": "ready", "model_version": service.scorer.version})
    return answer({"status": "not ready", "reason": "cache" if service.scorer else "model"}, 503)


async def warm_up():
    deadline = time.monotonic() + WARM_UP_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(Down):
            for name in await service.redis.ask(b"LRANGE", b"fraud:hot_payers", b"0", b"-1"):
                asked = time.monotonic()
                found = features_from(await service.redis.ask(b"HMGET", b"fraud:payer:" + name, *NAMES))
                if not isinstance(found, str):
                    cache[int(name)] = (asked, found)
            break
        await asyncio.sleep(0.1)
    service.warm = True


async def load():
    while service.scorer is None:
        try:
            service.scorer = await asyncio.to_thread(Scorer, ENV.get("MODEL_PATH", "fraud.onnx"))
        except Exception as error:
            print("no model:", error)
            await asyncio.sleep(0.3)


@contextlib.asynccontextmanager
async def lifespan(app):
    service.redis = Redis(ENV.get("REDIS_URL", "redis://127.0.0.1:6379/0"))
    tasks = [asyncio.create_task(one()) for one in (load, warm_up)]
    yield
    for task in tasks:
        task.cancel()
    service.redis.drop()


routes = [
    Route("/predict", predict, methods=["POST"]),
    *(Route(f"/{one.__name__}", one) for one in (healthz, readyz, metrics)),
]
inner = Starlette(routes=routes, lifespan=lifespan)


async def app(scope, receive, send):
    """Times and limits `/predict`; all else goes straight through."""
    global in_flight
    if scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", "/predict"):
        return await inner(scope, receive, send)
    began, seen = time.perf_counter(), []

    async def watch(message):
        if message["type"] == "http.response.start":
            seen.append(message["status"])
        await send(message)

    full = in_flight >= MAX_IN_FLIGHT
    in_flight += not full
    try:
        if full:
            count("fraud_shed_total")
            await answer({"detail": "full"}, 503, **{"Retry-After": "2"})(scope, receive, watch)
        else:
            await inner(scope, receive, watch)
    finally:
        in_flight -= not full
        label = f'status="{(seen or [500])[0]}"'
        count(f"fraud_requests_total{{{label}}}")
        requests.observe(time.perf_counter() - began, label)
