"""Another way: plain functions, uploads in threads, looks before it writes, and unpacks file by file with os."""

import hashlib
import json
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

THREADS = 4


class ArtifactError(Exception):
    pass


class NotPublished(ArtifactError):
    pass


class AlreadyPublished(ArtifactError):
    pass


class Corrupted(ArtifactError):
    pass


class Damaged(Corrupted):
    """A file that is not what the manifest says."""


def client():
    return boto3.client("s3", config=Config(max_pool_connections=THREADS))


def where(*parts):
    return {"Bucket": os.environ["ARTIFACTS_BUCKET"], "Key": "/".join(parts)}


def status(error):
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def read(s3, *parts):
    """(content, ETag), or (None, None) where there is no such object."""
    try:
        found = s3.get_object(**where(*parts))
        return found["Body"].read(), found["ETag"]
    except ClientError as error:
        if status(error) != 404:
            raise
        return None, None


def write(s3, content, etag, *parts):
    """Whether it was written: over the object with this ETag, or where there is none."""
    condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
    try:
        s3.put_object(**where(*parts), Body=content, **condition)
        return True
    except ClientError as error:
        if status(error) in (404, 409, 412):
            return False
        raise


def describe(folder):
    files = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            with open(path, "rb") as file:
                content = file.read()
            relative = os.path.relpath(path, folder).replace(os.sep, "/")
            files[relative] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    return files


def publish(model_dir, name, version):
    s3 = client()
    files = describe(model_dir)
    known, _ = read(s3, name, "versions", f"{version}.json")
    if known is None:
        blobs = {about["sha256"]: path for path, about in files.items()}

        def send(item):
            digest, path = item
            try:
                s3.head_object(**where(name, "blobs", digest))
            except ClientError as error:
                if status(error) != 404:
                    raise
                with open(os.path.join(model_dir, path), "rb") as file:
                    write(s3, file.read(), None, name, "blobs", digest)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(send, blobs.items()))
        text = json.dumps({"version": version, "files": files, "by": "a careful publisher"}).encode()
        if not write(s3, text, None, name, "versions", f"{version}.json"):
            known, _ = read(s3, name, "versions", f"{version}.json")
    if known is not None and json.loads(known)["files"] != files:
        raise AlreadyPublished(f"{name} {version}")
    while True:
        text, etag = read(s3, name, "latest.json")
        now = json.loads(text) if text else {"version": None}
        if now["version"] == version or write(
            s3, pointer(version, now["version"]), etag, name, "latest.json"
        ):
            return


def pointer(version, previous):
    return json.dumps({"previous": previous, "version": version}).encode()


def latest(name):
    text, _ = read(client(), name, "latest.json")
    if text is None:
        raise NotPublished(name)
    return json.loads(text)["version"]


def rollback(name):
    s3 = client()
    text, etag = read(s3, name, "latest.json")
    now = json.loads(text or b"{}")
    if not now.get("previous"):
        raise NotPublished(f"{name}: nothing before")
    if not write(s3, pointer(now["previous"], now["version"]), etag, name, "latest.json"):
        raise ArtifactError(f"{name}: somebody moved the pointer meanwhile; look again")
    return now["previous"]


def fetch(name, version, to_dir):
    s3 = client()
    if version == "latest":
        version = latest(name)
    text, _ = read(s3, name, "versions", f"{version}.json")
    if text is None:
        raise NotPublished(f"{name} {version}")
    try:
        manifest = json.loads(text)
        files = {path: about["sha256"] for path, about in dict(manifest["files"]).items()}
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupted(f"{name} {version}: {error!r}") from error
    if manifest.get("version") != version:
        raise Corrupted(f"{name} {version}: the manifest is {manifest.get('version')}'s")
    beside = f"{os.path.abspath(to_dir)}.part"
    shutil.rmtree(beside, ignore_errors=True)
    os.makedirs(beside)
    try:
        for path, digest in files.items():
            target = os.path.normpath(os.path.join(beside, path))
            if not target.startswith(beside + os.sep):
                raise Damaged(path)
            content, _ = read(s3, name, "blobs", digest)
            if content is None or hashlib.sha256(content).hexdigest() != digest:
                raise Damaged(path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as file:
                file.write(content)
        if os.path.isdir(to_dir):
            os.rmdir(to_dir)
        os.rename(beside, to_dir)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return version


def main():
    commands = {
        "publish": (publish, 3),
        "latest": (latest, 1),
        "fetch": (fetch, 3),
        "rollback": (rollback, 1),
    }
    function, count = commands[sys.argv[1]]
    try:
        said = function(*sys.argv[2 : 2 + count])
    except ArtifactError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    if said:
        print(said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
