"""The CLI's side of the admin API."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from difflib import get_close_matches
from http import HTTPStatus
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any
from urllib.parse import quote

from control_plane.cli import http
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
NEXT_S = 0.5
"""How long a control plane may be silent before another one is asked beside it."""
LONG_S = 2.5
"""The same beyond the time that it was asked to wait for proxies."""
_PROBLEM = "urn:figway:problem:"
_PRIVATE = "Nothing here"
"""The title of what a proxy's private port answers to a path that it has not."""
_API = "figway-api"
"""What every answer of a control plane carries (`control_plane.http.headers`)."""
_LISTS = {
    "route": "figway routes list",
    "backend": "figway backends list",
    "capability": "figway capabilities list",
    "revision": "figway revisions",
    "rollout": "figway rollout list",
    "webhook": "figway webhooks list",
    "key": "figway keys list",
    "change that waits": "figway approvals list",
    "proxy": "figway fleet",
    "stored comparison": "figway compare examples ROUTE",
}
"""By what is not there, the command that shows what is."""
_PLURALS = {"route": "routes", "backend": "backends", "capability": "capabilities"}
_MISSING = re.compile(r"there is no (.+?) '(.*)'")
_HINTS = {
    401: "Give a key: export FIGWAY_ADMIN_KEY=..., or --key. `figway keys create` makes one.",
    403: "Use a key with a higher role; `figway keys list` shows whose is which.",
    412: "Somebody changed it meanwhile. Look at it again, then repeat the command.",
}


def at(*parts: object) -> str:
    """The path of what has this name, below `/api/v1`: `at("routes", "orders", "flip")`.

    A name stays within its segment, whatever it holds. Raises `CliError` for one that nothing can
    have, which would lead elsewhere.
    """
    for part in parts:
        if str(part) in ("", ".", "..") or "/" in str(part):
            noun = str(parts[max(parts.index(part) - 1, 0)])
            noun = {"capabilities": "capability"}.get(noun, noun.rstrip("s"))
            raise CliError(
                f"there is no {noun} {str(part)!r}", hint=_listed(noun), code=Exit.NOT_FOUND
            )
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)


def below(path: str, name: str) -> str:
    """The same for a name that may hold a slash, as rules and proxies do; it comes last."""
    return f"{path}/{quote(name, safe='')}"


_Ask = Callable[[http.ApiClient], http.ApiAnswer]


class Api:
    """Calls the admin API and turns its problems into `CliError`."""

    asked_for_change = False
    """Whether this process has sent anything that may change something: it cannot be taken back."""

    def __init__(self, url: str, key: str, *, timeout: float = 30.0) -> None:
        self._urls = [one.strip().rstrip("/") for one in url.split(",") if one.strip()] or [url]
        if not all(one.startswith(("http://", "https://")) for one in self._urls):
            raise _no_url(url, "http:// or https:// is missing")
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise CliError(
                "the key holds a character that no key has: a blank, a line's end, or another",
                hint="Look at FIGWAY_ADMIN_KEY, --key, or the key file; `fgw_` begins every key.",
                code=Exit.FORBIDDEN,
            )
        self._has_key = key != ""
        self._awake = False
        headers = {"figway-source": "cli", **({"authorization": f"Bearer {key}"} if key else {})}
        try:
            self._clients = [http.ApiClient(one, headers, timeout) for one in self._urls]
        except ValueError as error:
            raise _no_url(url, str(error)) from None

    @property
    def url(self) -> str:
        """The control plane that is asked."""
        return self._urls[0]

    def here(self) -> Api:
        """The same for the control plane alone that answered last: another may not know of it."""
        found = copy(self)
        found._clients, found._urls = self._clients[:1], self._urls[:1]
        return found

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
        again: bool = False,
        patience: float | None = None,
    ) -> tuple[Any, dict[str, str]]:
        """Any call under /api/v1; the decoded answer (None when empty) and its headers. `again`: it
        may be done twice, so of several control planes the next is asked besides where one is
        silent for `patience` seconds."""
        content, kind = None, {}
        if body is not None:
            content, kind = json.dumps(body).encode(), {"content-type": "application/json"}
        Api.asked_for_change |= method != "GET"
        with self._reachable():
            answer = self._asked(
                lambda client: client.request(
                    method,
                    f"/api/v1{path}",
                    query=query or {},
                    content=content,
                    headers={**kind, **(headers or {})},
                    timeout=timeout,
                ),
                again=again or method == "GET",
                # A call that waits for proxies is silent for so long in good order.
                patience=_patience(query or {}) if patience is None else patience,
            )
        if answer.status >= 400:
            raise self._meant(self._problem(answer))
        return self._decoded(answer), dict(answer.headers)

    def send_document(
        self, path: str, body: bytes, kind: str, *, etag: str = "", **query: Any
    ) -> Any:
        """POST a table as it stands in a file; the decoded answer."""
        headers = {"content-type": kind, **({"if-match": f'"{etag}"'} if etag else {})}
        Api.asked_for_change |= not path.endswith("/validate")
        with self._reachable():
            answer = self._asked(
                lambda client: client.request(
                    "POST", f"/api/v1{path}", query=query, content=body, headers=headers
                ),
                again=path.endswith("/validate"),
            )
        if answer.status >= 400:
            raise self._problem(answer)
        return self._decoded(answer)

    def lines(self, path: str, **query: Any) -> Iterator[str]:
        """The lines of a stream of server-sent events, until it ends."""
        self.wake()
        with (
            self._reachable(),
            self._clients[0].stream(f"/api/v1{path}", query) as (answer, lines),
        ):
            if answer.status >= 400:
                raise self._problem(answer)
            if _API not in answer.headers:
                raise self._not_ours(answer)
            yield from lines

    def _asked(self, ask: _Ask, *, again: bool, patience: float = NEXT_S) -> http.ApiAnswer:
        """What the first control plane answers that does. One that may have done what it was asked
        is the last, unless it may be done `again`: then the next is asked beside one that is
        silent."""
        if len(self._clients) > 1:
            if again:
                return self._first(ask, patience)
            self.wake()
        while True:
            try:
                return ask(self._clients[0])
            except http.NoApiAnswer as error:
                if len(self._clients) == 1 or error.doubtful:
                    raise
            self._clients, self._urls = self._clients[1:], self._urls[1:]

    def wake(self, patience: float = NEXT_S) -> None:
        """Find one that answers: what is done once alone, or lasts, is asked of that one, and no
        other finds it when it goes on. Raises `CliError` 7."""
        if len(self._clients) > 1 and not self._awake:
            with self._reachable():
                self._first(lambda client: client.request("GET", "/live", query={}), patience)
            self._awake = True

    def _first(self, ask: _Ask, patience: float) -> http.ApiAnswer:
        """What comes first of what all of them answer. Whoever was silent, or failed, is not asked
        again."""
        clients, urls, asked = self._clients, self._urls, 0
        answers: SimpleQueue[tuple[int, http.ApiAnswer | BaseException]] = SimpleQueue()

        def run(number: int) -> None:
            try:
                answers.put((number, ask(clients[number])))
            except BaseException as error:  # raised again below
                answers.put((number, error))

        failed, doubtful = 0, False
        while True:
            if asked < len(clients):
                Thread(target=run, args=(asked,), daemon=True).start()
                asked += 1
            try:
                number, found = answers.get(timeout=patience if asked < len(clients) else None)
            except Empty:
                continue
            if isinstance(found, http.ApiAnswer):
                self._clients = [clients[number], *clients[asked:]]
                self._urls = [urls[number], *urls[asked:]]
                return found
            if not isinstance(found, http.NoApiAnswer):
                raise found
            failed, doubtful = failed + 1, doubtful or found.doubtful
            if failed == len(clients):
                self._urls = [", ".join(urls)]
                raise http.NoApiAnswer(str(found), doubtful=doubtful)

    def _problem(self, answer: http.ApiAnswer) -> CliError:
        try:
            problem = answer.json()
        except ValueError:
            problem = {}
        if not isinstance(problem, dict) or not str(problem.get("type", "")).startswith(_PROBLEM):
            return self._not_ours(answer)
        if problem.get("title") == _PRIVATE:
            return self._not_ours(answer)
        if answer.status == HTTPStatus.UNAUTHORIZED and not self._has_key:
            problem["detail"] = "no key was given"
        title = problem.get("title") or f"HTTP {answer.status}"
        findings = problem.get("findings") or ()
        detail = "" if findings else problem.get("detail") or ""
        return CliError(
            f"{title}: {detail}" if detail else title,
            hint=_HINTS.get(answer.status, ""),
            code=_BY_STATUS.get(answer.status, Exit.FAILED),
            findings=findings,
            problem=str(problem["type"]).removeprefix(_PROBLEM),
        )

    def _not_ours(self, answer: http.ApiAnswer) -> CliError:
        """What answered is no control plane: the facade, another server, or something between."""
        return CliError(
            f"{self.url} answers {answer.status}, and is not a control plane's admin API",
            hint="Is it the facade, or a proxy's port for metrics? The admin API has a port of its "
            "own, 8070 unless told otherwise: --admin-url http://127.0.0.1:8070, or "
            "FIGWAY_ADMIN_URL.",
            code=Exit.UNREACHABLE,
        )

    def _meant(self, error: CliError) -> CliError:
        """With the names that come close, where there is nothing of the name that was typed, or
        with the command that lists what there is."""
        missing = _MISSING.search(error.message) if error.code is Exit.NOT_FOUND else None
        if missing is None:
            return error
        noun, name = missing.groups()
        close = get_close_matches(name, self._names(noun), n=3, cutoff=0.5)
        if close:
            error.hint = f"Did you mean {' or '.join(close)}?"
        elif not error.hint:
            error.hint = _listed(noun)
        return error

    def _names(self, noun: str) -> list[str]:
        """The ids of all that is of a kind; none where they cannot be had."""
        try:
            found = self.pages(f"/{_PLURALS[noun]}", limit=1_000)
            return [row["item"]["id"] for row in found]
        except (CliError, KeyError):
            return []

    def _decoded(self, answer: http.ApiAnswer) -> Any:
        if _API not in answer.headers:
            raise self._not_ours(answer)
        if not answer.content:
            return None
        return answer.json() if "json" in answer.headers.get("content-type", "") else answer.text

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        try:
            yield
        except http.NoApiAnswer as error:
            doubt = ". It is not known whether it has done this, or will yet" * error.doubtful
            raise CliError(
                f"the control plane at {self.url} does not answer: {error}{doubt}",
                hint="Is it running, and is --admin-url (FIGWAY_ADMIN_URL) right? Without it, "
                "`figway kill on --local` still sends everything to legacy on this host.",
                code=Exit.UNREACHABLE,
            ) from None


def _patience(query: Mapping[str, Any]) -> float:
    return LONG_S + float(query["timeout"]) if "timeout" in query else NEXT_S


def _no_url(url: str, why: str) -> CliError:
    return CliError(
        f"{url!r} is not a URL: {why}",
        hint="Give the control plane's address: --admin-url http://127.0.0.1:8070",
        code=Exit.USAGE,
    )


def _listed(noun: str) -> str:
    """The next step where something is not there; none for what has no list."""
    return f"{_LISTS[noun]} shows what there is." if noun in _LISTS else ""
