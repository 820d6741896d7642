"""Bodies that take a library to read: PDF, images. Without the library, bytes are compared.

A library is loaded when the first such body comes: most workers never see one.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from figway.compare.answer import BodyReader
from figway.compare.canonical.json import Value
from figway.compare.limits import Budget


def _pdf(body: bytes, budget: Budget) -> Value:
    from proxy.shadow.read_pdf import read_pdf

    return read_pdf(body, budget)


def _image(body: bytes, budget: Budget) -> Value:
    from proxy.shadow.read_image import read_image

    return read_image(body, budget)


_READERS: tuple[tuple[str, str, BodyReader], ...] = (
    ("pypdf", "pdf", _pdf),
    ("PIL", "image", _image),
)


def readers() -> Mapping[str, BodyReader]:
    """What is installed, by the family of bodies that it reads."""
    return {family: reader for library, family, reader in _READERS if find_spec(library)}
