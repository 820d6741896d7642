"""Applications of many makes, and what they vary by themselves."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import time
from dataclasses import replace

from bench.truth.answers import (
    Headers,
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


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


# -- how the sides answer --------------------------------------------------------------------


def payments(side: Side, number: int) -> Said:
    """A list of charges with a request id and a rate limit in the headers."""
    left = 100 - int(time.time()) % 60
    charges = [
        {
            "id": f"ch_{hashlib.sha256(f'{number}{n}'.encode()).hexdigest()[:24]}",
            "object": "charge",
            "amount": fixed(number, f"c{n}").randrange(100, 90_000),
            "currency": "eur",
            "created": 1_700_000_000 + 1_000 * number + n,
            "livemode": False,
            "receipt_url": f"https://pay.example/r/{side.hexadecimal(24)}",
        }
        for n in range(3)
    ]
    told: Headers = [
        ("Request-Id", f"req_{side.hexadecimal(14)}"),
        ("X-RateLimit-Remaining", str(left)),
        ("Stripe-Version", "2023-10-16"),
    ]
    return as_json({"object": "list", "has_more": number % 3 == 0, "data": charges}, told)


def issues(side: Side, number: int) -> Said:
    """Pages with links, rate limits and a weak validator."""
    base = f"https://api.example/repos/{number}/issues"
    link = f'<{base}?page=2>; rel="next", <{base}?page={number % 30 + 2}>; rel="last"'
    told: Headers = [
        ("Link", link),
        ("X-RateLimit-Limit", "5000"),
        ("X-RateLimit-Reset", str(int(time.time() // 3_600 * 3_600 + 3_600))),
        ("X-RateLimit-Used", str(side.number("used"))),
        ("X-Request-Id", side.uuid().upper()),
        ("ETag", f'W/"{side.hexadecimal(32)}"'),
    ]
    rows = [{"number": n, "title": f"Issue {n}", "comments": n % 7} for n in range(4)]
    return as_json(rows, told)


def odata(side: Side, number: int) -> Said:
    """OData with a skip token that holds a moment."""
    token = b64(json.dumps({"t": int(time.time() * 1e3), "n": number}).encode())
    return as_json(
        {
            "@odata.context": "https://erp.example/$metadata#Orders",
            "@odata.count": 1_000 + number,
            "value": [{"ID": n, "Amount": n * 1.5, "@odata.etag": f'W/"{n}"'} for n in range(3)],
            "@odata.nextLink": f"https://erp.example/Orders?$skiptoken={token}",
        }
    )


def hal(side: Side, number: int) -> Said:
    """Links by relation, and a signed one."""
    until = int(time.time()) + 900
    return as_json(
        {
            "_links": {
                "self": {"href": f"/orders/{number}"},
                "next": {"href": f"/orders/{number + 1}"},
                "invoice": {
                    "href": f"/files/{number}?exp={until}&sig={side.hexadecimal(40)}",
                    "type": "application/pdf",
                },
            },
            "_embedded": {"lines": [{"id": n, "qty": n + 1} for n in range(3)]},
            "total": number * 1.25,
        }
    )


def rss(side: Side, number: int) -> Said:
    """A channel with the moment at which it was built."""
    built = instant(time.time(), "%a, %d %b %Y %H:%M:%S +0000")
    items = "".join(
        f"<item><title>Post {n}</title><guid isPermaLink='false'>{number}-{n}</guid>"
        f"<pubDate>{instant(1.7e9 + 9e4 * n, '%a, %d %b %Y %H:%M:%S +0000')}</pubDate></item>"
        for n in range(4)
    )
    text = (
        f"<?xml version='1.0'?><rss version='2.0'><channel><title>Shop {number}</title>"
        f"<lastBuildDate>{built}</lastBuildDate><ttl>60</ttl>{items}</channel></rss>"
    )
    return as_text(text, "application/rss+xml; charset=utf-8")


def bucket(side: Side, number: int) -> Said:
    """Keys of an object store."""
    keys = "".join(
        f"<Contents><Key>a/{number}/{n}</Key><Size>{n * 100 + number}</Size>"
        f"<ETag>&quot;{hashlib.md5(f'{number}{n}'.encode()).hexdigest()}&quot;</ETag></Contents>"
        for n in range(4)
    )
    text = (
        "<ListBucketResult xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>"
        f"<Name>b</Name><KeyCount>4</KeyCount><IsTruncated>true</IsTruncated>{keys}"
        f"<NextContinuationToken>{b64(side.chance.randbytes(33))}</NextContinuationToken>"
        "</ListBucketResult>"
    )
    told = [
        ("x-amz-request-id", side.hexadecimal(16).upper()),
        ("x-amz-id-2", b64(side.chance.randbytes(57))),
    ]
    said = as_text(text, "application/xml")
    return replace(said, headers=[*said.headers, *told])


def django(side: Side, number: int) -> Said:
    """An admin page: a masked CSRF token, a nonce, a build of assets."""
    token, nonce = _drawn(side, 64), _drawn(side, 22)
    order = document(number)
    rows = "".join(
        f"<tr class='row{n % 2 + 1}'><td>{item['sku']}</td><td>{item['price']}</td></tr>"
        for n, item in enumerate(order["items"])
    )
    body = (
        f"<form method='post'><input type='hidden' name='csrfmiddlewaretoken' value='{token}'>"
        f"<table>{rows}</table><p class='paginator'>{number % 9 + 1} orders</p></form>"
        f"<script nonce='{nonce}' src='/static/admin/js/core.8e1a2f3c4d5b.js'></script>"
    )
    cookie = f"csrftoken={_drawn(side, 32)}; Path=/; SameSite=Lax; Max-Age=31449600"
    return as_html(body, [("Set-Cookie", cookie), ("Vary", "Cookie"), ("X-Frame-Options", "DENY")])


def _drawn(side: Side, length: int) -> str:
    signs = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    return "".join(side.chance.choice(signs) for _ in range(length))


def rails(side: Side, number: int) -> Said:
    """Assets by their hash; a nonce in the policy and in the page."""
    nonce = base64.b64encode(side.chance.randbytes(16)).decode()
    build = "9f2c61d0a4"
    body = (
        f"<meta name='csrf-token' content='{base64.b64encode(side.chance.randbytes(64)).decode()}'>"
        f"<link rel='stylesheet' href='/assets/app-{build}{build}.css'>"
        f"<h1>Order {document(number)['reference']}</h1><p class='total'>{number * 1.1:.2f}</p>"
        f"<script nonce='{nonce}' src='/assets/app-{build[::-1]}{build}.js'></script>"
    )
    policy = f"default-src 'self'; script-src 'self' 'nonce-{nonce}'; object-src 'none'"
    runtime = f"{side.chance.expovariate(30):.6f}"
    return as_html(body, [("Content-Security-Policy", policy), ("X-Runtime", runtime)])


def wordpress(side: Side, number: int) -> Said:
    """Posts as JSON, with rendered HTML in strings and a nonce."""
    nonce = side.hexadecimal(10)
    return as_json(
        {
            "id": number,
            "date_gmt": instant(1.7e9 + 1e4 * number, "%Y-%m-%dT%H:%M:%S"),
            "title": {"rendered": f"Post &#8211; {number}"},
            "content": {
                "rendered": f"<p>Text {number}</p><form data-nonce='{nonce}'><b>Buy</b></form>",
                "protected": False,
            },
            "_links": {"self": [{"href": f"https://blog.example/wp-json/wp/v2/posts/{number}"}]},
        },
        [("X-WP-Total", str(500 + number)), ("X-WP-TotalPages", "51"), ("X-WP-Nonce", nonce)],
    )


def search(side: Side, number: int) -> Said:
    """Scores that differ in their last digits, the time that it took, the shards that answered."""
    hits = [
        {
            "_id": str(number * 10 + n),
            "_score": (9.5 - n) * (1 + side.chance.uniform(-1, 1) * 1e-7),
            "highlight": {"title": [f"An <em>order</em> of {number}"]},
        }
        for n in range(5)
    ]
    return as_json(
        {
            "took": 1 + int(side.chance.expovariate(0.2)),
            "timed_out": False,
            "_shards": {"total": 5, "successful": 5, "skipped": side.chance.choice([0, 0, 0, 1])},
            "hits": {"total": {"value": 1_000 + number, "relation": "eq"}, "hits": hits},
        }
    )


def recommended(side: Side, number: int) -> Said:
    """Twelve of the customer's twenty, shuffled."""
    pool = [{"sku": f"P{(number * 7 + n) % 400}", "price": 10 + n} for n in range(20)]
    return as_json({"for": number, "picks": side.chance.sample(pool, 12)})


def bucketed(side: Side, number: int) -> Said:
    """Variants by customer: the same on both sides. And an exposure id."""
    told = hashlib.sha256(f"exp:{number}".encode()).digest()[0] % 2
    return as_json(
        {
            **document(number),
            "experiments": {"checkout": "AB"[told], "banner": "XYZ"[number % 3]},
            "exposure": side.uuid(),
        }
    )


def priced(side: Side, number: int) -> Said:
    """Prices in another currency, by a rate that moves every half a second."""
    rate = 1.08 + 0.01 * math.sin(int(time.time() * 2))
    euros = fixed(number, "price").uniform(5, 500)
    return as_json(
        {"eur": round(euros, 2), "usd": round(euros * rate, 2), "rate": round(rate, 6), "vat": 0.19}
    )


def near(side: Side, number: int) -> Said:
    """Distances, summed in an order of each time."""
    found = []
    for n in range(4):
        chance = fixed(number, f"place {n}")
        lat, lon = chance.uniform(-80, 80), chance.uniform(-170, 170)
        way = 6_371.0088 * math.acos(math.cos(lat / 60) * math.cos(lon / 60))
        found.append(
            {
                "name": f"Shop {n}",
                "lat": lat,
                "lon": lon,
                "km": way * (1 + side.chance.choice([0, 3e-16])),
            }
        )
    return as_json({"near": found, "at": instant(time.time())})


def cookies(side: Side, number: int) -> Said:
    """A session that is renewed with each answer."""
    value = f"sess={b64(side.chance.randbytes(24))}; Path=/; HttpOnly; Secure; SameSite=Strict"
    until = instant(time.time() + 1_800, "%a, %d %b %Y %H:%M:%S GMT")
    return as_json(document(number), [("Set-Cookie", f"{value}; Expires={until}")])


def jwt(side: Side, number: int) -> Said:
    """A token whose claims matter."""
    now = int(time.time())
    claims = {
        "sub": f"u{number}",
        "scope": "read write",
        "iat": now,
        "exp": now + 900,
        "jti": side.uuid(),
    }
    head = b64(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    body = b64(json.dumps(claims).encode())
    return as_json(
        {"access_token": f"{head}.{body}.{b64(side.chance.randbytes(32))}",
         "token_type": "Bearer", "expires_in": 900}
    )  # fmt: skip


def signed(side: Side, number: int) -> Said:
    """A URL that is signed as S3 does."""
    now = time.time()
    stamp, day = instant(now, "%Y%m%dT%H%M%SZ"), instant(now, "%Y%m%d")
    scope = f"AKIAEXAMPLE%2F{day}%2Feu-west-1%2Fs3%2Faws4_request"
    url = (
        f"https://b.s3.example/o/{number}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={scope}"
        f"&X-Amz-Date={stamp}&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature={side.hexadecimal(64)}"
    )
    return as_json({"id": number, "upload": {"url": url, "method": "PUT"}})


def traced(side: Side, number: int) -> Said:
    """Trace ids, timings, the pod that answered, the build of each side."""
    pod = f"orders-6b8f{'c' if side.new else 'a'}-{_drawn(side, 1).lower()}{number % 3}x"
    told = [
        ("traceparent", f"00-{side.hexadecimal(32)}-{side.hexadecimal(16)}-01"),
        (
            "Server-Timing",
            ", ".join(f"{at};dur={side.chance.expovariate(0.2):.1f}" for at in ("db", "app")),
        ),
        ("X-Cache-Status", side.chance.choice(["HIT", "MISS", "MISS"])),
    ]
    return as_json(
        {**document(number), "meta": {"pod": pod, "took_ms": side.chance.expovariate(0.05)}}, told
    )


def stock(side: Side, number: int) -> Said:
    """A counter that both read from one place, and that sinks."""
    left = 9_000 - int((time.time() % 5_000) * 1.7)
    return as_json({"id": number, "left": left, "low": left < 50, "per_order": 5})


def hours(side: Side, number: int) -> Said:
    """Whether it is open now, until when, and how long yet."""
    now = time.time()
    closes = (now // 3_600 + 2) * 3_600
    return as_json(
        {
            "id": number,
            "open": True,
            "closes_at": instant(closes),
            "minutes_left": int((closes - now) // 60),
        }
    )


def offer(side: Side, number: int) -> Said:
    """An offer that ends in so many seconds."""
    ends = (time.time() // DAY_S + 2) * DAY_S + number
    return as_json(
        {
            "id": number,
            "ends_in_s": int(ends - time.time()),
            "discount": 10 + number % 4,
            "active": True,
        }
    )


def waiting(side: Side, number: int) -> Said:
    """A place in a queue that moves on."""
    ahead = 40_000 + number * 3 - int((time.time() % 5_000) * 4)
    return as_json({"ticket": f"T{number:05}", "ahead": ahead, "eta_s": ahead * 2})


def flagged(side: Side, number: int) -> Said:
    """Flags of a user, in the random order of a map."""
    flags = [(f"flag_{n}", bool(fixed(number, f"f{n}").getrandbits(1))) for n in range(8)]
    side.chance.shuffle(flags)
    roles = side.chance.sample(
        ["admin", "buyer", "editor", "viewer"][: 2 + number % 3], 2 + number % 3
    )
    return as_json({"user": number, "flags": dict(flags), "roles": roles})


def links(side: Side, number: int) -> Said:
    """A page with the session in its links."""
    sid = side.hexadecimal(26)
    body = "".join(f"<a href='/p/{n};jsessionid={sid}?q={number}'>Page {n}</a> " for n in range(5))
    return as_html(f"<h1>{number}</h1><nav>{body}</nav><p>Price: {number * 2.5:.2f}</p>")


def exported(side: Side, number: int) -> Said:
    """Rows with a moment in each, and a line of when it was made at the end."""
    rows = "".join(f"{number * 10 + n};{n * 2.5:.2f};{side.hexadecimal(8)}\n" for n in range(6))
    made = f"# made {instant(time.time())} by host-{side.chance.randrange(3)}\n"
    text = f"id;amount;checksum\n{rows}{made}"
    return as_text(text, "text/csv; charset=utf-8")


def graphql(side: Side, number: int) -> Said:
    """Extensions with timings beside the data."""
    order = {"id": str(number), "total": number * 1.5, "lines": [{"n": 1}, {"n": 2}]}
    took = int(side.chance.expovariate(1e-6))
    tracing = {"startTime": instant(time.time()), "duration": took}
    told = {"cost": {"actual": 12}, "tracing": tracing}
    return as_json({"data": {"order": order}, "extensions": told})


def cached(seconds: float) -> Answer:
    """Each side keeps its answer for so long: of data that lives as long."""

    def answer(side: Side, number: int) -> Said:
        version = int(time.time() / seconds)
        return as_json({**document(number), "version": version, "headline": f"News {version % 97}"})

    return answer


def bumped(side: Side, number: int) -> Said:
    """A counter that goes on by one with each answer."""
    return as_json({**document(number), "views": side.number("views")})


STRANGERS: dict[str, Answer] = {
    "charges of a payment service": payments,
    "issues with links": issues,
    "OData with a skip token": odata,
    "HAL with a signed link": hal,
    "a channel of RSS": rss,
    "keys of an object store": bucket,
    "an admin page of Django": django,
    "a page of Rails with nonces": rails,
    "a post of WordPress": wordpress,
    "a search with scores": search,
    "twelve of twenty, shuffled": recommended,
    "experiments by customer": bucketed,
    "prices by a rate that moves": priced,
    "distances in another order": near,
    "a session renewed each time": cookies,
    "a JWT that expires": jwt,
    "a URL signed as S3 does": signed,
    "traces, timings and pods": traced,
    "a stock that sinks": stock,
    "opening hours": hours,
    "an offer that ends": offer,
    "a place in a queue": waiting,
    "flags in the order of a map": flagged,
    "sessions in links": links,
    "an export with checksums": exported,
    "GraphQL with timings": graphql,
    "data that lives five seconds": cached(5.0),
    "views of each side": bumped,
}
"""By name, how a side answers."""
