"""PDF and images by what they show, within bounds."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator

import pytest
from PIL import Image

from figway.compare.answer import Answer, Context
from figway.compare.limits import Budget, Limits
from figway.compare.verdict import Comparison, compare
from proxy.shadow.readers import readers
from tests.support.answers import answer, found

CONTEXT = Context(readers=readers())


def pdf(
    text: str = "Invoice 17",
    *,
    date: str = "D:20240101000000Z",
    packed: bool = False,
    title: str = "Invoice",
    font: str = "ABCDEF+Sans",
    spare: int = 0,
    size: str = "[0 0 200 200]",
    uri: str = "https://shop.example/pay",
) -> bytes:
    """A one-page PDF; `spare` moves every object number up, as another writer would."""
    content = f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET".encode()
    coding = ""
    if packed:
        content, coding = zlib.compress(content), "/Filter /FlateDecode "
    stream = f"<< {coding}/Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream"
    first = spare + 1
    page = (
        f"<< /Type /Page /Parent {first + 1} 0 R /MediaBox {size} /Contents {first + 3} 0 R "
        f"/Resources << /Font << /F1 {first + 4} 0 R >> >> /Annots [<< /Type /Annot "
        f"/Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI ({uri}) >> >>] >>"
    )
    objects = [
        f"<< /Type /Catalog /Pages {first + 1} 0 R >>".encode(),
        f"<< /Type /Pages /Kids [{first + 2} 0 R] /Count 1 >>".encode(),
        page.encode(),
        stream,
        f"<< /Type /Font /Subtype /Type1 /BaseFont /{font} >>".encode(),
        f"<< /Title ({title}) /CreationDate ({date}) >>".encode(),
    ]
    body = b"%PDF-1.4\n"
    places = []
    for number, one in enumerate(objects, first):
        places.append(len(body))
        body += f"{number} 0 obj\n".encode() + one + b"\nendobj\n"
    table = f"xref\n0 1\n0000000000 65535 f \n{first} {len(objects)}\n"
    table += "".join(f"{place:010d} 00000 n \n" for place in places)
    trailer = f"trailer\n<< /Size {first + 6} /Root {first} 0 R /Info {first + 5} 0 R"
    trailer += f" /ID [<{date[2:10]}> <{date[2:10]}>] >>\nstartxref\n{len(body)}\n%%EOF\n"
    return body + table.encode() + trailer.encode()


def compared(legacy: bytes, new: bytes, media_type: str = "application/pdf") -> Comparison:
    return compare(answer(legacy, media_type), answer(new, media_type), (), CONTEXT)


@pytest.mark.parametrize(
    "new",
    [
        pdf(date="D:20250607080910Z"),
        pdf(packed=True),
        pdf(font="QWERTY+Sans"),
        pdf(spare=7),
    ],
)
def test_another_making_of_the_same_pdf_is_the_same(new: bytes) -> None:
    assert compared(pdf(), new).verdict == "match"


@pytest.mark.parametrize(
    ("new", "path"),
    [
        (pdf("Invoice 18"), "$.pages[*].text[*]"),
        (pdf("Invoice 18", packed=True), "$.pages[*].text[*]"),
        (pdf(title="Bill"), "$.info.Title"),
        (pdf(font="ABCDEF+Serif"), "$.pages[*].Resources.Font.F1.BaseFont"),
        (pdf(size="[0 0 200 300]"), "$.pages[*].MediaBox[*]"),
        (pdf(uri="https://shop.example/other"), "$.pages[*].Annots[*].A.URI"),
    ],
)
def test_what_differs_in_a_pdf_is_found_at_its_place(new: bytes, path: str) -> None:
    assert (path, "changed") in found(compared(pdf(), new))


def test_a_broken_pdf_is_one_difference_and_two_are_compared_by_bytes() -> None:
    cut = pdf()[:40]
    assert found(compared(pdf(), cut)) == [("$", "format")]
    assert found(compared(cut, cut + b" ")) == [("$", "changed")]


def hostile() -> Iterator[bytes]:
    bomb = zlib.compress(b"0" * 50_000_000, 9)
    plain = pdf(packed=True)
    start, end = plain.index(b"stream\n") + 7, plain.index(b"\nendstream")
    yield plain[:start] + bomb + plain[end:]
    yield plain.replace(b"/Count 1", b"/Count 99999999")
    yield pdf().replace(b"/Kids [3 0 R]", b"/Kids [2 0 R]")
    yield pdf().replace(b"(https://shop.example/pay)", b"[" * 5000 + b"]" * 5000)
    yield b"%PDF-1.4\n" + b"1 0 obj\n" * 100_000


@pytest.mark.parametrize(
    "body", list(hostile()), ids=["bomb", "pages", "circle", "depth", "objects"]
)
def test_a_hostile_pdf_ends_in_a_verdict(body: bytes) -> None:
    """Trap 36: bounded in work and memory."""
    comparison = compared(pdf(), body)
    assert comparison.verdict in ("mismatch", "compare_error", "match")
    assert comparison.reason != "internal"


def picture(form: str = "PNG", colour: tuple[int, int, int] = (9, 9, 9), **options: int) -> bytes:
    image = Image.new("RGB", (12, 8), (9, 9, 9))
    image.putpixel((3, 3), colour)
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def test_an_image_is_its_header_and_pixels() -> None:
    one, other = picture(compress_level=9), picture(compress_level=0)
    assert one != other
    assert compared(one, other, "image/png").verdict == "match"
    changed = picture(colour=(9, 9, 10))
    assert found(compared(one, changed, "image/png")) == [("$.frames[*].pixels", "changed")]
    assert ("$.format", "changed") in found(compared(one, picture("BMP"), "image/png"))


def test_a_broken_image_is_compared_by_its_bytes() -> None:
    assert found(compared(b"\x89PNG\0\1", b"\x89PNG\0\2", "image/png")) == [("$", "changed")]
    assert found(compared(picture(), b"\x89PNG\0", "image/png")) == [("$", "format")]


def test_an_image_that_would_fill_the_memory_is_refused() -> None:
    """Trap 36."""
    huge = io.BytesIO()
    Image.new("1", (5_000, 5_000)).save(huge, "PNG")
    comparison = compared(huge.getvalue(), picture(), "image/png")
    assert (comparison.verdict, comparison.reason) == ("compare_error", "too_large")


def test_without_a_library_bytes_are_compared() -> None:
    legacy, new = answer(pdf(), "application/pdf"), answer(pdf(packed=True), "application/pdf")
    assert found(compare(legacy, new)) == [("$", "changed")]
    assert compare(legacy, Answer(200, legacy.headers, legacy.body)).verdict == "match"


def test_reading_spends_the_budget() -> None:
    budget = Budget(Limits())
    before = budget.left
    readers()["pdf"](pdf(), budget)
    assert budget.left < before
