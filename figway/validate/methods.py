"""What must hold of a list of methods."""

from __future__ import annotations

from figway.validate.findings import Findings
from figway.validate.ranges import TOKEN


def check_methods(methods: tuple[str, ...], path: str, findings: Findings) -> None:
    """Each a token in upper case, once."""
    for index, method in enumerate(methods):
        place = f"{path}[{index}]"
        if TOKEN(method) is None:
            message = f"{method[:80]!r} is not a method"
            findings.error("method_invalid", place, message, "write a token, such as GET")
        elif method != method.upper():
            message = f"{method[:80]!r} differs from {method.upper()[:80]!r} (RFC 9110, 9.1)"
            findings.error("method_case", place, message, "write it in upper case")
        if method in methods[:index]:
            message = f"{method[:80]!r} stands here twice"
            findings.error("method_duplicate", place, message, "remove one of them")
