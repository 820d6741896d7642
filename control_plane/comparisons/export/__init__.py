"""Stored pairs as regression tests for new (pytest, Hurl), and as HAR for other tools."""

from control_plane.comparisons.export.files import MEDIA_TYPES, Format, file_name
from control_plane.comparisons.export.service import Exports

__all__ = ["MEDIA_TYPES", "Exports", "Format", "file_name"]
