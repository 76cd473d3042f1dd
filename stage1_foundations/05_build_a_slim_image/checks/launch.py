"""Runs inside the sandbox: starts a command as a container would. It reads plan.json from the folder it starts in.

The container's first process is told what this one is told, and when it ends, all that it started is killed: so it is
in a container, whose kernel ends everything with process 1.
"""

import contextlib
import json
import os
import re
import signal
import sys

with open("plan.json", encoding="utf-8") as file:
    plan = json.load(file)
root = os.path.abspath(plan["root"])
places = re.compile(
    r"(?<![\w./@-])(" + "|".join(re.escape(place) for place in plan["places"]) + r")(?![\w.-])"
)


def inside(text):
    return places.sub(lambda found: root + found[1], text)


for folder, _, names in os.walk(root):
    for name in names:
        path = os.path.join(folder, name)
        if os.path.islink(path) or f"{os.sep}app{os.sep}" in path[len(root) :]:
            continue
        with open(path, "rb") as file:
            data = file.read()
        if data[:2] == b"#!" or name.endswith((".py", ".sh")):
            text = data.decode("utf-8", "surrogateescape")
            changed = inside(text) if f"exec '{sys.executable}'" not in text else text
            if changed != text:
                with open(path, "wb") as file:
                    file.write(changed.encode("utf-8", "surrogateescape"))

environment = {name: inside(value) for name, value in plan["env"].items()}
environment["PATH"] = ":".join(
    folder if folder.startswith(root) else root + folder
    for folder in environment["PATH"].split(":")
    if folder
)
argv = [inside(word) for word in plan["argv"]]
os.makedirs(environment["HOME"], exist_ok=True) if environment["HOME"].startswith(root) else None
os.chdir(root + plan["cwd"])


def run():
    try:
        os.execvpe(argv[0], argv, environment)
    except FileNotFoundError:
        folders = environment["PATH"].split(":")
        there = any(os.path.exists(os.path.join(folder, argv[0])) for folder in folders)
        why = (
            "its first line names an interpreter that is not in the image"
            if there
            else "not found in the image"
        )
        print(f"{plan['argv'][0]}: {why}", file=sys.stderr)
        os._exit(127)
    except PermissionError:
        print(f"{plan['argv'][0]}: not executable", file=sys.stderr)
        os._exit(126)


def watch_over(child):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, lambda told, _: os.kill(child, told))
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(OSError):
        os.killpg(child, signal.SIGKILL)
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) != signal.SIGKILL:
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status))


if not plan["first"]:
    run()
child = os.fork()
with contextlib.suppress(OSError):
    os.setpgid(child, child)
if child == 0:
    run()
watch_over(child)
