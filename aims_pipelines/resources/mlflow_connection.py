"""A connection to MLflow: the client, its files, and its errors in our words.

Only the client is used, never MLflow's global run or tracking address, so users' own MLflow code in the same
process is not disturbed.
"""

import logging
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import Request, urlopen

from aims_pipelines.core.errors import AimsError, StoreUnavailable

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_SECONDS_TO_ANSWER = 5
_importing = threading.Lock()


class MlflowConnection:
    """Talk to one tracking server, which is the registry, too.

    Args:
        tracking_uri: Tracking server or database, such as ``http://…`` or ``sqlite:///…``.
    """

    def __init__(self, tracking_uri: str) -> None:
        self.tracking_uri = tracking_uri

    @contextmanager
    def session(self, doing: str) -> Iterator["MlflowClient"]:
        """Give out the client, and turn whatever goes wrong inside into one of our errors.

        Args:
            doing: What is being done, such as ``read``, for the message.

        Raises:
            StoreUnavailable: Anything was raised inside; artifact stores raise exceptions of many libraries.
        """
        try:
            yield self._client
        except AimsError:
            raise
        except Exception as error:
            code = getattr(error, "error_code", "")
            raise self.unavailable(doing, f"{type(error).__name__} {code}".strip()) from error

    def unavailable(self, doing: str, reason: str) -> StoreUnavailable:
        """The error that says MLflow could not do something."""
        return StoreUnavailable(
            f"Could not {doing} MLflow at {_shown(self.tracking_uri)}: {reason}.\n"
            "Next: start the server or correct its address (mlflow in aims.toml), then try again."
        )

    def write_files(self, run_id: str, folder: str, files: Mapping[str, bytes]) -> None:
        """Upload files into a folder of a run."""
        with tempfile.TemporaryDirectory(prefix="aims-model-") as local:
            for path, content in files.items():
                file = Path(local, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            self._client.log_artifacts(run_id, local, folder)

    def read_files(self, uri: str) -> dict[str, bytes]:
        """Read all files below an artifact address, as they are stored now."""
        repository = self._repository(uri)
        with tempfile.TemporaryDirectory(prefix="aims-model-") as local:
            files: dict[str, bytes] = {}
            for path in sorted(_walk(repository, "")):
                copy = Path(local, f"{len(files)}")
                # What implementers of artifact stores provide; the public method draws a progress bar a file.
                repository._download_file(path, str(copy))
                files[path] = copy.read_bytes()
            return files

    def delete_files(self, uri: str, folder: str) -> None:
        """Delete a folder below an artifact address, if the storage can."""
        with suppress(Exception):  # untidy if it stays, but invisible: no version names it
            self._repository(uri).delete_artifacts(folder)

    @cached_property
    def _client(self) -> "MlflowClient":
        self._wait_for(self.tracking_uri)
        load_mlflow()
        from mlflow.tracking import MlflowClient

        logger = logging.getLogger("mlflow.store.db.utils")
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.WARNING)  # that its tables are made or updated is no news to a user
        return MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)

    def _repository(self, uri: str) -> Any:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        return get_artifact_repository(uri, tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)

    def _wait_for(self, uri: str) -> None:
        """Ask a server whether it is there: MLflow's own retries would take minutes to give up."""
        parts = urlsplit(uri)
        if parts.scheme not in {"http", "https"}:
            return
        path = f"{parts.path.rstrip('/')}/health"
        address = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", ""))
        request = Request(address, method="GET")  # noqa: S310 - http and https only, see above
        try:
            with urlopen(request, timeout=_SECONDS_TO_ANSWER):  # noqa: S310 - http and https only, see above
                return
        except HTTPError:
            return  # it answered
        except OSError as error:
            reason = error.reason if isinstance(error, URLError) else error
            raise self.unavailable("reach", str(reason)) from error


def _walk(repository: Any, folder: str) -> Iterator[str]:
    for item in repository.list_artifacts(folder or None):
        if item.is_dir:
            yield from _walk(repository, item.path)
        else:
            yield item.path


def _shown(uri: str) -> str:
    """An address without user, password and query."""
    parts = urlsplit(uri)
    if not parts.netloc:
        return uri
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def load_mlflow() -> None:
    """Import MLflow with its telemetry off; the environment is as before afterwards."""
    name = "MLFLOW_DISABLE_TELEMETRY"
    with _importing:
        before = os.environ.get(name)
        os.environ[name] = "true"
        try:
            import mlflow  # noqa: F401 - for its effect: it decides about telemetry when first imported
        finally:
            if before is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = before
