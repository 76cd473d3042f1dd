"""Watches what a Dockerfile and a .dockerignore make of a real working copy: without an engine, and with one."""

import posixpath
from dataclasses import replace

import pytest

import real_engine
from copying import ContextFile
from diagnosis import why_not
from labs.checks import check
from payments import draw_payments, same_answer
from pins import how_it_moves, wanted_of
from pip_commands import HASHED, INSTALLERS, name_of
from shell_words import COMPUTED
from signals import end_in_order
from submission import hand_in
from trial_start import OTHER_LOOPBACK, command_of, names_the_port
from working_copy import is_litter, is_private

ENGINE = ("docker engine",)
PYTHONS = ("3.11", "3.12", "3.13")
KB = 1024
MOST_CONTEXT = 256 * KB
MOST_SECONDS_UNNOTICED = 60
NOTHING = 0  # no answer at all
BAD_STATUSES = (400, 401, 404, 410, 418, 429, 451)


@pytest.fixture
def handed_in(work, seed):
    return hand_in(work, seed)


# What is sent to the builder, and whether it builds


@check(points=2)
def builds(handed_in):
    """goes through its build: every instruction is one, every file that it copies is there"""
    base, name = handed_in.build.final.base, handed_in.build.final.external or "scratch"
    musl = base is not None and base.libc == "musl"
    handed_in.about("FROM of the last stage").require(
        base is not None and not musl,
        wanted="the official `python` image on Debian, for the stage that becomes the image",
        got=f"`{name}`, which is Alpine Linux" if musl else f"`{name}`",
        hint="Alpine has another C library and another package manager: take a slim variant on Debian."
        if musl
        else "See the contract: which bases may the last stage stand on?",
    )
    handed_in.about("FROM of the last stage").require(
        base.python in ("", *PYTHONS),
        wanted=f"Python {', '.join(PYTHONS)}",
        got=f"`{name}`",
        hint="The packages of the lock were tested with these.",
    )


@check(points=2, after=builds)
def sends_no_secret(handed_in):
    """sends no secret of the working copy to the builder, however deep it lies"""
    found = sorted(path for path in handed_in.context if is_private(path))
    handed_in.about("docker build: the files that .dockerignore lets through").require(
        not found,
        wanted="no `.env*`, `*.pem`, `*.key`, no `pip.conf`, nothing of `.git`",
        got=f"{len(found)} of them, such as a file named `{_kind(found[0])}`" if found else "",
        hint=handed_in.why_sent(found[0]) if found else "",
    )


@check(points=1, after=builds)
def sends_a_small_context(handed_in):
    """sends at most 256 KiB to the builder"""
    total = sum(len(file.content) for file in handed_in.context.values())
    largest = max(handed_in.context, key=lambda path: len(handed_in.context[path].content), default="")
    handed_in.about("docker build: the files that .dockerignore lets through").require(
        total <= MOST_CONTEXT,
        wanted=f"at most {MOST_CONTEXT // KB} KiB",
        got=f"more; the largest file is `{largest}`",
        hint="Say what is needed rather than what is not: begin with `*`, then take files back in with `!`.",
        measured=f"{total // KB:,} KiB in {len(handed_in.context)} files",
    )


@check(points=1, after=builds)
def pins_its_bases(handed_in):
    """builds from images that cannot change under the same name"""
    for line, image in handed_in.build.images:
        why = how_it_moves(image)
        handed_in.about(f"Dockerfile line {line}: {image}").require(
            not why,
            wanted=wanted_of(image),
            got=why,
            hint="Which image will this name mean in a year?",
        )


@check(points=2, after=builds)
def installs_the_lock(handed_in):
    """brings exactly the packages of requirements.lock into the image, with their hashes checked"""
    trial_packages = frozenset().union(
        *(node.holds for path, node in handed_in.final.tree.items() if node.kind == "packages")
    )
    wanted = handed_in.lock
    missing, more = wanted - trial_packages, trial_packages - wanted
    more = {one for one in more if name_of(one) not in INSTALLERS}
    if missing:
        handed_in.or_unclear()
    unhashed = sorted(one for one in missing if one.removesuffix(HASHED) in more)
    got = "no packages" if not trial_packages else ""
    if unhashed:
        got = f"{unhashed[0].removesuffix(HASHED)} without its hashes: pip compared nothing"
    elif trial_packages and missing:
        got = f"without {sorted(missing)[0].removesuffix(HASHED)} of the lock"
    if more and not unhashed:
        other = sorted(more)[0].replace(COMPUTED, "what `$(…)` says")
        got = ", ".join(filter(None, (got, f"with {other}, which the lock does not have")))
    handed_in.about("the packages of the last stage").require(
        not missing and not more,
        wanted="the packages of requirements.lock, no others",
        got=got,
        hint="Give pip the lock as it is: with a hash for each file, a changed package cannot come in."
        if unhashed
        else "requirements.txt says what we ask for; requirements.lock says what was tested.",
    )


@check(points=2, after=builds)
def mounts_the_index_secret(handed_in):
    """gives pip its settings as a mounted secret, for the one command that needs them"""
    asked = [one for stage in handed_in.build.needed() for one in stage.installs if one.from_index]
    if not asked:
        handed_in.or_unclear()
    about = handed_in.about("pip install, at the company's package index")
    about.require(asked, wanted="a step in which pip installs packages", got="none", hint="See the contract.")
    bad = [one for one in asked if not one.by_secret]
    shut = next((one for one in bad if one.shut_out), None)
    about.require(
        not shut,
        wanted="the build secret `pip_conf`, where pip may read it",
        got=f"in line {shut.line} only root may read `{shut.shut_out}`, and USER is not root" if shut else "",
        hint="Install as root, and say USER later; or give the mount a `uid=`.",
    )
    about.require(
        not bad,
        wanted="the build secret `pip_conf`, mounted where pip reads its settings",
        got=f"pip without it in line {bad[0].line}" if bad else "",
        hint="RUN --mount=type=secret,id=pip_conf,target=…: which file does pip read by itself?",
    )


@check(points=2, after=builds)
def keeps_secrets_out_of_layers(handed_in):
    """leaves no secret in any layer of any stage, not even in one that is deleted later, nor in the builder's log"""
    values = handed_in.copy.secrets
    for stage in handed_in.build.needed():
        for line, what in stage.logged:
            handed_in.about(f"Dockerfile line {line}: RUN").fail(
                wanted="no secret in the builder's log",
                got=f"`{what}` prints one",
                hint="A log is kept, and read by more people than the secret is for.",
            )
        for step in stage.steps:
            for path, node in step.layer.items():
                leaks = node.kind == "secret" or is_private(node.origin) or _holds(node.content, values)
                handed_in.about(f"Dockerfile line {step.line}: {step.name}").require(
                    not leaks,
                    wanted="no secret in its layer",
                    got=f"`{_kind(path)}` holds one",
                    hint="A later `rm` hides a file and does not remove it: each layer is kept as it was.",
                )
    handed_in.or_unclear(holding_secrets=True)


# What the image is


@check(points=2, after=builds)
def leaves_build_tools_behind(handed_in):
    """holds no compiler, package cache or package list in any of its layers, and stands on a slim base"""
    about = handed_in.about("the layers of the last stage")
    about.require(
        handed_in.final.base.slim,
        wanted="a slim base under the last stage",
        got=f"`{handed_in.final.external}`, which brings compilers",
        hint="Build where the tools are, and copy the result to where they are not.",
    )
    for step in handed_in.final.steps:
        for path, node in step.layer.items():
            found = {"build tool": "a build tool", "cache": "a cache", "wheels": "wheels"}.get(node.kind)
            about.require(
                not found,
                wanted="what the service needs when it runs",
                got=f"{found}: `{_kind(path)}`, from line {step.line}",
                hint="Delete it in the RUN that makes it, keep it in a cache mount, or leave it in another stage.",
            )
    handed_in.or_unclear(handed_in.final)


@check(points=2, after=builds)
def carries_only_the_service(handed_in):
    """carries nothing of the working copy but what the service needs"""
    about = handed_in.about("the layers of the last stage")
    found = sorted(
        {
            node.origin
            for step in handed_in.final.steps
            for node in step.layer.values()
            if is_litter(node.origin)
        }
    )
    about.require(
        not found,
        wanted="no tests, data, notebooks, caches, README.md, Dockerfile …",
        got=f"`{_shown(found[0])}`" + (f" and {len(found) - 1} more" if found[1:] else "") if found else "",
        hint="Copy what you can name: `COPY app/ app/`, not `COPY . .`",
    )


@check(points=2, after=builds)
def runs_as_a_plain_user(handed_in):
    """runs as a user that is not root, and that exists there"""
    stage = handed_in.final
    user = stage.config.user
    name = user.partition(":")[0]
    about = handed_in.about(f"USER of the last stage: {user or 'none'}")
    hint = "Who breaks out of a container that runs as root is root."
    about.require(name, wanted="a user other than root", got="root, because there is no USER", hint=hint)
    uid = stage.uid(name)
    if uid is None:
        handed_in.or_unclear(stage)
    about.require(
        uid is not None,
        wanted="a user that exists in the last stage",
        got=f"nobody created `{name}` there",
        hint="Each stage has its own /etc/passwd. A number needs no entry in it.",
    )
    about.require(uid != 0, wanted="a user other than root", got="root", hint=hint)
    group = user.partition(":")[2]
    if group and stage.gid(group) is None:
        handed_in.or_unclear(stage)
    about.require(
        not group or stage.gid(group) is not None,
        wanted="a group that exists in the last stage",
        got=f"nobody created `{group}` there",
        hint="A container does not start with a group that /etc/group does not have.",
    )


# What the container does


@check(points=3, after=builds)
def starts_and_answers(handed_in, rng):
    """starts, and answers `POST /predict` with the model and the rules of this working copy"""
    trial = handed_in.trial()
    handed_in.started(trial)
    why, hint = why_not(handed_in.final, command_of(handed_in.final))
    payments = draw_payments(rng, handed_in.copy, 8)
    answers = trial.ask(*(("POST", "/predict", payment) for payment in payments))
    for payment, (status, body) in zip(payments, answers, strict=True):
        handed_in.about(f"POST /predict {payment}").require(
            status == 200 and same_answer(body, handed_in.copy.answer(payment)),
            wanted="the answer of this working copy's model and rules",
            got=why or (f"status {status}" if status != 200 else "another answer"),
            hint=hint or "Is all of app/ in the image, and model/fraud.json? Rules come and go every week.",
        )


@check(points=1, after=starts_and_answers)
def listens_to_the_outside(handed_in):
    """listens on port 8000 of every address, and says so with EXPOSE"""
    trial = handed_in.trial()
    handed_in.started(trial)
    (status, _), *_ = trial.ask(("GET", "/healthz", None), host=OTHER_LOOPBACK)
    about = handed_in.about("a request from outside of the container")
    about.require(
        status == 200,
        wanted="an answer",
        got="no answer: it listens only to its own loopback address",
        hint="Which address does uvicorn listen on by default, and who can reach it?",
    )
    ports = sorted(handed_in.final.config.ports)
    about.require(
        any(names_the_port(port) for port in ports),
        wanted="EXPOSE 8000, over TCP",
        got=f"EXPOSE {' '.join(ports)}" if ports else "no EXPOSE",
        hint="EXPOSE opens nothing: it tells people and tools which port is meant.",
    )


@check(points=2, after=starts_and_answers)
def ends_on_sigterm(handed_in):
    """hears SIGTERM as process 1, and ends in order"""
    trial = handed_in.trial()
    process = handed_in.started(trial)
    end_in_order(handed_in, process)


@check(points=3, after=starts_and_answers)
def knows_its_own_health(handed_in, rng):
    """has a HEALTHCHECK that passes when `/healthz` says 200, and fails when it does not, or nobody answers"""
    health = handed_in.final.config.health
    about = handed_in.about("HEALTHCHECK")
    hint = "A process can run and not work. Ask it."
    about.require(health and health.argv, wanted="a HEALTHCHECK", got="none", hint=hint)
    about = handed_in.about(f"HEALTHCHECK CMD {' '.join(health.argv)[:120]}")
    trial = handed_in.trial()
    patience = min(health.timeout, 6.0)

    def must_fail(attempt, when: str, hint: str) -> None:
        about.output = attempt.output or "(it printed nothing)"
        about.require(
            attempt.status != 0 or bool(attempt.killed),
            wanted=f"failure while {when}",
            got="exit status 0",
            hint=hint,
        )

    must_fail(trial.run(health.argv, timeout=patience), "nothing listens", hint)
    look = "An answer is not yet a good answer: ask this route, and look at the status."
    stand_in = handed_in.stand_in(trial)
    stand_in.says(NOTHING)
    unheard = trial.start_beside(health.argv)
    stand_in.hears(unheard, patience)
    for status in (503, 500, int(rng.choice(BAD_STATUSES))):
        stand_in.says(status)
        when = (
            f"`/healthz` answers {status}" if status >= 500 else "`/healthz` answers a status of 400 or more"
        )
        must_fail(trial.run(health.argv, timeout=patience), when, look)
    must_fail(unheard.wait(patience), "`/healthz` never answers", "No answer in time is a bad answer.")
    stand_in.end()
    handed_in.started(trial)
    well = trial.run(health.argv, timeout=patience)
    about.output = well.output or "(it printed nothing)"
    last = next((line for line in reversed(well.stderr.splitlines()) if line.strip()), "")
    if well.status != 0:
        trial.or_absent(health.argv)
    about.require(
        well.status == 0 and not well.killed,
        wanted="exit status 0 while the service is well",
        got=f"exit status {well.status}" + (f": {handed_in.readable(last)}" if last else ""),
        hint="Is the program in the image? Does the service know the route? Which port?",
    )


@check(points=1, after=builds)
def notices_a_dead_service(handed_in):
    """is called unhealthy at most 60 seconds after its last good answer"""
    health = handed_in.final.config.health
    about = handed_in.about("HEALTHCHECK")
    about.require(health and health.argv, wanted="a HEALTHCHECK", got="none", hint="See the contract.")
    seconds = health.retries * (health.interval + health.timeout)
    about.require(
        seconds <= MOST_SECONDS_UNNOTICED,
        wanted=f"retries × (interval + timeout) of at most {MOST_SECONDS_UNNOTICED} s",
        got=f"{health.retries} × ({health.interval:g} s + {health.timeout:g} s) = {seconds:g} s",
        hint="What are the defaults of --interval, --timeout and --retries?",
    )


# What is built again


@check(points=3, after=installs_the_lock)
def keeps_packages_when_code_changes(handed_in):
    """installs no package again when only code changes, and brings the new code into the image"""
    path = "app/scorecard.py"
    files = dict(handed_in.copy.files)
    files[path] = ContextFile(files[path].content + b"\n# changed\n")
    again = handed_in.build_of(files)
    old = handed_in.build.steps()
    about = handed_in.about(f"docker build, after a change of {path}")
    lines = sorted({step.line for key, step in again.steps().items() if key not in old and step.installs})
    about.require(
        not lines,
        wanted="packages from the cache",
        got=f"line {lines[0]} runs again, and installs them" if lines else "",
        hint="A step is built again when what it copies, or a step before it, has changed.",
    )
    held = {node.content for node in again.final.tree.values() if node.origin == path}
    about.require(
        files[path].content in held,
        wanted=f"the new {posixpath.basename(path)} in the image",
        got="it is not there",
        hint="Copy app/ into the last stage.",
    )


@check(points=1, after=builds)
def keeps_everything_when_notes_change(handed_in, rng):
    """builds nothing again when README.md, a test, a cache or a notebook changes"""
    files = dict(handed_in.copy.files)
    for path in files:
        if is_litter(path) and path not in ("Dockerfile", ".dockerignore"):
            files[path] = replace(files[path], content=files[path].content + rng.bytes(4))
    again = handed_in.build_of(files)
    old = handed_in.build.steps()
    lines = sorted({step.line for key, step in again.steps().items() if key not in old})
    handed_in.about("docker build, after a change of files that the service does not need").require(
        not lines,
        wanted="every step from the cache",
        got=f"line {lines[0]} runs again" if lines else "",
        hint="What of these does .dockerignore let through, and which COPY takes it?",
    )


# The same, with a Docker engine


@check(points=3, after=builds, needs=ENGINE)
def becomes_healthy_in_docker(handed_in, rng):
    """is built by Docker, runs, becomes healthy within 60 seconds, and answers like the model"""
    with real_engine.image_of(handed_in) as image, image.run() as container:
        container.becomes_healthy()
        for payment in draw_payments(rng, handed_in.copy, 4):
            container.answers(payment, handed_in.copy.answer(payment))


@check(points=2, after=becomes_healthy_in_docker, needs=ENGINE)
def stays_slim_in_docker(handed_in):
    """adds at most 60 MB to its base"""
    with real_engine.image_of(handed_in) as image:
        image.is_slim()


@check(points=1, after=becomes_healthy_in_docker, needs=ENGINE)
def stops_in_docker(handed_in):
    """ends in order on `docker stop`, before Docker kills it"""
    with real_engine.image_of(handed_in) as image, image.run() as container:
        container.says("ready")
        container.stops()


@check(points=2, after=becomes_healthy_in_docker, needs=ENGINE)
def rebuilds_from_cache_in_docker(handed_in):
    """is built again from the cache after a change of code: only small layers are new"""
    with real_engine.image_of(handed_in) as image:
        image.rebuilds_small_layers("app/scorecard.py")


@check(points=2, after=becomes_healthy_in_docker, needs=ENGINE)
def hides_no_secret_in_docker(handed_in):
    """holds no secret in its layers, its settings or its history"""
    with real_engine.image_of(handed_in) as image:
        image.holds_no_secret()


def _kind(path: str) -> str:
    """A file's name without what the seed drew."""
    name = posixpath.basename(path) if "⟨" not in path else posixpath.dirname(path)
    return ".env.…" if name.startswith(".env.") and name != ".env.production" else name


def _shown(path: str) -> str:
    return posixpath.dirname(path) + "/" if "__pycache__" in path else path


def _holds(content, values) -> bool:
    return content is not None and any(value.encode() in content for value in values)
