"""What must hold of an address that a backend is spoken to at."""

from __future__ import annotations

from urllib.parse import urlsplit

from figway.validate.address import is_link_local
from figway.validate.findings import Findings
from figway.validate.ranges import LITERAL_HOST, VISIBLE


def check_url(
    url: str,
    path: str,
    allow_link_local: bool,
    findings: Findings,
    schemes: tuple[str, str] = ("http", "https"),
) -> None:
    """Check a base URL: its form, and that it holds no secret and leads to none."""
    plain, secure = schemes
    problem, host, hint = "", "", f"write {plain}://host:port or {secure}://host[:port]"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        findings.error("url_invalid", path, f"not a URL: {error}", hint)
        return
    if VISIBLE(url) is None or "\\" in url:
        problem = "a URL holds visible ASCII characters only"
    elif parts.scheme not in schemes:
        problem = f"the scheme {parts.scheme!r} is neither {plain} nor {secure}"
    elif not host or LITERAL_HOST(f"[{host}]" if ":" in host else host) is None:
        problem = "the URL has no valid host"
    elif port == 0:
        problem = "port 0 cannot be connected to"
    elif any(part in (".", "..") for part in parts.path.split("/")):
        problem = "the path of the URL has dot segments"
    if problem:
        findings.error("url_invalid", path, problem, hint)
    if "@" in parts.netloc:
        message = "a URL holds credentials, which everybody who sees the table would see"
        findings.error("url_userinfo", path, message, "remove everything before the @")
    if "?" in url or "#" in url:
        message = "the query or fragment would be lost"
        findings.error("url_query", path, message, "end the URL after its path")
    if host and not allow_link_local and is_link_local(host):
        message = f"{host} is link-local or a cloud's metadata, which holds credentials"
        hint = "name another address, or set allow_link_local if that is what you want"
        findings.error("address_link_local", path, message, hint)
