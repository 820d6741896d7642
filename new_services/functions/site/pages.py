"""What stands on the login page."""

from __future__ import annotations

TITLE = "Log in"


def login(token: str) -> str:
    return f"""<h1>Welcome back</h1>
<form class="box" method="post" action="/login">
<input type="hidden" name="csrf_token" value="{token}">
<label>E-mail <input type="email" name="email" value="" required></label>
<label>Password <input type="password" name="password" required></label>
<button>Log in</button></form>
<p class="muted">To look around: demo@example.com, password wayfarer.</p>"""
