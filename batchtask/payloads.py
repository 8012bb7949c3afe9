"""The payload store: parameters too large for a message lie in a folder or bucket, the message says where."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from batchtask.errors import MalformedMessage, PayloadTooLarge, PayloadUnwritable
from batchtask.identifiers import TaskId

#: Brokers allow 16 MiB from version 4 on, and suffer long before: https://www.rabbitmq.com/docs/configure#config-items
LARGEST_MESSAGE_BYTES = 64 * 1024


class PayloadStore:
    """Keeps parameters under a URL that fsspec understands; a folder needs no further package.

    Args:
        url: Such as `/srv/batchtask/payloads` or `s3://bucket/payloads`; empty = there is no store.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def place(self, task_id: TaskId, parameters: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
        """Return what the message carries: the parameters, or a reference to where they were put.

        Repeating it writes the same place again.

        Raises:
            PayloadTooLarge: Too large for a message, and there is no store.
            PayloadUnwritable: There is one, and it cannot be written.
        """
        body = msgspec.json.encode(parameters)
        if len(body) <= LARGEST_MESSAGE_BYTES:
            return parameters, None
        if not self._url:
            raise PayloadTooLarge(len(body), LARGEST_MESSAGE_BYTES)
        # By content: a second submission under the same id must not change what the first one refers to.
        reference = f"{self._url}/{task_id}-{sha256(body).hexdigest()[:16]}.json"
        try:
            with _open(reference, "wb") as file:
                file.write(body)
        except (OSError, ImportError, ValueError) as error:
            raise PayloadUnwritable(reference, str(error)) from error
        return {}, reference

    def fetch(self, reference: str) -> dict[str, Any]:
        """Return the parameters that `place` put there.

        Raises:
            MalformedMessage: Nothing readable lies there, or it is not in this store: a message must not be able to
                make a worker open any other file or address.
        """
        if not self._url or not reference.startswith(f"{self._url}/") or ".." in reference:
            raise MalformedMessage(
                f"the parameters at {reference} are not in this worker's payload store; "
                "set BATCHTASK_PAYLOAD_URL to the same value for the web tier and all workers"
            )
        try:
            with _open(reference, "rb") as file:
                return msgspec.json.decode(file.read(), type=dict[str, Any])
        except (OSError, ImportError, ValueError) as error:
            raise MalformedMessage(f"the parameters at {reference} cannot be read: {error}") from error

    def remove(self, task_id: TaskId, reference: str, *, dry_run: bool = False) -> bool:
        """Remove what `place` put there for this task; parameters that several tasks share, as of a schedule, stay.

        Returns:
            Whether it was, or would be, removed.
        """
        if not self._url or not reference.startswith(f"{self._url}/{task_id}-") or ".." in reference:
            return False
        import fsspec  # noqa: PLC0415 - only large payloads pay for it

        try:
            system, path = fsspec.core.url_to_fs(reference)
            found: bool = system.exists(path)
            if found and not dry_run:
                system.rm(path)
        except (OSError, ImportError, ValueError) as error:
            raise PayloadUnwritable(reference, str(error)) from error
        return found


def _open(reference: str, mode: str) -> Any:
    import fsspec  # noqa: PLC0415 - only large payloads pay for it

    return fsspec.open(reference, mode, auto_mkdir=True)
