"""The look of the pages: cream paper, a teal awning, picture postcards."""

# ruff: noqa: E501 - markup is laid out as it is sent

from __future__ import annotations

from jinja2 import DictLoader, Environment

GREETINGS = {
    "en": "Where to, traveller?",
    "de": "Wohin soll es gehen?",
    "fr": "Où partez-vous ?",
    "sv": "Vart bär det av?",
}

_STYLE = """
:root{--ink:#2c2a26;--paper:#fbf6ea;--card:#fffdf7;--teal:#1d6466;--brick:#b4532a;--line:#e0d6bf}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:17px/1.55 Georgia,'Times New Roman',serif}
a{color:var(--teal)}
header{background:var(--teal);color:#fff;border-bottom:10px solid;
border-image:repeating-linear-gradient(90deg,#b4532a 0 22px,#fffdf7 22px 44px) 10}
header div,main,footer div{max-width:1040px;margin:0 auto;padding:0 20px}
header div{display:flex;flex-wrap:wrap;align-items:center;gap:8px 26px;padding-top:16px;padding-bottom:14px}
header a{color:#fff;text-decoration:none}
header a:hover{text-decoration:underline}
.brand{font-size:30px;font-style:italic;letter-spacing:.5px;margin-right:auto}
.brand small{font-size:13px;font-style:normal;opacity:.8;margin-left:10px}
main{padding-top:26px;padding-bottom:40px}
h1{font-size:34px;font-weight:normal;margin:.2em 0 .5em;line-height:1.2}
h2{font-size:22px;font-weight:normal;border-bottom:2px solid var(--line);padding-bottom:5px;margin-top:1.6em}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(270px,1fr));gap:22px}
.card{background:var(--card);border:1px solid var(--line);padding:10px 10px 14px;
box-shadow:2px 3px 0 #e9dfc8}
.card img{width:100%;display:block;aspect-ratio:2}
.card h3{margin:10px 4px 0;font-size:19px}
.card p{margin:2px 4px;font-size:15px}
.hero{width:100%;max-height:260px;object-fit:cover;border:1px solid var(--line);padding:8px;background:var(--card)}
.price{color:var(--brick);font-weight:bold;white-space:nowrap}
.stars{color:#c8962e;letter-spacing:2px}
.muted{color:#6d675b}
.bad{background:#f7dccd;border:1px solid var(--brick);padding:8px 14px}
form.box{background:var(--card);border:1px solid var(--line);padding:14px 18px;margin:0 0 24px;
display:flex;flex-wrap:wrap;gap:12px 16px;align-items:end}
form.box label{font-size:14px;color:#6d675b}
input,select{display:block;font:inherit;padding:6px 9px;border:1px solid #bdb195;background:#fff;min-width:130px;color:inherit}
button{font:inherit;padding:7px 20px;background:var(--brick);color:#fff;border:0;cursor:pointer}
button:hover{background:#96431f}
header form{margin:0}
header button{background:none;padding:0}
header button:hover{background:none;text-decoration:underline}
table{border-collapse:collapse;width:100%;background:var(--card);border:1px solid var(--line)}
th,td{text-align:left;padding:7px 12px;border-bottom:1px solid var(--line)}
th{font-weight:normal;color:#6d675b;font-size:14px}
.tag{display:inline-block;border:1px solid var(--line);padding:0 9px;margin:0 4px 4px 0;font-size:14px;background:#fff}
.scroll{overflow-x:auto}
footer{border-top:2px solid var(--line);font-size:14px;color:#6d675b}
footer div{padding-top:14px;padding-bottom:22px}
"""

_BASE = """<!DOCTYPE html>
<html lang="{{ language }}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{% block title %}{% endblock %} · Wayfarer Travel</title>
<style>{{ style|safe }}</style>
</head>
<body>
<header><div>
<a class="brand" href="/">Wayfarer<small>travel since 2016</small></a>
<a href="/hotels">Hotels</a>
{% if user %}<a href="/account">{{ user.first_name }} {{ user.last_name }}</a>
<form method="post" action="/logout"><input type="hidden" name="csrf_token" value="{{ token }}"><button>Log out</button></form>
{% else %}<a href="/login">Log in</a>{% endif %}
</div></header>
<main>
{% block content %}{% endblock %}
</main>
<footer><div>Wayfarer Travel Ltd. · <a href="/files/terms.txt">Terms</a> ·
<a href="/files/price-list.csv">Price list</a> · <a href="/export/catalogue.xml">Catalogue for agents</a>
· Best viewed at a window seat.</div></footer>
</body>
</html>
"""

_PARTS = """
{% macro card(hotel, price) %}<div class="card"><a href="/hotels/{{ hotel.id }}"><img src="/files/photo-{{ hotel.id }}.svg" alt=""></a>
<h3><a href="/hotels/{{ hotel.id }}">{{ hotel.name }}</a></h3>
<p><span class="stars" title="{{ hotel.stars }} stars">{{ '★' * hotel.stars }}</span> {{ hotel.city }}, {{ hotel.country }}</p>
<p>{% if hotel.rating %}{{ hotel.rating }} <span class="muted">from {{ hotel.reviews }} guests</span>{% else %}<span class="muted">no reviews yet</span>{% endif %}</p>
<p>from <span class="price">{{ price(hotel.price) }}</span> a night</p></div>{% endmacro %}
{% macro choose(name, options, chosen) %}<select name="{{ name }}">{% for one in options %}<option{% if one == chosen %} selected{% endif %}>{{ one }}</option>{% endfor %}</select>{% endmacro %}
{% macro settings(token, currencies, currency, languages, language) %}<form class="box" method="post" action="/preferences">
<input type="hidden" name="csrf_token" value="{{ token }}">
<label>Currency {{ choose('currency', currencies, currency) }}</label>
<label>Language {{ choose('language', languages, language) }}</label>
<button>Remember</button></form>{% endmacro %}
"""

_HOME = """{% extends "base" %}{% import "parts" as parts %}
{% block title %}Hotels worth the detour{% endblock %}
{% block content %}<h1>{{ greetings[language] }}</h1>
<form class="box" action="/hotels"><label>Looking for <input name="q" placeholder="sauna, Aurora…"></label>
<label>City <select name="city"><option value="">anywhere</option>{% for city in cities %}<option>{{ city }}</option>{% endfor %}</select></label>
<button>Search</button></form>
<h2>Our guests' favourites</h2>
<div class="grid">{% for hotel in hotels %}{{ parts.card(hotel, price) }}{% endfor %}</div>
<h2>Your preferences</h2>
{{ parts.settings(token, currencies, currency, greetings, language) }}{% endblock %}
"""

_HOTELS = """{% extends "base" %}{% import "parts" as parts %}
{% block title %}Hotels{% endblock %}
{% block content %}<h1>{{ total }} hotel{{ '' if total == 1 else 's' }}</h1>
<form class="box" action="/hotels"><label>Looking for <input name="q" value="{{ query.get('q', '') }}"></label>
<label>City <select name="city"><option value="">anywhere</option>{% for city in cities %}<option{% if city == query.get('city') %} selected{% endif %}>{{ city }}</option>{% endfor %}</select></label>
<label>At most (EUR) <input name="max_price" inputmode="decimal" value="{{ query.get('max_price', '') }}"></label>
<label>Sort by {{ parts.choose('sort', sorts, query.get('sort', 'name')) }}</label>
<button>Search</button></form>
<div class="grid">{% for hotel in hotels %}{{ parts.card(hotel, price) }}{% else %}<p>Nothing found. The world is wide; try fewer words.</p>{% endfor %}</div>
<p>{% if number > 1 %}<a rel="prev" href="{{ at(number - 1) }}">« earlier</a> · {% endif %}page {{ number }} of {{ pages }}{% if number < pages %} · <a rel="next" href="{{ at(number + 1) }}">more »</a>{% endif %}</p>{% endblock %}
"""

_HOTEL = """{% extends "base" %}
{% block title %}{{ hotel.name }}, {{ hotel.city }}{% endblock %}
{% block content %}<img class="hero" src="{{ hotel.photo }}" alt="">
<h1>{{ hotel.name }} <span class="stars" title="{{ hotel.stars }} stars">{{ '★' * hotel.stars }}</span></h1>
<p class="muted">{{ hotel.address.street }}, {{ hotel.address.postcode }} {{ hotel.city }} · {{ hotel.distance_km }} km from the centre
{% if hotel.rating %}· {{ hotel.rating }} from {{ hotel.reviews }} guests{% endif %}</p>
<p>{{ hotel.description }}</p>
<p>{% for one in hotel.amenities %}<span class="tag">{{ one }}</span>{% endfor %}</p>
<h2>Rooms</h2>
<div class="scroll"><table><tr><th>Room</th><th>Beds</th><th>Guests</th><th>Board</th><th>A night from</th></tr>
{% for room in rooms %}<tr><td>{{ room.name }}</td><td>{{ room.beds }}</td><td>{{ room.max_guests }}</td><td>{{ room.board }}</td><td class="price">{{ price(room.price) }}</td></tr>{% endfor %}</table></div>
<p class="muted">Arrive from {{ hotel.policies.check_in }}, leave by {{ hotel.policies.check_out }}.
{% if hotel.policies.cancellation_hours %}Free cancellation until {{ hotel.policies.cancellation_hours }} hours before.{% endif %}</p>{% endblock %}
"""

_LOGIN = """{% extends "base" %}
{% block title %}Log in{% endblock %}
{% block content %}<h1>Welcome back</h1>
{% if failed %}<p class="bad">This e-mail and password do not go together.</p>{% endif %}
<form class="box" method="post" action="/login">
<input type="hidden" name="csrf_token" value="{{ token }}">
<label>E-mail <input type="email" name="email" value="{{ email }}" required></label>
<label>Password <input type="password" name="password" required></label>
<button>Log in</button></form>
<p class="muted">To look around: demo@example.com, password wayfarer.</p>{% endblock %}
"""

_ACCOUNT = """{% extends "base" %}{% import "parts" as parts %}
{% block title %}Your account{% endblock %}
{% block content %}<h1>{{ about.name }}</h1>
<p class="muted">{{ about.email }} · {{ about.loyalty.tier }} guest, {{ about.loyalty.points }} points · credit {{ profile.credit.currency }} {{ profile.credit.amount }}</p>
{% if profile.address %}<p>{{ profile.address.street }}, {{ profile.address.postcode }} {{ profile.address.city }}, {{ profile.address.country }}</p>{% endif %}
<h2>Bookings</h2>
{% if bookings %}<div class="scroll"><table><tr><th>No.</th><th>Hotel</th><th>From</th><th>To</th><th>Total</th><th></th></tr>
{% for one in bookings %}<tr><td>{{ one.id }}</td><td><a href="/hotels/{{ one.hotel_id }}">{{ one.hotel_name }}</a></td><td>{{ one.from }}</td><td>{{ one.to }}</td><td class="price">EUR {{ one.total.amount }}</td><td>{{ one.status }}</td></tr>{% endfor %}</table></div>
{% else %}<p>No bookings yet. <a href="/hotels">The world is waiting.</a></p>{% endif %}
<h2>Preferences</h2>
{{ parts.settings(token, currencies, currency, greetings, language) }}{% endblock %}
"""

_ERROR = """{% extends "base" %}
{% block title %}{{ code }}{% endblock %}
{% block content %}<h1>Off the map</h1><p class="bad">{{ code }}: {{ message }}</p>
<p><a href="/">Back to the harbour</a></p>{% endblock %}
"""

_PAGES = Environment(
    loader=DictLoader(
        {
            "base": _BASE,
            "parts": _PARTS,
            "home": _HOME,
            "hotels": _HOTELS,
            "hotel": _HOTEL,
            "login": _LOGIN,
            "account": _ACCOUNT,
            "error": _ERROR,
        }
    ),
    autoescape=True,
    trim_blocks=True,
    auto_reload=False,
)
_PAGES.globals["style"] = _STYLE.strip()


def render(name: str, **values: object) -> str:
    """A page's HTML, everything escaped."""
    return _PAGES.get_template(name).render(values)
