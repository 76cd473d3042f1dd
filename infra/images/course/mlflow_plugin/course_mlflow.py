"""An artifact store of MLflow: S3 that only the server reaches.

MLflow's own S3 store lets the server tell clients to fetch artifacts from S3 by themselves, by an address signed for
them, and no setting of the server turns that off. That address names the object store as the server knows it
(http://objectstore:8333), which no client outside Docker's network can find: it tries for minutes, then fails. This
store has every operation but that one, so the server tells clients to come to it.

Used as `--artifacts-destination proxied-s3://BUCKET/PATH`. https://mlflow.org/docs/latest/plugins
"""

from __future__ import annotations

from mlflow.entities import FileInfo
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

SCHEME = "proxied-s3"


class ProxiedS3(ArtifactRepository):
    """S3ArtifactRepository without the mixins by which MLflow offers signed addresses."""

    def __init__(
        self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
    ) -> None:
        super().__init__(artifact_uri, tracking_uri, registry_uri)
        self._s3 = S3ArtifactRepository(artifact_uri.replace(SCHEME, "s3", 1), tracking_uri, registry_uri)

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        self._s3.log_artifact(local_file, artifact_path)

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        self._s3.log_artifacts(local_dir, artifact_path)

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        return self._s3.list_artifacts(path)

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        self._s3.delete_artifacts(artifact_path)

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        self._s3._download_file(remote_file_path, local_path)
