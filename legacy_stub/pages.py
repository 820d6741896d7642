"""The pages: home, hotels, login, account, preferences, and addresses from before."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from legacy_stub.answers import HTML_TYPE, not_found, number_in_path, own_url, packed
from legacy_stub.hotels import SORTS, Search, search_of
from legacy_stub.money import CURRENCIES, shown
from legacy_stub.shop import shop_of
from legacy_stub.templates import GREETINGS, render
from legacy_stub.visitors import (
    begin_session,
    end_session,
    form_of,
    form_token,
    remember_visit,
    user_of,
    visit_of,
)

_PAGE = 12
_YEAR = 31_536_000


def page(request: Request, name: str, status: int = 200, **values: object) -> Response:
    """A page for this visitor, with a token for its forms."""
    visit, new = visit_of(request)
    currency = request.cookies.get("wf_currency", "")
    currency = currency if currency in CURRENCIES else "EUR"
    language = request.cookies.get("wf_language", "")
    language = language if language in GREETINGS else "en"

    def price(cents: int) -> str:
        return shown(cents, currency)

    body = render(
        name,
        user=user_of(request),
        token=form_token(shop_of(request), visit),
        currency=currency,
        currencies=CURRENCIES,
        language=language,
        greetings=GREETINGS,
        price=price,
        **values,
    )
    answer = packed(request, body.encode(), HTML_TYPE, status, {"cache-control": "private"})
    if new:
        remember_visit(answer, visit)
    return answer


async def home(request: Request) -> Response:
    """`GET /`"""
    hotels = shop_of(request).hotels
    best, _ = hotels.search(Search(sort="rating"), 1, 6)
    return page(request, "home", hotels=best, cities=hotels.cities())


async def list_hotels(request: Request) -> Response:
    """`GET /hotels`"""
    query = request.query_params
    hotels = shop_of(request).hotels
    text = query.get("page", "")
    number = max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1
    rows, total = hotels.search(search_of(query, lenient=True), number, _PAGE)

    def at(other: int) -> str:
        kept = [(k, v) for k, v in query.multi_items() if k != "page"]
        return f"/hotels?{urlencode([*kept, ('page', str(other))])}"

    return page(
        request,
        "hotels",
        hotels=rows,
        total=total,
        number=number,
        pages=max(1, -(-total // _PAGE)),
        at=at,
        query=query,
        cities=hotels.cities(),
        sorts=tuple(SORTS),
    )


async def show_hotel(request: Request) -> Response:
    """`GET /hotels/{id}`"""
    hotels = shop_of(request).hotels
    number = number_in_path(request, "hotel")
    hotel, rooms = hotels.published(number), hotels.rooms(number)
    return page(request, "hotel", hotel=hotel, rooms=rooms)


async def login_form(request: Request) -> Response:
    """`GET /login`"""
    return page(request, "login", email="", failed=False)


async def login(request: Request) -> Response:
    """`POST /login`"""
    fields = await form_of(request)
    cookie = begin_session(request, fields)
    if cookie is None:
        return page(request, "login", 401, email=fields.get("email", ""), failed=True)
    return _see("/account", cookie)


async def logout(request: Request) -> Response:
    """`POST /logout`"""
    await form_of(request)
    return _see("/", end_session(request))


async def account(request: Request) -> Response:
    """`GET /account`"""
    user = user_of(request)
    if user is None:
        return _see("/login")
    shop = shop_of(request)
    bookings, total = shop.bookings.page(user["id"], 1, 20)
    profile = shop.users.profile(user["id"])
    about = shop.users.get(user["id"])
    return page(request, "account", about=about, profile=profile, bookings=bookings, total=total)


async def preferences(request: Request) -> Response:
    """`POST /preferences`"""
    fields = await form_of(request)
    currency, language = fields.get("currency", ""), fields.get("language", "")
    currency = currency if currency in CURRENCIES else "EUR"
    language = language if language in GREETINGS else "en"
    internal = shop_of(request).settings.internal_host
    domain = f" Domain={internal.partition(':')[0]};" if internal else ""
    return _see(
        "/account" if user_of(request) else "/",
        f"wf_currency={currency}; Path=/; Max-Age={_YEAR}; SameSite=Lax",
        f"wf_language={language}; Path=/;{domain} Max-Age={_YEAR}; SameSite=Lax; Priority=Low",
    )


async def old_home(request: Request) -> Response:
    """`GET /old-home`"""
    return Response(status_code=302, headers={"location": own_url(request, "/")})


async def old_hotel(request: Request) -> Response:
    """`GET /hotel.php?id=`"""
    text = request.query_params.get("id", "")
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise not_found("hotel")
    return Response(status_code=302, headers={"location": own_url(request, f"/hotels/{text}")})


def error_page(request: Request, status: int, message: str, headers: Mapping[str, str]) -> Response:
    """An error, for people."""
    answer = page(request, "error", status, code=status, message=message)
    answer.headers.update(headers)
    return answer


def _see(where: str, *cookies: str) -> Response:
    answer = Response(status_code=303, headers={"location": where})
    for cookie in cookies:
        answer.headers.append("set-cookie", cookie)
    return answer
