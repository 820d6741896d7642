"""Secrets that a backend is sent, found where the table's references point.

A reference is resolved when the backend is first served, and files are read again while it is, so
that a rotated secret needs no restart. A table can only point to what was put there for it:
variables named `FIGWAY_SECRET_*`, files below the secrets directory, and secrets of AWS below a
prefix. The secret itself is in no table, log, record or answer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from figway.message.forwarded import folded
from figway.message.http import Headers
from figway.model.backend import Backend, secret_references
from proxy.loop.files import Folders, ReadFile

DIRECTORY_VARIABLE = "FIGWAY_SECRETS_DIR"
DEFAULT_DIRECTORY = "/run/secrets/figway"
ENV_PREFIX = "FIGWAY_SECRET_"
READ_AGAIN_MS = 30_000
MAX_SECRET = 16_384
_VALUE = re.compile(r"[\x20-\x7e]*").fullmatch

Resolve = Callable[[str], str]
"""From a reference of a scheme of its own (`aws-secret:`) to the secret; raises OSError or
ValueError."""


class BadSecret(ValueError):
    """The secret of a backend cannot be had. The text names the reference, never the secret."""


class Secrets:
    """Where references lead on this proxy: its environment, files, and further schemes."""

    def __init__(
        self,
        read: ReadFile | None = None,
        resolvers: Mapping[str, Resolve] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._read = read
        self._resolvers = {} if resolvers is None else resolvers

    def resolve(self, reference: str) -> str:
        """The secret that a reference names. Raises OSError or ValueError."""
        scheme, _, name = reference.partition(":")
        if scheme == "env" and name.startswith(ENV_PREFIX):
            if name not in self._environ:
                raise ValueError("the variable is not set for this proxy")
            return self._environ[name].strip()
        if scheme == "file":
            return self._file(name)
        resolver = self._resolvers.get(scheme)
        if resolver is None:
            raise ValueError("this proxy cannot resolve such a reference")
        return resolver(name)

    def _file(self, name: str) -> str:
        read = self._read
        if read is None:
            folder = Path(self._environ.get(DIRECTORY_VARIABLE) or DEFAULT_DIRECTORY)
            read = Folders([folder], f"{DIRECTORY_VARIABLE}, which is {folder}").read
        try:
            return read(name).decode("ascii").strip()
        except UnicodeDecodeError:
            raise ValueError("the file is not ASCII text") from None


class Credentials:
    """The credential headers of one backend, or the `password` that it logs in with. `deadline`
    (`HasDeadline`) is for the files."""

    __slots__ = (
        "_backend",
        "_gone",
        "_headers",
        "_report",
        "_secrets",
        "_told",
        "deadline",
        "password",
    )

    def __init__(
        self,
        backend: Backend,
        report: Callable[[str, BaseException], None] | None = None,
        secrets: Secrets | None = None,
    ) -> None:
        """Raises ValueError or OSError, naming the reference, for a secret that is not there."""
        self._backend = backend
        self._secrets = Secrets() if secrets is None else secrets
        self._report = report
        names = [item.header.lower().encode() for item in backend.credentials]
        self._gone = frozenset(map(folded, names))
        self._headers, self.password = self._read()
        self._told = ""
        self.deadline = 0

    def __repr__(self) -> str:
        return f"Credentials({self._backend.id})"

    @property
    def from_files(self) -> bool:
        """Whether there is anything to read again."""
        return any(item.startswith("file:") for item in secret_references(self._backend))

    def apply(self, headers: Headers) -> Headers:
        """The header section with the credentials, in place of what the client sent."""
        gone = self._gone
        return [pair for pair in headers if folded(pair[0].lower()) not in gone] + self._headers

    def expired(self, now: int) -> None:
        """Read everything again; while that fails, what was read last stays. A failure is told
        once."""
        self.deadline = now + READ_AGAIN_MS
        try:
            self._headers, self.password = self._read()
            self._told = ""
        except (OSError, ValueError) as error:
            if self._report is not None and self._told != str(error):
                self._report(f"credentials of {self._backend.id}", error)
            self._told = str(error)

    def _read(self) -> tuple[Headers, str]:
        headers = [
            (item.header.encode(), (item.prefix + self._secret(item.value)).encode())
            for item in self._backend.credentials
        ]
        reference = self._backend.stream.password
        return headers, self._secret(reference) if reference else ""

    def _secret(self, reference: str) -> str:
        try:
            secret = self._secrets.resolve(reference)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            message = f"Backend {self._backend.id}: {reference}: {reason or error}"
            raise BadSecret(message) from None
        if not secret or len(secret) > MAX_SECRET or _VALUE(secret) is None:
            message = "the secret is empty, too long, or no header can hold it"
            raise BadSecret(f"Backend {self._backend.id}: {reference}: {message}")
        return secret
