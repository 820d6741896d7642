"""Further noise: money, dates, ids, lists, pages, files, cookies, caches, replicas."""

from __future__ import annotations

import base64
import gzip
import io
import json
import math
import struct
import time
import zipfile
import zlib

from bench.truth.answers import (
    Said,
    Side,
    as_html,
    as_json,
    as_text,
    document,
    fixed,
    instant,
)
from bench.truth.noise import Answer

DAY_S = 86_400.0
NAMES = ("Müller & Söhne", "Ana <Ortiz>", "O'Neill", "Żółw", "Smith")


def grouped(value: float) -> str:
    """An amount as people in England write it."""
    return f"{value:,.2f}"


# -- money and moments -----------------------------------------------------------------------


def quoted(side: Side, number: int) -> Said:
    """An invoice in dollars, by a rate that moves each second, as text and as a number."""
    rate = 1.1 + 0.02 * math.sin(int(time.time()))
    net = round(fixed(number, "net").uniform(20, 4_000), 2)
    tax = round(net * 0.19, 2)
    return as_json(
        {
            "invoice": number,
            "net": net,
            "tax": tax,
            "gross": round(net + tax, 2),
            "gross_usd": round((net + tax) * rate, 2),
            "shown": f"$ {grouped((net + tax) * rate)}",
        }
    )


def delivered(side: Side, number: int) -> Said:
    """A window of delivery, by the five minutes that it is."""
    begins = (time.time() // 300 + 6 + number % 4) * 300
    return as_json(
        {
            "parcel": f"P{number:06}",
            "from": instant(begins, "%H:%M"),
            "to": instant(begins + 1_800, "%H:%M"),
            "date": instant(begins, "%Y-%m-%d"),
            "stops_before": 3 + number % 9,
        }
    )


def due(side: Side, number: int) -> Said:
    """Days until something, and a day of today."""
    today = int(time.time() // DAY_S)
    until = today + 3 + number % 40
    return as_json(
        {
            "id": number,
            "as_of": instant(today * DAY_S, "%Y-%m-%d"),
            "due": instant(until * DAY_S, "%d/%m/%Y"),
            "days_left": until - today,
            "checked_at": instant(time.time()),
        }
    )


# -- ids and pages ---------------------------------------------------------------------------


def snowflake(side: Side, number: int) -> Said:
    """An id of 64 bits with a moment in it, drawn by each side; and one of the order."""
    made = int(time.time() * 1_000) - 1_288_834_974_657
    drawn = (made << 22) | ((2 if side.new else 1) << 17) | side.number("seq") % 4_096
    kept = (1_500_000_000_000 + number * 7_919) * 4_194_304 + number * 31 + 1
    return as_json({"event": drawn, "event_text": str(drawn), "order": kept, "total": number * 1.5})


def _crockford(value: int, length: int) -> str:
    signs = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    return "".join(signs[value >> (5 * at) & 31] for at in reversed(range(length)))


def sortable(side: Side, number: int) -> Said:
    """A UUID of version 7 and a ULID, which begin with the moment."""
    made = int(time.time() * 1_000)
    text = f"{made:012x}7{side.hexadecimal(3)}{'89ab'[side.chance.randrange(4)]}"
    text += side.hexadecimal(15)
    uuid = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    ulid = _crockford(made, 10) + _crockford(side.chance.getrandbits(80), 16)
    return as_json({**document(number), "trace": uuid, "span": ulid})


def sealed(side: Side, number: int) -> Said:
    """A cursor that is encrypted with a nonce of its own, also in a link."""
    cursor = base64.urlsafe_b64encode(side.chance.randbytes(45)).decode()
    last = number % 7 == 0
    return as_json(
        {
            "data": [{"id": number * 20 + n, "name": f"Row {n}"} for n in range(5)],
            "page": {"size": 5, "next": None if last else cursor},
            "links": {} if last else {"next": f"/rows?after={cursor}&limit=5"},
        }
    )


def hashed(side: Side, number: int) -> Said:
    """Tags out of a set of hashes: in any order, none to six of them."""
    tags = [f"tag-{(number * 3 + n) % 50}" for n in range(number % 7)]
    side.chance.shuffle(tags)
    return as_json({"id": number, "tags": tags, "owners": sorted(tags)[:2]})


# -- pages -----------------------------------------------------------------------------------


def labelled(side: Side, number: int) -> Said:
    """A form whose fields have drawn ids, and labels that name them."""
    order = document(number)
    fields = ""
    for name in ("street", "city", "note"):
        drawn = f"f-{side.hexadecimal(8)}"
        fields += f"<label for='{drawn}'>{name}</label><input id='{drawn}' name='{name}'>"
    who = NAMES[number % 5].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return as_html(
        f"<h1>{order['reference']}</h1><p class='who'>{who}</p><form>{fields}</form>"
        f"<p class='sum'>{grouped(order['total'] * 10)} EUR</p>"
    )


def guarded(side: Side, number: int) -> Said:
    """A page whose policy names the nonce of its scripts."""
    nonce = base64.b64encode(side.chance.randbytes(12)).decode()
    page = (
        f"<h1>{document(number)['reference']}</h1>"
        f"<script nonce='{nonce}'>a({number})</script><script nonce='{nonce}'>b()</script>"
    )
    return as_html(page, [("Content-Security-Policy", f"script-src 'nonce-{nonce}'")])


def ago(side: Side, number: int) -> Said:
    """Comments with their age in words, the newest of now."""
    now = time.time()
    born = [now // 20 * 20, now // 400 * 400 - 700, 1.7e9]
    rows = "".join(
        f"<li><b>{NAMES[(number + n) % 3][:3]}</b> <time>{_age(now - at)}</time> Text {n}</li>"
        for n, at in enumerate(born)
    )
    return as_html(f"<h2>Comments of {number}</h2><ul>{rows}</ul>")


def _age(seconds: float) -> str:
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {name}{'s' * (count != 1)} ago"
    return "just now"


# -- documents and files ---------------------------------------------------------------------


def soap(side: Side, number: int) -> Said:
    """An envelope with an id of its own and a time stamp that expires."""
    now = time.time()
    order = document(number)
    text = (
        "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope' "
        "xmlns:a='http://www.w3.org/2005/08/addressing' xmlns:u='urn:util' xmlns:o='urn:orders'>"
        f"<s:Header><a:MessageID>urn:uuid:{side.uuid()}</a:MessageID>"
        f"<u:Timestamp><u:Created>{instant(now)}</u:Created>"
        f"<u:Expires>{instant(now + 300)}</u:Expires></u:Timestamp></s:Header>"
        f"<s:Body><o:Order><o:Id>{number}</o:Id><o:Total>{order['total']}</o:Total>"
        "</o:Order></s:Body></s:Envelope>"
    )
    return as_text(text, "application/soap+xml; charset=utf-8")


def unsorted(side: Side, number: int) -> Said:
    """Rows in any order, each with the moment of the export."""
    rows = [
        f"{number * 8 + n},{(number * 37 + n * 11) % 900 / 10:.2f},{instant(time.time())}"
        for n in range(8)
    ]
    side.chance.shuffle(rows)
    text = "\n".join(["id,amount,exported", *rows, ""])
    return as_text(text, "text/csv; charset=utf-8")


def printed(side: Side, number: int) -> Said:
    """A PDF of one page, with the day it was made and an id."""
    return Said(
        pdf(
            [f"Invoice {number}", f"Total {document(number)['total']} EUR"],
            instant(time.time(), "D:%Y%m%d%H%M%S+00'00'"),
            side.hexadecimal(32),
        ),
        200,
        [("Content-Type", "application/pdf")],
    )


def pdf(lines: list[str], made: str, name: str) -> bytes:
    """A small PDF that shows these lines."""
    shown = "".join(f"BT /F1 12 Tf 50 {700 - 20 * n} Td ({t}) Tj ET\n" for n, t in enumerate(lines))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        "/Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(shown)} >>\nstream\n{shown}endstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"<< /CreationDate ({made}) /Producer (Printer) >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for at, text in enumerate(objects, 1):
        places.append(len(out))
        out += f"{at} 0 obj\n{text}\nendobj\n".encode()
    start = len(out)
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode()
    trailer = f"/Size {len(objects) + 1} /Root 1 0 R /Info 6 0 R /ID [<{name}> <{name}>]"
    return out + f"trailer\n<< {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode()


def bundled(side: Side, number: int) -> Said:
    """A ZIP whose files are of now, and one of which says when it was made."""
    now = time.gmtime(time.time())[:6]
    files = {
        "order.json": json.dumps(document(number)),
        "README.txt": f"Order {number}\nMade {instant(time.time())}\n",
        "lines.csv": "sku,price\n" + f"S{number},{number / 4:.2f}\n",
    }
    return Said(zipped(files, now), 200, [("Content-Type", "application/zip")])


def zipped(files: dict[str, str], moment: tuple[int, ...]) -> bytes:
    """A ZIP of texts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, moment[:6]), text)  # type: ignore[arg-type]
    return out.getvalue()


def charted(side: Side, number: int) -> Said:
    """A chart as PNG: packed otherwise by each side, with the moment in a comment."""
    pixels = [[(x * number + y * 3) % 256 for x in range(16)] for y in range(12)]
    level = 1 if side.new else 9
    comment = f"Software\0chart {instant(time.time())}"
    return Said(png(pixels, level, comment), 200, [("Content-Type", "image/png")])


def png(rows: list[list[int]], level: int, comment: str = "") -> bytes:
    """A grey picture."""
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    raw = b"".join(b"\0" + bytes(row) for row in rows)
    parts = [(b"IHDR", head)]
    parts += [(b"tEXt", comment.encode())] * bool(comment)
    parts += [(b"IDAT", zlib.compress(raw, level)), (b"IEND", b"")]
    out = b"\x89PNG\r\n\x1a\n"
    for name, data in parts:
        out += struct.pack(">I", len(data)) + name + data
        out += struct.pack(">I", zlib.crc32(name + data))
    return out


# -- heads -----------------------------------------------------------------------------------


def balanced(side: Side, number: int) -> Said:
    """A session, and the cookie of a balancer that is renewed for a week."""
    until = instant(time.time() + 7 * DAY_S, "%a, %d %b %Y %H:%M:%S GMT")
    drawn = base64.b64encode(side.chance.randbytes(93)).decode()
    return as_json(
        document(number),
        [
            ("Set-Cookie", f"AWSALB={drawn}; Expires={until}; Path=/"),
            ("Set-Cookie", f"sid=s.{side.hexadecimal(32)}; Path=/; HttpOnly; SameSite=Lax"),
            ("Vary", "Cookie"),
        ],
    )


def expiring(side: Side, number: int) -> Said:
    """What may be kept until the next full minute."""
    left = 60 - int(time.time()) % 60
    told = [("Cache-Control", f"public, max-age={left}, stale-if-error=300"), ("Age", "0")]
    return as_json(document(number), told)


def limited(side: Side, number: int) -> Said:
    """One answer in thirty is a refusal: come again."""
    if side.chance.random() < 1 / 30:
        told = [("Retry-After", str(side.chance.randint(1, 5)))]
        return as_json({"error": "too_many_requests"}, told, 429)
    return as_json(document(number))


def sent_on(side: Side, number: int) -> Said:
    """A redirect to a login, with a state and a nonce that are drawn."""
    to = (
        f"https://id.example/authorize?client_id=shop&redirect_uri=https%3A%2F%2Fshop.example%2Fcb"
        f"&scope=openid&state={side.hexadecimal(32)}&nonce={side.uuid()}&return_to=%2Forders%2F{number}"
    )
    return Said(b"", 302, [("Location", to), ("Cache-Control", "no-store")])


def squeezed(side: Side, number: int) -> Said:
    """Packed now and then; the names are not plain ASCII."""
    data = {**document(number), "buyer": NAMES[number % 5], "token": side.hexadecimal(24)}
    said = as_json(data)
    said.body = json.dumps(data, ensure_ascii=False).encode()
    if side.chance.random() < 0.5:
        said.body = gzip.compress(said.body)
        said.headers.append(("Content-Encoding", "gzip"))
    return said


# -- replicas, caches, deploys ---------------------------------------------------------------


def replicas(behind_s: float, lives_s: float = 5.0) -> Answer:
    """Two replicas answer in turns of chance; one is behind."""

    def answer(side: Side, number: int) -> Said:
        now = time.time() - (behind_s if side.chance.random() < 0.5 else 0.0)
        version = int(now / lives_s)
        return as_json({**document(number), "version": version, "seats": (version * 7) % 200})

    return answer


def page_kept(seconds: float) -> Answer:
    """Each side keeps each page for so long; the data live three seconds."""

    def answer(side: Side, number: int) -> Said:
        seats = side.kept(f"page {number}", seconds, lambda: int(time.time() / 3) * 13 % 500)
        return as_json({**document(number), "seats_left": seats})

    return answer


def couponed(side: Side, number: int) -> Said:
    """One customer in twenty gets a coupon that is drawn anew."""
    data = document(number)
    if number % 20 == 7:
        data["coupon"] = side.chance.randrange(10_000, 99_999)
    return as_json(data)


def deployed(side: Side, number: int) -> Said:
    """A build that both sides tell, and that another follows after two minutes."""
    build = int(time.time() / 120)
    return as_json({**document(number), "build": f"2.3.{build % 50}", "config": f"c{build % 9}"})


def gauges(side: Side, number: int) -> Said:
    """What a process of each side measures, some of it for five seconds."""
    depth = side.kept("depth", 5.0, lambda: side.chance.choices([0, 1, 2, 7], [85, 9, 4, 2])[0])
    return as_json(
        {
            "node": number % 3,
            "memory_bytes": int(side.chance.gauss(8e8, 2e7)),
            "queue_depth": depth,
            "p99_ms": round(side.chance.lognormvariate(3, 0.4), 1),
            "limit": 1_000,
        }
    )


FURTHER: dict[str, Answer] = {
    "an invoice in dollars of this second": quoted,
    "a window of delivery": delivered,
    "days until it is due": due,
    "ids of 64 bits with a moment": snowflake,
    "a UUID of version 7 and a ULID": sortable,
    "an encrypted cursor": sealed,
    "tags out of a set": hashed,
    "labels of drawn ids": labelled,
    "a nonce in two scripts": guarded,
    "comments with their age": ago,
    "an envelope with a time stamp": soap,
    "rows in any order": unsorted,
    "a PDF of now": printed,
    "a ZIP of now": bundled,
    "a chart packed otherwise": charted,
    "a balancer's cookie": balanced,
    "kept until the full minute": expiring,
    "one refusal in thirty": limited,
    "a redirect with a state": sent_on,
    "packed now and then": squeezed,
    "a replica a second behind": replicas(1.0),
    "each page kept for ten seconds": page_kept(10.0),
    "a coupon for some": couponed,
    "a build that is followed by another": deployed,
    "gauges of a process": gauges,
}
"""By name, how a side answers."""
