"""Runs inside the sandbox: becomes the container's first process. It reads plan.json from the folder it starts in."""

import json
import os
import re
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
try:
    os.execvpe(argv[0], argv, environment)
except FileNotFoundError:
    places = [os.path.join(folder, argv[0]) for folder in environment["PATH"].split(":")]
    there = any(os.path.exists(path) for path in places)
    why = (
        "its first line names an interpreter that is not in the image" if there else "not found in the image"
    )
    print(f"{plan['argv'][0]}: {why}", file=sys.stderr)
    sys.exit(127)
except PermissionError:
    print(f"{plan['argv'][0]}: not executable", file=sys.stderr)
    sys.exit(126)
