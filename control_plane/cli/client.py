"""The CLI's side of the admin API."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

from control_plane import outbound
from control_plane.cli.errors import CliError, Exit

_BY_STATUS = {
    401: Exit.FORBIDDEN,
    403: Exit.FORBIDDEN,
    404: Exit.NOT_FOUND,
    409: Exit.CONFLICT,
    412: Exit.CONFLICT,
    422: Exit.REFUSED,
    428: Exit.CONFLICT,
}
_PROBLEM = "urn:figway:problem:"
_ITEMS = ("routes", "backends", "capabilities")
_HINTS = {
    401: "Give a key: export FIGWAY_ADMIN_KEY=..., or --key. `figway keys create` makes one.",
    403: "Use a key with a higher role; `figway keys list` shows whose is which.",
    412: "Somebody changed it meanwhile. Look at it again, then repeat the command.",
}


class Api:
    """Calls the admin API and turns its problems into `CliError`."""

    def __init__(self, url: str, key: str, *, timeout: float = 30.0) -> None:
        self.url = url.rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            raise _no_url(url, "http:// or https:// is missing")
        headers = {"figway-source": "cli", **({"authorization": f"Bearer {key}"} if key else {})}
        try:
            self._client = outbound.Client(
                base_url=self.url,
                headers=headers,
                timeout=timeout,
                trust_env=False,
                verify=_trust(self.url),
            )
        except outbound.InvalidURL as error:
            raise _no_url(url, str(error)) from None

    def get(self, path: str, **query: Any) -> Any:
        """GET; the decoded JSON."""
        return self.call("GET", path, query=query)[0]

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """The items of a paged list, page by page."""
        cursor = None
        while True:
            page = self.get(path, **query, cursor=cursor)
            yield from page["items"]
            cursor = page.get("next")
            if not cursor:
                return

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        timeout: float | None = None,
    ) -> tuple[Any, dict[str, str]]:
        """Any call under /api/v1; the decoded answer (None when empty) and its headers."""
        with self._reachable():
            response = self._client.request(
                method,
                f"/api/v1{path}",
                params={name: value for name, value in (query or {}).items() if value is not None},
                json=body,
                headers=headers,
                timeout=self._client.timeout if timeout is None else timeout,
            )
        if response.status_code >= 400:
            raise self._meant(path, _problem(response))
        return _decoded(response), {name.lower(): value for name, value in response.headers.items()}

    def send_document(
        self, path: str, body: bytes, kind: str, *, etag: str = "", **query: Any
    ) -> Any:
        """POST a table as it stands in a file; the decoded answer."""
        headers = {"content-type": kind, **({"if-match": f'"{etag}"'} if etag else {})}
        with self._reachable():
            response = self._client.post(
                f"/api/v1{path}", content=body, headers=headers, params=query
            )
        if response.status_code >= 400:
            raise _problem(response)
        return _decoded(response)

    def lines(self, path: str, **query: Any) -> Iterator[str]:
        """The lines of a stream of server-sent events, until it ends."""
        unbounded = outbound.Timeout(30.0, read=None)
        with (
            self._reachable(),
            self._client.stream(
                "GET", f"/api/v1{path}", params=query, timeout=unbounded
            ) as response,
        ):
            if response.status_code >= 400:
                response.read()
                raise _problem(response)
            yield from response.iter_lines()

    def _meant(self, path: str, error: CliError) -> CliError:
        """With the names that come close, where there is no item of the name that was typed."""
        kind, _, rest = path.lstrip("/").partition("/")
        name = rest.partition("/")[0]
        if error.code is not Exit.NOT_FOUND or kind not in _ITEMS or not name:
            return error
        try:
            ids = [row["item"]["id"] for row in self.pages(f"/{kind}", limit=1_000)]
        except CliError:
            return error
        close = get_close_matches(name, ids, n=3, cutoff=0.5)
        if close:
            error.hint = f"Did you mean {' or '.join(close)}?"
        elif not error.hint:
            error.hint = f"figway {kind} list shows those that there are."
        return error

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        try:
            yield
        except outbound.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise CliError(
                f"the control plane at {self.url} does not answer: {reason}",
                hint="Is it running, and is --admin-url (FIGWAY_ADMIN_URL) right? Without it, "
                "`figway kill on --local` still sends everything to legacy on this host.",
                code=Exit.UNREACHABLE,
            ) from None


def _trust(url: str) -> ssl.SSLContext | bool:
    """Whom to trust: for https the system's authorities; for http nobody, as reading those takes
    longer than most commands do, and nothing asks for them."""
    return url.startswith("https://") or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _no_url(url: str, why: str) -> CliError:
    return CliError(
        f"{url!r} is not a URL: {why}",
        hint="Give the control plane's address: --admin-url http://127.0.0.1:8070",
        code=Exit.USAGE,
    )


def _decoded(response: outbound.Response) -> Any:
    if not response.content:
        return None
    if "json" in response.headers.get("content-type", ""):
        return response.json()
    return response.text


def _problem(response: outbound.Response) -> CliError:
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    if not isinstance(problem, dict) or not str(problem.get("type", "")).startswith(_PROBLEM):
        return _not_ours(response)
    title = problem.get("title") or f"HTTP {response.status_code}"
    findings = problem.get("findings") or ()
    detail = "" if findings else problem.get("detail") or ""
    return CliError(
        f"{title}: {detail}" if detail else title,
        hint=_HINTS.get(response.status_code, ""),
        code=_BY_STATUS.get(response.status_code, Exit.FAILED),
        findings=findings,
        problem=str(problem["type"]).removeprefix(_PROBLEM),
    )


def _not_ours(response: outbound.Response) -> CliError:
    """What answered is no control plane: the facade, another server, or something in between."""
    url = str(response.request.url).partition("/api/v1")[0]
    return CliError(
        f"{url} answers {response.status_code}, and is not a control plane's admin API",
        hint="Is it the facade? The admin API has a port of its own, 8070 unless told otherwise: "
        "--admin-url http://127.0.0.1:8070, or FIGWAY_ADMIN_URL.",
        code=Exit.UNREACHABLE,
    )
