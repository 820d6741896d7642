"""Whose table this proxy follows.

An installation is one control plane's database, named by an id that was made with it. A proxy that
holds a table of one installation does not follow another: an empty or foreign database behind the
same address must not take the routes away. It follows another one when it is told to: by
`FIGWAY_INSTALLATION`, or by a control plane whose operator adopted the proxies of the old one.
"""

from __future__ import annotations

from pathlib import Path

from proxy.control.notice import Notice
from proxy.tables.state_file import read_json, write_json

FILE = "installation.json"


class Allegiance:
    """The installation that is followed; empty until one was. `wanted` is the operator's word."""

    def __init__(self, state_dir: Path | None, wanted: str = "") -> None:
        """Without a folder it is kept in memory alone."""
        self._path = state_dir / FILE if state_dir is not None else None
        known = read_json(self._path).get("installation") if self._path is not None else ""
        self.followed: str = known if isinstance(known, str) else ""
        self._wanted = wanted
        if wanted:
            self.followed = wanted

    def accepts(self, notice: Notice, holds_routes: bool) -> bool:
        """Whether the table of whoever gave this notice may be served."""
        other = notice.installation
        if self._wanted:
            return not other or other == self._wanted
        if not other or not self.followed or other == self.followed:
            return True
        return self.followed in notice.adopts or not holds_routes

    def follow(self, installation: str) -> bool:
        """Its table is served; whether that is news, to be kept by `save`."""
        if not installation or installation == self.followed:
            return False
        self.followed = installation
        return True

    def save(self) -> None:
        """Keep it on disk. Raises OSError."""
        if self._path is not None:
            write_json(self._path, {"installation": self.followed})
