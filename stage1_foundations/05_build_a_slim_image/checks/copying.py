"""What COPY, ADD and mounts bring from where: the build context, an earlier stage, another image, a here-document."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dockerfile_syntax import NUMBER, Instruction, expand, words
from dockerignore import Pattern, as_regex
from image_model import BuildProblem, Node, Stage, Step
from permissions import FILE, FOLDER, PROGRAM, Access, changed_mode, parents
from text_tools import TextTools


@dataclass(frozen=True)
class ContextFile:
    content: bytes
    executable: bool = False

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content + (b"x" if self.executable else b"-")).hexdigest()


Context = Mapping[str, ContextFile]
SYSTEM_FOLDERS = (
    "/bin/",
    "/etc/",
    "/lib",
    "/sbin/",
    "/usr/",
    "/var/",
)  # of the base, whose files are not known here


@dataclass
class Build:
    """A whole build: every stage, and those that the last one needs."""

    context: Context
    text_tools: TextTools | None = None
    stages: list[Stage] = field(default_factory=list)
    images: list[tuple[int, str]] = field(default_factory=list)

    @property
    def final(self) -> Stage:
        return self.stages[-1]

    def needed(self) -> list[Stage]:
        """The stages that a builder runs for the last one, in their order."""
        todo, seen = [len(self.stages) - 1], set()
        while todo:
            if (index := todo.pop()) not in seen:
                seen.add(index)
                todo += self.stages[index].needs
        return [self.stages[index] for index in sorted(seen)]

    def steps(self) -> dict[str, Step]:
        """Every step that a builder runs for the last stage, by its cache key."""
        return {step.key: step for stage in self.needed() for step in stage.steps}


def key_of(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def stage_number(build: Build, name: str) -> int | None:
    """The number of an earlier stage by its name, or by its number as COPY --from may give it."""
    for index in range(len(build.stages) - 1, -1, -1):
        if build.stages[index].name and build.stages[index].name == name.lower():
            return index
    return None


def stage_meant(build: Build, stage: Stage, instruction: Instruction, name: str) -> Stage | None:
    """The stage that `--from=` or `from=` means; None for an image from elsewhere."""
    index = stage_number(build, name)
    own = build.stages.index(stage) if stage in build.stages else len(build.stages)
    if index is None and NUMBER.fullmatch(name):
        index = int(name)
        if index >= own:
            raise BuildProblem(instruction.line, f"there is no earlier stage {name}")
    if index is not None and index != own:
        stage.needs.add(index)
        return build.stages[index]
    build.images.append((instruction.line, name))
    return None


def copy(build: Build, stage: Stage, instruction: Instruction) -> str:
    """COPY and ADD. Returns what the cache compares: names and content of everything copied."""
    argv = instruction.argv()
    split = argv if argv is not None else words(instruction.text)
    split = [expand(word, stage.variables) for word in split]
    docs = {f"<<{doc.name}": doc for doc in instruction.heredocs}
    if len(split) < 2:
        raise BuildProblem(instruction.line, f"{instruction.name} needs a source and a target")
    *sources, target = split
    origin = instruction.flag("from")
    from_stage = stage_meant(build, stage, instruction, expand(origin, stage.variables)) if origin else None
    into = target.endswith("/") or stage.is_dir(stage.absolute(target)) or len(sources) > 1 or target == "."
    if len(sources) > 1 and not target.endswith("/") and not stage.is_dir(stage.absolute(target)):
        raise BuildProblem(instruction.line, f"`{target}` must end in `/`: there are several sources")
    goal = stage.absolute(target)
    wanted = Wanted.of(stage, instruction)
    copied: dict[str, Node] = {}
    folders: dict[str, Access] = {}
    for source in sources:
        plain = re.sub(r"^(<<)-?[\"']?(\w+)[\"']?$", r"\1\2", source)
        if plain in docs:
            doc = docs[plain]
            content = expand_text(doc.content, stage.variables) if doc.expands else doc.content
            node = Node(key_of(content), content=content.encode(), origin=f"here-document {doc.name}")
            copied[posixpath.join(goal, doc.name) if into else goal] = node
        elif instruction.name == "ADD" and re.match(r"(https?://|git@|git://)", source):
            stage.not_clear(instruction.line, f"ADD {source}")
        elif origin and from_stage is None:
            at = posixpath.join(goal, posixpath.basename(source)) if into else goal
            copied[at] = Node(
                key_of(origin, source), "program", access=Access(PROGRAM), origin=f"image {origin}"
            )
        else:
            found = _from_stage(from_stage, source) if from_stage else _from_context(build.context, source)
            if not found:
                if from_stage and _may_be_there(from_stage, stage, source):
                    stage.not_clear(instruction.line, f"COPY {source}: not known what is in it")
                    continue
                raise _not_there(instruction, source, origin if from_stage else None)
            is_parents = instruction.flag("parents") is not None
            is_folder = _is_folder(found, source)
            for (whole, inner), node in found.items():
                inner = whole.lstrip("/") if is_parents else inner
                at = posixpath.join(goal, inner) if into or "/" in inner or is_folder else goal
                copied[at] = node
                above, here = posixpath.dirname(whole), posixpath.dirname(at)
                while len(here) > len(goal):
                    folders[here] = from_stage.access_of(above) if from_stage else Access(FOLDER)
                    above, here = posixpath.dirname(above), posixpath.dirname(here)
    copied = {path: replace(node, access=wanted.access(node.access)) for path, node in copied.items()}
    new = [folder for path in copied for folder in parents(path) if not stage.is_dir(folder)]
    stage.folders |= {folder: wanted.owned(Access(FOLDER)) for folder in new}
    stage.folders |= {folder: wanted.access(access, is_folder=True) for folder, access in folders.items()}
    stage.tree.update(copied)
    stage.bound(instruction.line)
    for path in ("/etc/passwd", "/etc/group"):
        if path in copied:
            stage.not_clear(instruction.line, f"another {path}")
    return key_of(*(f"{path}={node.digest}{node.access}" for path, node in sorted(copied.items())))


@dataclass(frozen=True)
class Wanted:
    """What `--chmod` and `--chown` ask for."""

    mode: str | None
    uid: int | None = None
    gid: int | None = None
    line: int = 0

    @staticmethod
    def of(stage: Stage, instruction: Instruction) -> Wanted:
        mode, owner = instruction.flag("chmod"), instruction.flag("chown")
        if mode is not None:
            mode = expand(mode, stage.variables)
            if changed_mode(mode, FILE, False) is None:
                raise BuildProblem(
                    instruction.line, f"`--chmod={mode}` is no mode", "For example `--chmod=644`."
                )
        uid, gid = (
            owner_meant(stage, instruction.line, expand(owner, stage.variables)) if owner else (None, None)
        )
        return Wanted(mode, uid, uid if gid is None else gid, instruction.line)

    def owned(self, access: Access) -> Access:
        return access.owned_by(self.uid, self.gid)

    def access(self, access: Access, is_folder: bool = False) -> Access:
        mode = access.mode if self.mode is None else changed_mode(self.mode, access.mode, is_folder)
        return self.owned(replace(access, mode=access.mode if mode is None else mode))


def owner_meant(stage: Stage, line: int, text: str) -> tuple[int | None, int | None]:
    """The numbers that `user:group` means in this stage; None for what it does not say, or nobody can know."""
    user, _, group = text.partition(":")
    numbers = (stage.uid(user) if user else None, stage.gid(group) if group else None)
    for name, number, what in ((user, numbers[0], "user"), (group, numbers[1], "group")):
        if name and number is None and not stage.unclear:
            raise BuildProblem(
                line, f"there is no {what} `{name}` in this stage", "Each stage has users of its own."
            )
    return numbers


def _may_be_there(from_stage: Stage, stage: Stage, source: str) -> bool:
    """A file that an unclear step may have made, a folder of which nothing is known, or a file of the base."""
    known = posixpath.normpath("/" + source.lstrip("/"))
    of_base = known.startswith(SYSTEM_FOLDERS) and not known.startswith("/usr/local/")
    return bool(from_stage.unclear or stage.unclear or known in from_stage.dirs or of_base)


def _not_there(instruction: Instruction, source: str, stage_name: str | None) -> BuildProblem:
    if stage_name is None:
        hint = "A source is looked up in what .dockerignore lets through, from the root of the context."
        return BuildProblem(
            instruction.line, f"`{source}` is not in the build context", hint, missing=source.lstrip("/")
        )
    hint = "What does that stage make, and at which path? A source there counts from the stage's root."
    return BuildProblem(instruction.line, f"`{source}` is not in stage `{stage_name}`", hint)


def expand_text(text: str, known: Mapping[str, str]) -> str:
    """A here-document without quotes: variables are put in, quotes stay."""
    return re.sub(r"\$\{?(\w+)\}?", lambda found: known.get(found[1], ""), text)


Found = dict[tuple[str, str], Node]


def _is_folder(found: Found, source: str) -> bool:
    """Whether the source is a folder, whose content is copied, and not the folder itself."""
    return all(
        inner != posixpath.basename(whole) or whole.strip("/") != source.strip("/") for whole, inner in found
    )


def _from_context(context: Context, source: str) -> Found:
    """(path, path inside the source) → file. A source outside of the context does not exist: `..` stays at the root."""
    source = posixpath.normpath("/" + source).lstrip("/")
    nodes = {
        path: Node(
            file.digest,
            content=file.content,
            access=Access(PROGRAM if file.executable else FILE),
            origin=path,
        )
        for path, file in context.items()
    }
    return _chosen(nodes, source)


def _from_stage(stage: Stage, source: str) -> Found:
    return {
        (f"/{whole}", inner): node
        for (whole, inner), node in _chosen(
            {path.lstrip("/"): node for path, node in stage.tree.items()},
            posixpath.normpath("/" + source).lstrip("/"),
        ).items()
    }


def _chosen(nodes: Mapping[str, Node], source: str) -> Found:
    if source in ("", "."):
        return {(path, path): node for path, node in nodes.items()}
    if source in nodes:
        return {(source, posixpath.basename(source)): nodes[source]}
    if not any(char in source for char in "*?["):
        start = source + "/"
        return {(path, path[len(start) :]): node for path, node in nodes.items() if path.startswith(start)}
    depth = source.count("/") + 1
    pattern = Pattern(source, False, as_regex(source))
    found: Found = {}
    for path, node in nodes.items():
        parts = path.split("/")
        if pattern.regex.fullmatch("/".join(parts[:depth])):
            rest = "/".join(parts[depth:])
            found[(path, rest or parts[-1])] = node
    return found


def bound(
    build: Build, stage: Stage, instruction: Instruction, options: Mapping[str, str], target: str
) -> dict[str, Node]:
    source = options.get("source") or options.get("src") or "."
    origin = options.get("from")
    if origin:
        from_stage = stage_meant(build, stage, instruction, origin)
        if from_stage is None:
            stage.not_clear(instruction.line, f"a mount from the image {origin}")
            return {}
        found = _from_stage(from_stage, source)
    else:
        found = _from_context(build.context, source)
    if not found:
        raise _not_there(instruction, source, origin)
    alone = len(found) == 1 and not _is_folder(found, source)
    return {target if alone else posixpath.join(target, inner): node for (_, inner), node in found.items()}
