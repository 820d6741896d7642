"""Further real differences: what rewrites get wrong amid the noise of `further`."""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal
from typing import Any

from bench.truth.answers import Said, Side, as_json, document, instant
from bench.truth.differences import Change, Difference, edited, with_header, with_status, with_text
from bench.truth.further import (
    NAMES,
    ago,
    balanced,
    bundled,
    charted,
    couponed,
    delivered,
    deployed,
    due,
    expiring,
    gauges,
    guarded,
    hashed,
    labelled,
    limited,
    page_kept,
    png,
    printed,
    quoted,
    replicas,
    sealed,
    sent_on,
    snowflake,
    soap,
    sortable,
    squeezed,
    unsorted,
    zipped,
)
from bench.truth.noise import Answer

DAY_S = 86_400.0


def _data(change: Callable[[dict[str, Any]], Any]) -> Change:
    return edited(lambda data, side: change(data) and None)


def _body(change: Callable[[bytes], bytes]) -> Change:
    return lambda said, side, number: replace(said, body=change(said.body))


def _head(name: str, change: Callable[[str], str]) -> Change:
    return lambda said, side, number: replace(
        said, headers=[(k, change(v)) if k == name else (k, v) for k, v in said.headers]
    )


def _instead(make: Answer) -> Change:
    return lambda said, side, number: make(side, number)


def _d(base: Answer, change: Change, share: float = 1.0, at_random: bool = False) -> Difference:
    return Difference(base, change, share, at_random)


def _tax_cut(data: dict[str, Any]) -> None:
    """Tax without what is less than a cent."""
    mills = Decimal(str(data["net"])) * Decimal("0.19")
    data["tax"] = float(mills.quantize(Decimal("0.01"), ROUND_DOWN))


def _cents_lost(data: dict[str, Any]) -> None:
    data["gross_usd"] = float(int(data["gross_usd"]))


def _no_groups(data: dict[str, Any]) -> None:
    data["shown"] = data["shown"].replace(",", "")


def _as_double(said: Said, side: Side, number: int) -> Said:
    data = json.loads(said.body)
    data["order"] = int(float(data["order"]))
    return replace(said, body=json.dumps(data).encode())


def _foreign_label(body: bytes) -> bytes:
    """The first label names a field that is not there."""
    found = re.search(rb"for='f-([0-9a-f]{8})'", body)
    assert found
    return body.replace(found[0], b"for='f-" + found[1][::-1] + b"'", 1)


def _unescaped(body: bytes) -> bytes:
    return body.replace(b"&lt;", b"<").replace(b"&gt;", b">").replace(b"&amp;", b"&")


def _own_nonce(said: Said, side: Side, number: int) -> Said:
    """The policy names another nonce than the page's."""
    other = guarded(side, number)
    return replace(said, headers=other.headers)


def _told_day(data: dict[str, Any]) -> None:
    day = time.strptime(data["due"], "%d/%m/%Y")
    data["due"] = f"{day.tm_mon:02}/{day.tm_mday:02}/{day.tm_year}"


def _paid(said: Said, side: Side, number: int) -> Said:
    """The PDF tells another total."""
    return replace(said, body=re.sub(rb"Total ([0-9])", rb"Total 1", said.body))


def _less(side: Side, number: int) -> Said:
    files = {"order.json": json.dumps(document(number))}
    files["README.txt"] = f"Order {number}\nMade {instant(time.time())}\n"
    return replace(bundled(side, number), body=zipped(files, time.gmtime(time.time())[:6]))


def _smaller(side: Side, number: int) -> Said:
    pixels = [[(x * number + y * 3) % 256 for x in range(16)] for y in range(11)]
    return replace(charted(side, number), body=png(pixels, 6))


def _one_pixel(side: Side, number: int) -> Said:
    pixels = [[(x * number + y * 3) % 256 for x in range(16)] for y in range(12)]
    pixels[5][5] ^= 64
    return replace(charted(side, number), body=png(pixels, 6))


def _mojibake(said: Said, side: Side, number: int) -> Said:
    data = {**document(number), "token": side.hexadecimal(24)}
    data["buyer"] = NAMES[number % 5].encode().decode("latin-1")
    return as_json(data)


def _cut_short(said: Said, side: Side, number: int) -> Said:
    packed = gzip.compress(said.body if said.body[:1] == b"{" else gzip.decompress(said.body))
    return Said(packed[:-9], 200, [*said.headers[:1], ("Content-Encoding", "gzip")])


def _first_kept(said: Said, side: Side, number: int) -> Said:
    """New never forgets a page."""
    return side.kept(f"for ever {number}", 1e9, lambda: said)


def _field_of_late(said: Said, side: Side, number: int) -> Said:
    return said


def _with_late_field(side: Side, number: int) -> Said:
    """Legacy is deployed in between, and tells a member more from then on."""
    side.state["asked"] = side.state.get("asked", 0) + 1
    data = document(number)
    data["request_id"] = side.uuid()
    if not side.new and side.state["asked"] > 250:
        data["channel"] = "web"
    return as_json(data)


def _old_replica(said: Said, side: Side, number: int) -> Said:
    data = json.loads(said.body)
    data["currency"], data["total"] = "EUR", round(data["total"] * 1.16 / 1.19, 2)
    return replace(said, body=json.dumps(data).encode())


def _same_coupon(said: Said, side: Side, number: int) -> Said:
    data = json.loads(said.body)
    if "coupon" in data:
        data["coupon"] = 10_000 + number * 7
    return replace(said, body=json.dumps(data).encode())


def _kibibytes(data: dict[str, Any]) -> None:
    data["memory_bytes"] //= 1_024


def _soft(side: Side, number: int) -> Said:
    return as_json({"error": "not found"}, status=200)


def _gone(side: Side, number: int) -> Said:
    if number % 30 == 4:
        return as_json({"error": "not found", "trace": side.uuid()}, status=404)
    return as_json({**document(number), "trace": side.uuid()})


def _soft_404(said: Said, side: Side, number: int) -> Said:
    return replace(said, status=200)


def _no_zero(data: dict[str, Any]) -> None:
    data["from"] = data["from"].removeprefix("0")
    data["stops_before"] -= data["stops_before"] % 3 == 0


FURTHER_WRONG: dict[str, Difference] = {
    # money and moments
    "tax cut off amid rates": _d(quoted, _data(_tax_cut), 0.2),
    "dollars without cents amid rates": _d(quoted, _data(_cents_lost), 0.06),
    "no signs between thousands amid rates": _d(quoted, _data(_no_groups), 0.3),
    "a stop less before a parcel": _d(delivered, _data(_no_zero), 0.2),
    "an hour later at the door": _d(
        delivered,
        _data(lambda d: d.update(to=f"{(int(d['to'][:2]) + 1) % 24:02}{d['to'][2:]}")),
        0.05,
    ),
    "month and day the other way round": _d(due, _data(_told_day), 0.04),
    "a day less until it is due": _d(
        due, _data(lambda d: d.update(days_left=d["days_left"] - 1)), 0.03
    ),
    # ids and lists
    "an id of 64 bits as a double": _d(snowflake, _as_double),
    "a drawn id in capitals": _d(sortable, _data(lambda d: d.update(trace=d["trace"].upper()))),
    "an id without its moment": _d(
        sortable, lambda s, side, n: edited(lambda d, x: d.update(trace=x.uuid()))(s, side, n), 0.5
    ),
    "a cursor on the last page": _d(
        sealed, _data(lambda d: d["page"].update(next=d["page"]["next"] or "A" * 60))
    ),
    "another size in a link": _d(
        sealed,
        _data(lambda d: d["links"].update(next=d["links"]["next"] + "0") if d["links"] else None),
        0.02,
    ),
    "a tag lost from a set": _d(hashed, _data(lambda d: d["tags"] and d["tags"].pop()), 0.04),
    "a tag twice in a set": _d(
        hashed, _data(lambda d: d["tags"] and d["tags"].append(d["tags"][0])), 0.05
    ),
    # pages
    "a label of another field": _d(labelled, _body(_foreign_label)),
    "names that are not escaped": _d(labelled, _body(_unescaped)),
    "a sum without its comma": _d(
        labelled, _body(lambda b: re.sub(rb"([0-9]),([0-9]{3})", rb"\1\2", b)), 0.1
    ),
    "another nonce in the policy": _d(guarded, _own_nonce),
    "a comment of another": _d(ago, with_text("Text 1", "Text 2"), 0.01),
    "ages in minutes alone": _d(
        ago, _body(lambda b: re.sub(rb"[0-9]+ seconds? ago", b"0 minutes ago", b))
    ),
    # documents and files
    "a time stamp that never expires": _d(
        soap, _body(lambda b: re.sub(rb"<u:Expires>.*?</u:Expires>", b"", b)), 0.03
    ),
    "an amount beside a message's id": _d(soap, with_text("<o:Total>", "<o:Total>1"), 0.01),
    "a comma for a point in rows": _d(
        unsorted, _body(lambda b: re.sub(rb",([0-9]+)\.([0-9]{2}),", rb',"\1,\2",', b)), 0.04
    ),
    "a row lost from any order": _d(
        unsorted, _body(lambda b: b"\n".join([*b.split(b"\n")[:-2], b""])), 0.02
    ),
    "another total in a PDF": _d(printed, _paid, 0.05),
    "a file lost from a ZIP": _d(bundled, _instead(_less), 0.03),
    "a chart of one row less": _d(charted, _instead(_smaller), 0.02),
    "a pixel in a chart": _d(charted, _instead(_one_pixel), 0.02),
    # heads
    "a session that is sent anywhere": _d(
        balanced, _head("Set-Cookie", lambda v: v.replace("SameSite=Lax", "SameSite=None")), 0.05
    ),
    "a balancer's cookie for an hour": _d(
        balanced,
        _head(
            "Set-Cookie",
            lambda v: re.sub(
                "Expires=[^;]*",
                "Expires=" + instant(time.time() + 3_600, "%a, %d %b %Y %H:%M:%S GMT"),
                v,
            ),
        ),
    ),
    "kept for a minute at any time": _d(
        expiring, _head("Cache-Control", lambda v: re.sub("max-age=[0-9]+", "max-age=60", v))
    ),
    "no word on errors in caching": _d(
        expiring, _head("Cache-Control", lambda v: v.replace(", stale-if-error=300", "")), 0.01
    ),
    "a refusal as success": _d(
        limited, lambda s, side, n: replace(s, status=200) if s.status == 429 else s
    ),
    "an error as success": _d(_gone, _soft_404),
    "a redirect without its state": _d(
        sent_on, _head("Location", lambda v: re.sub("&state=[0-9a-f]+", "", v)), 0.05
    ),
    "a redirect that leads home": _d(
        sent_on, _head("Location", lambda v: re.sub("return_to=.*", "return_to=%2F", v)), 0.1
    ),
    "found for see other": _d(sent_on, with_status(303), 0.003),
    "a name in broken signs": _d(squeezed, _mojibake, 0.05),
    "packed and cut short": _d(squeezed, _cut_short, 0.02),
    # replicas, caches, deploys
    "a replica half a minute behind": _d(replicas(1.0), _instead(replicas(30.0))),
    "pages that are never forgotten": _d(page_kept(1.0), _first_kept),
    "the same coupon each time": _d(couponed, _same_coupon),
    "a build that is told for ever": _d(
        deployed, _data(lambda d: d.update(build="2.3.1", config="c1")), 0.05
    ),
    "memory in other units": _d(gauges, _data(_kibibytes)),
    "a limit beside gauges": _d(gauges, _data(lambda d: d.update(limit=100)), 0.01),
    "a member that legacy has since a deploy": _d(_with_late_field, _field_of_late),
    "one of two replicas of old": _d(
        lambda side, number: as_json({**document(number), "trace": side.uuid()}),
        _old_replica,
        0.5,
        at_random=True,
    ),
    "no validator of a page kept": _d(
        lambda side, number: as_json(
            document(number), [("ETag", f'"{number}"'), ("X-Served", side.hexadecimal(16))]
        ),
        with_header("ETag", None),
        0.02,
    ),
}
"""By name."""
