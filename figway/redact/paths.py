"""Secrets in paths: one-time links carry them as a segment, and logs keep paths."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from figway.redact.looks_random import LEAST, looks_random
from figway.redact.names import words_of

_LEADS: Final = frozenset(
    (
        *("activate", "activation", "confirm", "confirmation", "forgot", "invitation", "invite"),
        *("invites", "invitations", "join", "magic", "onetime", "otp", "optin", "optout", "reset"),
        *(
            "resetpassword",
            "share",
            "shared",
            "signin",
            "sso",
            "ticket",
            "token",
            "tokens",
            "unlock",
        ),
        *("unsubscribe", "verification", "verify", "webhook", "webhooks", "hooks", "session"),
        *("sessions", "download", "key", "keys", "auth", "callback", "capability", "secret"),
    )
)
"""Words after which a segment is a secret unless it is a word itself."""
_WORDY: Final = re.compile(r"[a-z]{1,24}(?:[-_][a-z]{1,24})*|[A-Z][a-z]{1,24}|[0-9]{1,3}")
_SUSPECT: Final = re.compile(
    rb"[A-Za-z0-9_~=+-]{16}|(?i:activ|confirm|forgot|invit|join|magic|one-?time|otp|opt-?in|opt-?out"
    rb"|reset|share|sign-?in|sso|ticket|token|unlock|unsub|verif|hook|session|download|key|auth"
    rb"|callback|capab|secret)"
)

Hide = Callable[[str, str], str]


def suspect(path: bytes) -> bool:
    """Whether `hide_in_path` could find anything: one look, for paths that are logged by the
    thousand."""
    return _SUSPECT.search(path) is not None


def hide_in_path(path: str, hide: Hide) -> str:
    """`path` with the segments hidden that follow a leading word, or look random."""
    parts: list[str] = []
    leads = False
    for segment in path.split("/"):
        name, dot, ending = segment.partition(".")
        secret = leads and bool(segment) and _WORDY.fullmatch(segment) is None
        if secret or (len(name) >= LEAST and looks_random(name)):
            parts.append(hide("path", name) + dot + ending)
            leads = False
        elif secret is False and len(segment) >= LEAST and looks_random(segment):
            parts.append(hide("path", segment))
            leads = False
        else:
            parts.append(segment)
            leads = any(word in _LEADS for word in (*words_of(segment), segment.replace("-", "")))
    return "/".join(parts)
