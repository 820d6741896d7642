"""What rewrites of applications of many makes get wrong, beside what those vary by themselves."""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bench.truth.answers import Said, Side, instant
from bench.truth.differences import Change, Difference, edited, with_header, with_text
from bench.truth.noise import Answer
from bench.truth.strangers import (
    b64,
    bucket,
    bucketed,
    bumped,
    cached,
    cookies,
    django,
    exported,
    flagged,
    graphql,
    hal,
    hours,
    issues,
    jwt,
    links,
    near,
    odata,
    offer,
    payments,
    priced,
    rails,
    recommended,
    rss,
    search,
    signed,
    stock,
    traced,
    waiting,
    wordpress,
)

DAY_S = 86_400.0


def _rows(change: Callable[[Any], Any]) -> Change:
    return edited(lambda data, side: change(data) and None)


def _claims(change: Callable[[dict[str, Any]], Any]) -> Change:
    def changed(data: dict[str, Any], side: Side) -> None:
        head, claims, signature = data["access_token"].split(".")
        told = json.loads(base64.urlsafe_b64decode(claims + "=="))
        change(told)
        data["access_token"] = f"{head}.{b64(json.dumps(told).encode())}.{signature}"

    return edited(changed)


def _kept(seconds: float) -> Change:
    """New keeps its answer for a while: it is behind."""

    def changed(said: Said, side: Side, number: int) -> Said:
        return side.kept(f"answer {number}", seconds, lambda: said)

    return changed


def _by_two(said: Said, side: Side, number: int) -> Said:
    data = json.loads(said.body)
    data["views"] = 2 * data["views"]
    return replace(said, body=json.dumps(data).encode())


def _lowered(said: Said, side: Side, number: int) -> Said:
    told = [
        (k, v.replace("HttpOnly; ", "")) if k == "Set-Cookie" else (k, v) for k, v in said.headers
    ]
    return replace(said, headers=told)


def _header(name: str, change: Callable[[str], str]) -> Change:
    return lambda said, side, number: replace(
        said, headers=[(k, change(v)) if k == name else (k, v) for k, v in said.headers]
    )


def _d(base: Answer, change: Change, share: float = 1.0, at_random: bool = False) -> Difference:
    return Difference(base, change, share, at_random)


WRONG: dict[str, Difference] = {
    "has_more wrong on the last page": _d(payments, _rows(lambda d: d.update(has_more=True)), 0.2),
    "a charge lost": _d(payments, _rows(lambda d: d["data"].pop()), 0.03),
    "amounts in units": _d(
        payments, _rows(lambda d: d["data"][0].update(amount=d["data"][0]["amount"] / 100)), 0.01
    ),
    "another host in receipts": _d(
        payments,
        _rows(
            lambda d: d["data"][1].update(
                receipt_url=d["data"][1]["receipt_url"].replace("pay.example", "localhost")
            )
        ),
        0.02,
    ),
    "another page in a link": _d(
        issues, _header("Link", lambda v: v.replace("page=2>", "page=1>")), 0.02
    ),
    "a strong validator for a weak one": _d(
        issues, _header("ETag", lambda v: v.removeprefix("W/"))
    ),
    "the reset of a limit in milliseconds": _d(
        issues, _header("X-RateLimit-Reset", lambda v: v + "000"), 0.05
    ),
    "the reset of a limit an hour later": _d(
        issues, _header("X-RateLimit-Reset", lambda v: str(int(v) + 3_600))
    ),
    "the next page for the last": _d(odata, _rows(lambda d: d.pop("@odata.nextLink")), 0.02),
    "a count that is off by one": _d(
        odata, _rows(lambda d: d.update({"@odata.count": d["@odata.count"] + 1})), 0.01
    ),
    "a skip token without a number": _d(
        odata,
        _rows(
            lambda d: d.update(
                {
                    "@odata.nextLink": d["@odata.nextLink"].partition("=")[0]
                    + "="
                    + b64(json.dumps({"t": int(time.time() * 1e3)}).encode())
                }
            )
        ),
    ),
    "a link to another order": _d(
        hal,
        _rows(
            lambda d: d["_links"]["invoice"].update(
                href=d["_links"]["invoice"]["href"].replace("/files/", "/files/1")
            )
        ),
        0.03,
    ),
    "a signature cut short": _d(
        hal,
        _rows(lambda d: d["_links"]["invoice"].update(href=d["_links"]["invoice"]["href"][:-8])),
        0.03,
    ),
    "no type of a link": _d(hal, _rows(lambda d: d["_links"]["invoice"].pop("type")), 0.01),
    "a channel built a day ago": _d(
        rss,
        lambda s, side, n: replace(
            s,
            body=s.body.replace(
                instant(time.time(), "%a, %d %b %Y %H:%M:%S +0000").encode(),
                instant(time.time() - DAY_S, "%a, %d %b %Y %H:%M:%S +0000").encode(),
            ),
        ),
        0.1,
    ),
    "posts in another order": _d(rss, lambda s, side, n: replace(s, body=_swapped(s.body)), 0.02),
    "a guid that is a link": _d(rss, with_text("isPermaLink='false'", "isPermaLink='true'"), 0.02),
    "a key lost": _d(
        bucket,
        lambda s, side, n: replace(
            s,
            body=s.body.partition(b"<Contents>")[0]
            + b"<Contents>"
            + s.body.partition(b"<Contents>")[2].partition(b"<Contents>")[2],
        ),
        0.02,
    ),
    "truncated said to be whole": _d(
        bucket, with_text("<IsTruncated>true", "<IsTruncated>false"), 0.01
    ),
    "no token to go on with": _d(
        bucket,
        lambda s, side, n: replace(s, body=s.body.partition(b"<NextC")[0] + b"</ListBucketResult>"),
        0.02,
    ),
    "a token of CSRF without a mask": _d(
        django,
        lambda s, side, n: replace(
            s,
            body=s.body.replace(
                b"csrfmiddlewaretoken' value='", b"csrfmiddlewaretoken' value='" + b"A" * 8
            ),
        ),
        0.05,
    ),
    "a table without its last row": _d(
        django, lambda s, side, n: replace(s, body=_no_last_row(s.body)), 0.02
    ),
    "a cookie that JavaScript may not read": _d(
        django, _header("Set-Cookie", lambda v: v + "; HttpOnly"), 0.02
    ),
    "one nonce for all pages": _d(rails, lambda s, side, n: replace(s, body=_one_nonce(s.body))),
    "no nonce in the policy": _d(
        rails,
        _header(
            "Content-Security-Policy", lambda v: v.partition(" 'nonce")[0] + "; object-src 'none'"
        ),
        0.02,
    ),
    "a total with a comma": _d(
        rails,
        lambda s, side, n: replace(
            s,
            body=s.body.replace(
                f"{n * 1.1:.2f}".encode(), f"{n * 1.1:.2f}".replace(".", ",").encode()
            ),
        ),
        0.02,
    ),
    "an entity twice escaped": _d(
        wordpress,
        _rows(lambda d: d["title"].update(rendered=d["title"]["rendered"].replace("&", "&amp;"))),
        0.02,
    ),
    "a form without its nonce": _d(
        wordpress,
        _rows(
            lambda d: d["content"].update(
                rendered=d["content"]["rendered"].partition(" data-nonce")[0] + "><b>Buy</b></form>"
            )
        ),
        0.03,
    ),
    "pages counted wrong": _d(wordpress, with_header("X-WP-TotalPages", "50"), 0.02),
    "a score that is off": _d(
        search,
        _rows(lambda d: d["hits"]["hits"][2].update(_score=d["hits"]["hits"][2]["_score"] * 1.01)),
        0.05,
    ),
    "hits without their mark": _d(
        search,
        _rows(lambda d: d["hits"]["hits"][0]["highlight"].update(title=["An order of"])),
        0.02,
    ),
    "two hits the other way round": _d(
        search, _rows(lambda d: d["hits"]["hits"].insert(0, d["hits"]["hits"].pop(1))), 0.03
    ),
    "a shard that fails": _d(search, _rows(lambda d: d["_shards"].update(successful=4)), 0.02),
    "one of them twice": _d(
        recommended, _rows(lambda d: d["picks"].__setitem__(0, d["picks"][1])), 0.05
    ),
    "eleven of twenty": _d(recommended, _rows(lambda d: d["picks"].pop()), 0.03),
    "the price of another": _d(recommended, _rows(lambda d: d["picks"][0].update(price=999)), 0.03),
    "one of another customer": _d(
        recommended, _rows(lambda d: d["picks"][0].update(sku="P999")), 0.05
    ),
    "all in the first variant": _d(
        bucketed, _rows(lambda d: d["experiments"].update(checkout="A"))
    ),
    "one exposure for all": _d(
        bucketed, _rows(lambda d: d.update(exposure="6f1e0d42-0c1a-4e0b-9d55-0a1b2c3d4e5f"))
    ),
    "a rate of yesterday": _d(
        priced, _rows(lambda d: d.update(rate=1.075, usd=round(d["eur"] * 1.075, 2))), 0.05
    ),
    "cents cut off": _d(priced, _rows(lambda d: d.update(usd=math.floor(d["usd"]))), 0.05),
    "miles for kilometres": _d(
        near, _rows(lambda d: d["near"][0].update(km=d["near"][0]["km"] / 1.609)), 0.01
    ),
    "latitude for longitude": _d(
        near, _rows(lambda d: d["near"][1].update(lat=d["near"][1]["lon"])), 0.01
    ),
    "a distance rounded": _d(
        near, _rows(lambda d: [p.update(km=round(p["km"], 3)) for p in d["near"]])
    ),
    "a session for scripts to read": _d(cookies, _lowered, 0.02),
    "a session of eight hours": _d(
        cookies,
        _header(
            "Set-Cookie",
            lambda v: (
                v.partition("; Expires=")[0]
                + "; Expires="
                + instant(time.time() + 28_800, "%a, %d %b %Y %H:%M:%S GMT")
            ),
        ),
    ),
    "one session for all": _d(
        cookies, _header("Set-Cookie", lambda v: "sess=" + "Q" * 32 + "; " + v.partition("; ")[2])
    ),
    "a scope too much": _d(jwt, _claims(lambda c: c.update(scope="read write admin")), 0.02),
    "a token of a day": _d(jwt, _claims(lambda c: c.update(exp=c["iat"] + 86_400))),
    "a token without jti": _d(jwt, _claims(lambda c: c.pop("jti")), 0.03),
    "another subject": _d(jwt, _claims(lambda c: c.update(sub="u0")), 0.02),
    "a URL of ten times the time": _d(
        signed,
        _rows(
            lambda d: d["upload"].update(
                url=d["upload"]["url"].replace("Expires=900", "Expires=9000")
            )
        ),
        0.03,
    ),
    "a URL of another region": _d(
        signed,
        _rows(
            lambda d: d["upload"].update(url=d["upload"]["url"].replace("eu-west-1", "us-east-1"))
        ),
    ),
    "a URL signed an hour ago": _d(
        signed,
        lambda s, side, n: replace(
            s,
            body=s.body.replace(
                instant(time.time(), "%Y%m%dT%H%M%SZ").encode(),
                instant(time.time() - 3_600, "%Y%m%dT%H%M%SZ").encode(),
            ),
        ),
    ),
    "always from the cache": _d(traced, with_header("X-Cache-Status", "HIT")),
    "a total amid traces": _d(traced, _rows(lambda d: d.update(total=d["total"] + 0.01)), 0.01),
    "one stock too much": _d(stock, _rows(lambda d: d.update(left=d["left"] + 1))),
    "a stock that stands still": _d(stock, _rows(lambda d: d.update(left=9_000))),
    "two each for five": _d(stock, _rows(lambda d: d.update(per_order=2)), 0.01),
    "closed for some": _d(hours, _rows(lambda d: d.update(open=False)), 0.02),
    "closing in another zone": _d(
        hours, _rows(lambda d: d.update(closes_at=instant((time.time() // 3_600 + 1) * 3_600)))
    ),
    "minutes off by one": _d(hours, _rows(lambda d: d.update(minutes_left=d["minutes_left"] + 1))),
    "an offer in milliseconds": _d(
        offer, _rows(lambda d: d.update(ends_in_s=d["ends_in_s"] * 1_000)), 0.05
    ),
    "an offer ten minutes longer": _d(
        offer, _rows(lambda d: d.update(ends_in_s=d["ends_in_s"] + 600))
    ),
    "an offer that is over": _d(offer, _rows(lambda d: d.update(ends_in_s=0, active=False)), 0.02),
    "always at the front": _d(waiting, _rows(lambda d: d.update(ahead=0, eta_s=0)), 0.05),
    "ten behind": _d(waiting, _rows(lambda d: d.update(ahead=d["ahead"] + 10))),
    "a flag the other way round": _d(
        flagged, _rows(lambda d: d["flags"].update(flag_3=not d["flags"]["flag_3"])), 0.02
    ),
    "a role too many": _d(flagged, _rows(lambda d: d["roles"].append("root")), 0.02),
    "a role lost": _d(flagged, _rows(lambda d: d["roles"].pop()), 0.03),
    "a link without its session": _d(
        links, lambda s, side, n: replace(s, body=s.body.replace(b";jsessionid=", b"", 1)), 0.03
    ),
    "a price beside sessions": _d(
        links,
        lambda s, side, n: replace(
            s, body=s.body.replace(f"{n * 2.5:.2f}".encode(), f"{n * 2.5 + 1:.2f}".encode())
        ),
        0.01,
    ),
    "an amount beside checksums": _d(exported, with_text(";2.50;", ";2.05;"), 0.02),
    "a row of an export lost": _d(
        exported,
        lambda s, side, n: replace(
            s, body=b"\n".join(s.body.split(b"\n")[:5] + s.body.split(b"\n")[6:])
        ),
        0.02,
    ),
    "no line of when it was made": _d(
        exported, lambda s, side, n: replace(s, body=s.body.partition(b"# made")[0]), 0.03
    ),
    "an error beside data": _d(graphql, _rows(lambda d: d.update(errors=[{"message": "x"}])), 0.02),
    "numbers for ids": _d(
        graphql, _rows(lambda d: d["data"]["order"].update(id=int(d["data"]["order"]["id"]))), 0.02
    ),
    "kept five seconds of data that lives five": _d(cached(5.0), _kept(5.0)),
    "kept a minute of data that lives five seconds": _d(cached(5.0), _kept(60.0)),
    "one version behind": _d(cached(5.0), _rows(lambda d: d.update(version=d["version"] - 1))),
    "by two for by one": _d(bumped, _by_two),
    "views that skip": _d(
        bumped, lambda s, side, n: s if side.chance.random() < 0.7 else bumped(side, n)
    ),
    "views of zero": _d(bumped, _rows(lambda d: d.update(views=0)), 0.05),
}
"""By name."""


def _swapped(body: bytes) -> bytes:
    head, one, two, rest = body.split(b"<item>", 3)
    return b"<item>".join([head, two, one, rest])


def _no_last_row(body: bytes) -> bytes:
    head, _, rest = body.rpartition(b"<tr ")
    return head + rest.partition(b"</tr>")[2]


def _one_nonce(body: bytes) -> bytes:
    head, _, rest = body.partition(b"<script nonce='")
    return head + b"<script nonce='AAAAAAAAAAAAAAAAAAAAAA=='" + rest.partition(b"'")[2]
