"""leaks.py --secrets FILE PLACE [PLACE …]: where do these secrets stand? No program is started: git is read here.

1: something was found; 2: something could not be read; 0: neither.
"""

import base64
import contextlib
import getopt
import gzip
import hashlib
import io
import json
import mmap
import os
import re
import struct
import sys
import tarfile
import zlib

PIECE = 1 << 18


class Bad(Exception):
    pass


# --- what is looked for ---


def percent(text, keep, small):
    out = ""
    for byte in text.encode():
        letter = chr(byte)
        plain = letter.isascii() and (letter.isalnum() or letter in "-._~" + keep)
        out += letter if plain else ("%%%02x" if small else "%%%02X") % byte
    return out


def spellings(secret):
    yield secret
    dumped = json.dumps(secret)[1:-1]
    yield dumped
    yield re.sub("[&<>]", lambda m: f"\\u{ord(m[0]):04x}", dumped)
    for keep in ("", "/"):
        for small in (False, True):
            yield percent(secret, keep, small)
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + secret.encode() + b"\0" * 3).decode()
        from_, to = {0: 0, 1: 2, 2: 3}[shift], (shift + len(secret.encode())) * 8 // 6
        yield whole[from_:to]
        yield whole[from_:to].translate(str.maketrans("+/", "-_"))


def compile_secrets(path):
    table = []
    with open(path, encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, 1):
            secret = line.removesuffix("\n")
            if secret and not re.fullmatch("[!-~]{12,200}", secret):
                raise Bad("a line of it is no secret")
            table += [(spelling, number) for spelling in set(spellings(secret)) if secret]
    if not table:
        raise Bad("no secrets")
    table.sort(key=lambda row: -len(row[0]))
    text = "|".join(re.escape(spelling) for spelling, _ in table)
    numbers = {spelling.encode(): number for spelling, number in table}
    pieces = {spelling[at : at + 8] for spelling, _ in table for at in range(len(spelling) - 7)}
    return re.compile(text.encode()), pieces, numbers, len(table[0][0])


class Finder:
    def __init__(self, path):
        self.bytes, self.pieces, self.numbers, self.longest = compile_secrets(path)

    def in_bytes(self, data):
        return {self.numbers[hit[0]] for hit in self.bytes.finditer(data)}

    def in_stream(self, stream):
        """(line, number) pairs; the end of each piece is looked at again with the next one."""
        out, rest, line = set(), b"", 1
        while True:
            piece = stream.read(PIECE)
            if not piece:
                return out
            window = rest + piece
            last, seen = 0, line
            for hit in self.bytes.finditer(window):
                seen += window.count(b"\n", last, hit.start())
                last = hit.start()
                out.add((seen, self.numbers[hit[0]]))
            cut = max(0, len(window) - self.longest)
            line += window.count(b"\n", 0, cut)
            rest = window[cut:]

    def in_content(self, stream):
        head = stream.read(2)
        stream.seek(0)
        return self.in_stream(gzip.open(stream) if head == b"\x1f\x8b" else stream)

    def in_mapped(self, file):
        """A file as the kernel maps it: none of it is ours."""
        if os.fstat(file.fileno()).st_size == 0:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data[:2] == b"\x1f\x8b":
                yield from sorted(self.in_stream(gzip.GzipFile(fileobj=file)))
                return
            line, at = 1, 0
            for hit in self.bytes.finditer(data):
                while at < hit.start():
                    step = min(at + PIECE, hit.start())
                    line, at = line + data[at:step].count(b"\n"), step
                yield line, self.numbers[hit[0]]

    def clean(self, text):
        text, out, hidden = re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", text), "", 0
        for at, letter in enumerate(text):
            if text[at : at + 8] in self.pieces:
                out += "" if at < hidden else "***"
                hidden = at + 8
            if at >= hidden:
                out += letter
        return out


# --- git: gitformat-pack(5) ---

KIND = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}


def open_plain(path):
    if not os.path.isfile(path):
        raise Bad(f"{os.path.basename(path)} is no plain file")
    return open(path, "rb")


def inflated(data):
    undo = zlib.decompressobj()
    raw = undo.decompress(data)
    if not undo.eof:
        raise Bad("an object is cut off")
    return raw


def read_loose(folder):
    for first in sorted(os.listdir(folder)):
        if re.fullmatch("[0-9a-f]{2}", first):
            for rest in os.listdir(f"{folder}/{first}"):
                with open_plain(f"{folder}/{first}/{rest}") as file:
                    head, _, body = inflated(file.read()).partition(b"\0")
                yield first + rest, head.split()[0].decode(), body


class Pack:
    def __init__(self, stem):
        with open_plain(f"{stem}.idx") as file:
            index = file.read()
        if index[:8] != b"\xfftOc\0\0\0\2":
            raise Bad("an index of another version")
        (count,) = struct.unpack(">I", index[8 + 1020 : 8 + 1024])
        names = [index[1032 + 20 * at : 1052 + 20 * at].hex() for at in range(count)]
        places = struct.unpack(f">{count}I", index[1032 + 24 * count : 1032 + 28 * count])
        self.where = dict(
            zip(names, places, strict=True)
        )  # packs of 2 GiB and more are refused by the next line
        if any(place >> 31 for place in places):
            raise Bad("too large a pack")
        with open_plain(f"{stem}.pack") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.known = {}

    def objects(self):
        for name, place in sorted(self.where.items(), key=lambda item: item[1]):
            yield name, *self.at(place)

    def at(self, place):
        if place not in self.known:
            self.known[place] = self.unpack(place)
        return self.known[place]

    def unpack(self, start):
        data, at = self.data, start
        byte = data[at]
        kind = byte >> 4 & 7
        while byte & 128:
            at += 1
            byte = data[at]
        at += 1
        if kind in KIND:
            return KIND[kind], inflated(data[at:])
        if kind == 7:
            base = self.where[data[at : at + 20].hex()]
            at += 20
        else:
            back = data[at] & 127
            while data[at] & 128:
                at += 1
                back = (back + 1 << 7) | data[at] & 127
            at, base = at + 1, start - back
        what, content = self.at(base)
        return what, patched(content, inflated(data[at:]))


def patched(base, script):
    at = 0
    for _ in range(2):  # the two sizes
        while script[at] & 128:
            at += 1
        at += 1
    out = bytearray()
    while at < len(script):
        order = script[at]
        at += 1
        if order & 128:
            values = []
            for bits in (range(4), range(4, 7)):
                value = 0
                for place, bit in enumerate(bits):
                    if order >> bit & 1:
                        value |= script[at] << 8 * place
                        at += 1
                values.append(value)
            out += base[values[0] : values[0] + (values[1] or 0x10000)]
        else:
            out += script[at : at + order]
            at += order
    return bytes(out)


def checked(objects):
    for name, kind, body in objects:
        if hashlib.sha1(b"%s %d\0%s" % (kind.encode(), len(body), body)).hexdigest() != name:
            raise Bad(f"object {name}: no such SHA-1")  # SHA-256 is not read here: it says so as well
        yield name, kind, body


def everything(git):
    store = f"{git}/objects"
    yield from read_loose(store)
    with contextlib.suppress(FileNotFoundError):
        for name in sorted(os.listdir(f"{store}/pack")):
            if name.endswith(".idx"):
                yield from Pack(f"{store}/pack/{name[:-4]}").objects()


def repository(git, finder):
    found, commits, trees = {}, [], {}
    for name, kind, body in checked(everything(git)):
        if kind == "blob":
            found.setdefault(name, finder.in_content(io.BytesIO(body)))
            continue
        if kind == "tree":
            trees[name] = re.findall(rb"(?s)(\d+) ([^\0]+)\0(.{20})", body)
            continue
        if kind == "commit":
            commits.append((name, body[5:45].decode()))
        for number in finder.in_bytes(body):
            yield f"{kind} {name} text", number
    visited = set()

    def walk(holder, tree, above):
        if tree in visited:
            return
        visited.add(tree)
        for mode, raw, binary in trees.get(tree, []):
            path, name = above + raw.decode("utf-8", "replace"), binary.hex()
            for number in finder.in_bytes(raw):
                yield f"{holder} {path} name", number
            if mode == b"40000":
                yield from walk(holder, name, path + "/")
            if holder.startswith("commit"):
                for line, number in found.pop(name, ()):
                    yield f"{holder} {path} line {line}", number

    for commit, tree in commits:
        yield from walk(f"commit {commit}", tree, "")
    for tree in trees:
        yield from walk(f"object {tree}", tree, "")
    for name, lines in found.items():
        for line, number in lines:
            yield f"object {name} line {line}", number


# --- images ---


class Pairs(list):
    """An object of JSON, with keys that it holds twice."""


def texts(node, path):
    if isinstance(node, Pairs):
        for key, below in node:
            where = path + "." + key
            yield where, key
            yield from texts(below, where)
    elif isinstance(node, list):
        for at in range(len(node)):
            yield from texts(node[at], f"{path}[{at}]")
    elif isinstance(node, str):
        yield path, node


def image(path, finder):
    with tarfile.open(path, "r:") as archive:
        layers, documents, last = set(), {}, 0
        for member in archive:
            last = member.offset_data
            if not member.isreg():
                continue
            head = archive.extractfile(member).read(1)
            if head in (b"{", b"["):
                if member.size > 10_000_000:
                    raise Bad("a document of 10 MB")
                documents[member.name] = json.load(archive.extractfile(member), object_pairs_hook=Pairs)
            elif not (member.name.split("/")[-1] == "VERSION" and member.size < 100):
                layers.add(member.name)
        if not documents or not last:
            raise Bad("no image")
        for name, document in documents.items():
            for field, text in texts(document, ""):
                for number in finder.in_bytes(text.encode("utf-8", "replace")):
                    yield f"config {name} {field[1:]}", number
        trouble = []
        for name in sorted(layers):
            try:
                whole(opened(archive, name))
                yield from layer(name, opened(archive, name), finder)
            except (Bad, OSError, EOFError, zlib.error, tarfile.TarError) as error:
                trouble.append(f"{name}: {error}")
        if trouble:
            raise Bad("; ".join(trouble))


def opened(archive, name):
    raw = archive.extractfile(name)
    head = raw.read(2)
    raw.seek(0)
    return gzip.open(raw) if head == b"\x1f\x8b" else raw


def whole(stream):
    """A tar ends in zeros."""
    tail = b""
    while piece := stream.read(PIECE):
        tail = (tail + piece)[-512:]
    if tail.strip(b"\0") or len(tail) < 512:
        raise Bad("cut off")


def layer(name, stream, finder):
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            here = f"layer {name} {member.name}"
            for number in finder.in_bytes(f"{member.name} {member.linkname}".encode("utf-8", "replace")):
                yield f"{here} name", number
            if member.isreg():
                content = archive.extractfile(member)
                head = content.read(2)
                if head == b"\x1f\x8b":
                    lines = finder.in_stream(gzip.GzipFile(fileobj=Again(head, content)))
                else:
                    lines = finder.in_stream(Again(head, content))
                for line, number in lines:
                    yield f"{here} line {line}", number


class Again:
    """A stream with what was read of it put back."""

    def __init__(self, head, stream):
        self.head, self.stream = head, stream

    def read(self, size):
        if self.head:
            head, self.head = self.head, b""
            return head
        return self.stream.read(size)


# --- all of it ---


def search(place, finder):
    if os.path.isdir(place):
        git = next((one for one in (f"{place}/.git", place) if os.path.isdir(f"{one}/objects")), None)
        if git is None:
            raise Bad("no repository")
        yield from repository(git, finder)
    elif not os.path.isfile(place):
        raise Bad("no such file" if not os.path.exists(place) else "no plain file")
    elif place.endswith(".tar"):
        yield from image(place, finder)
    else:
        with open(place, "rb") as file:
            for line, number in finder.in_mapped(file):
                yield f"line {line}", number


def main(words):
    try:
        options, places = getopt.gnu_getopt(words, "", ["secrets="])
        finder = Finder(dict(options)["--secrets"])
    except (getopt.GetoptError, KeyError, OSError, Bad) as error:
        print(f"usage: leaks.py --secrets FILE PLACE …  ({type(error).__name__})", file=sys.stderr)
        return 2
    found = bad = False
    for place in places:
        try:
            for where, number in search(place, finder):
                found = True
                print(finder.clean(place), finder.clean(where), f"secret {number}", sep="\t")
        except Exception as error:  # whatever an untrusted place does to us
            bad = True
            print(finder.clean(f"{place}: {type(error).__name__} {error}"), file=sys.stderr)
    return 2 if bad or not places else int(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
