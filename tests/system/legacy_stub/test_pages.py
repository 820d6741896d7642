"""Pages, forms, cookies, redirects, as a browser meets them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import httpx

from tests.system.legacy_stub.running import running


def _token(page: httpx.Response) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


def test_login_account_and_logout(shop: httpx.Client) -> None:
    token = _token(shop.get("/login"))
    form = {"csrf_token": token, "email": "demo@example.com", "password": "wrong"}
    refused = shop.post("/login", data=form)
    assert refused.status_code == 401
    assert "do not go together" in refused.text
    entered = shop.post("/login", data={**form, "password": "wayfarer"})
    assert (entered.status_code, entered.headers["location"]) == (303, "/account")
    cookie = entered.headers["set-cookie"]
    assert re.fullmatch(
        r"wf_session=[0-9a-f]{48}; Path=/; HttpOnly; SameSite=Lax; Max-Age=28800", cookie
    )
    account = shop.get("/account")
    assert "demo@example.com" in account.text
    left = shop.post("/logout", data={"csrf_token": _token(account)})
    assert (left.status_code, left.headers["location"]) == (303, "/")
    assert shop.get("/account").headers["location"] == "/login"


def test_a_form_without_its_visitor_or_token_is_refused(shop: httpx.Client) -> None:
    token = _token(shop.get("/login"))
    form = {"email": "demo@example.com", "password": "wayfarer"}
    assert shop.post("/login", data=form).status_code == 403
    assert shop.post("/login", data={**form, "csrf_token": "a.b"}).status_code == 403
    shop.cookies.clear()
    assert shop.post("/login", data={**form, "csrf_token": token}).status_code == 403


def test_tokens_are_new_on_every_page_and_stay_good(shop: httpx.Client) -> None:
    one, two = _token(shop.get("/")), _token(shop.get("/"))
    assert one != two
    for token in (one, two):
        form = {"csrf_token": token, "currency": "SEK", "language": "sv"}
        assert shop.post("/preferences", data=form).status_code == 303


def test_preferences_set_two_cookies_and_are_kept(shop: httpx.Client) -> None:
    form = {"csrf_token": _token(shop.get("/")), "currency": "SEK", "language": "sv"}
    answer = shop.post("/preferences", data=form)
    assert [cookie.partition(";")[0] for cookie in answer.headers.get_list("set-cookie")] == [
        "wf_currency=SEK",
        "wf_language=sv",
    ]
    assert "Vart bär det av?" in shop.get("/").text
    assert 'class="price">SEK ' in shop.get("/hotels").text


def test_searching_and_reading_about_hotels(shop: httpx.Client) -> None:
    page = shop.get("/hotels", params={"city": "Göteborg", "page": "nonsense", "sort": "x"})
    assert page.status_code == 200
    cards = re.findall(r"<h3><a href=\"/hotels/(\d+)\">", page.text)
    listed = shop.get("/api/catalogue?city=göteborg&size=12").json()["items"]
    assert [int(number) for number in cards] == [hotel["id"] for hotel in listed]
    assert listed[0]["name"] in shop.get(f"/hotels/{cards[0]}").text
    attack = shop.get("/hotels", params={"q": '"><script>'})
    assert "<script>" not in attack.text
    lost = shop.get("/hotels/9999")
    assert (lost.status_code, lost.headers["content-type"]) == (404, "text/html; charset=utf-8")


def test_redirects_are_absolute_and_name_the_host(shop: httpx.Client) -> None:
    named = shop.get("/old-home", headers={"Host": "shop.example"})
    assert (named.status_code, named.headers["location"]) == (302, "http://shop.example/")
    assert shop.get("/hotel.php?id=7").headers["location"].endswith("/hotels/7")


def test_an_internal_host_shows_in_urls_and_cookies() -> None:
    with (
        running("--internal-host", "legacy.internal:8001") as shop,
        httpx.Client(base_url=shop.url, trust_env=False, timeout=60) as client,
    ):
        assert client.get("/old-home").headers["location"] == "http://legacy.internal:8001/"
        url = client.get("/api/catalogue/1").json()["url"]
        assert url == "http://legacy.internal:8001/hotels/1"
        form = {"csrf_token": _token(client.get("/")), "currency": "EUR", "language": "de"}
        cookies = client.post("/preferences", data=form).headers.get_list("set-cookie")
        assert "; Domain=legacy.internal;" in cookies[1]


def test_the_export_is_latin_1(shop: httpx.Client) -> None:
    answer = shop.get("/export/catalogue.xml")
    assert answer.headers["content-type"] == "application/xml; charset=ISO-8859-1"
    assert "Göteborg".encode("latin-1") in answer.content
    assert b"&#321;&#243;d" in answer.content or "&#321;ód".encode("latin-1") in answer.content
    hotels = ET.fromstring(answer.content).findall("hotel")
    assert len(hotels) == 240
    names = {hotel.findtext("city") for hotel in hotels}
    assert {"Łódź", "Göteborg", "Málaga"} <= names
