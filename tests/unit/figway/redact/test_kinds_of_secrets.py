"""Secrets of many kinds, in everything that is stored: none is left in clear (S2)."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from figway.compare.answer import RawHeader
from figway.redact.bodies import redact_body
from figway.redact.looks_random import looks_random
from figway.redact.names import is_secret_name
from figway.redact.redactor import Redactor
from proxy.telemetry.log_line import target_for_logs

REDACTOR = Redactor(b"0123456789abcdef")
VALUE = "hunter-zwei"
NAMES = [
    "password",
    "passwd",
    "pass",
    "pwd",
    "pw",
    "passphrase",
    "passcode",
    "user_pass",
    "userPassword",
    "new-password",
    "password_confirmation",
    "db_pass",
    "PGPASSWORD",
    "MYSQL_PWD",
    "secret",
    "client_secret",
    "clientSecret",
    "app-secret",
    "shared_secret",
    "token",
    "access_token",
    "accessToken",
    "refresh_token",
    "id_token",
    "csrf_token",
    "X-CSRF-Token",
    "authenticity_token",
    "__RequestVerificationToken",
    "csrfmiddlewaretoken",
    "xsrf",
    "remember_token",
    "reset_token",
    "push_token",
    "device-token",
    "session",
    "session_id",
    "sessionId",
    "SESSIONID",
    "PHPSESSID",
    "JSESSIONID",
    "ASP.NET_SessionId",
    "connect.sid",
    "laravel_session",
    "user_session",
    "sid",
    "sess",
    "auth",
    "authorization",
    "oauth_verifier",
    "oauth_signature",
    "bearer",
    "jwt",
    "jws",
    "api_key",
    "apikey",
    "ApiKey",
    "x-api-key",
    "x-functions-key",
    "Ocp-Apim-Subscription-Key",
    "access_key",
    "secret_access_key",
    "account_key",
    "AccountKey",
    "private_key",
    "privateKey",
    "signing_key",
    "encryption-key",
    "master_key",
    "consumer_key",
    "license_key",
    "admin_key",
    "deploy_key",
    "ssh_key",
    "storage_key",
    "host_key",
    "app_key",
    "sig",
    "signature",
    "X-Amz-Signature",
    "hmac",
    "x-hub-signature-256",
    "X-Goog-Signature",
    "code_verifier",
    "code_challenge",
    "device_code",
    "user_code",
    "auth_code",
    "verificationCode",
    "recovery_code",
    "backup_codes",
    "security_code",
    "otp",
    "otp_code",
    "totp",
    "hotp",
    "mfa",
    "mfa_code",
    "pin",
    "user_pin",
    "PIN",
    "tfa",
    "2fa",
    "cvv",
    "cvv2",
    "cvc",
    "card_number",
    "cardNumber",
    "creditCard",
    "pan",
    "iban",
    "ssn",
    "socialSecurity",
    "tax_id",
    "passport",
    "passportNumber",
    "national_id",
    "dob",
    "date_of_birth",
    "birthdate",
    "email",
    "mail",
    "user_email",
    "e-mail",
    "phone",
    "phone_number",
    "mobile",
    "telephone",
    "msisdn",
    "SAMLResponse",
    "SAMLRequest",
    "SAMLart",
    "RelayState",
    "assertion",
    "client_assertion",
    "nonce",
    "salt",
    "seed",
    "mnemonic",
    "keystore",
    "pem",
    "pfx",
    "psk",
    "passkey",
    "credential",
    "credentials",
    "cred",
    "aws_creds",
    "cookie",
    "set_cookie",
    "dsn",
    "webhook",
    "captcha",
    "g-recaptcha-token",
]
RANDOM = {
    "base 62": "q7Xb2LmZ9cVt4Rk8Wp1Nd6Hs",
    "base 64": "Zm9v/YmFyK2Jhei9xdXV4KzEyMzQ1Njc4OTA=",
    "base64url": "dGhpcy1pc_3RhIHNlY-3JldCB0b2tlbiE",
    "hexadecimal": "9f86d081884c7d659a2feaa0c55ad015",
    "upper case hexadecimal": "9F86D081884C7D659A2FEAA0C55AD015",
    "short hexadecimal": "a3f81c09be472d65",
    "an AWS secret key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "a GitHub token": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "a GitLab token": "glpat-x7yQzT3bRk9vLm2NpW4s",
    "a Slack token": "xoxb-123456789012-abcdefABCDEF123456",
    "a Stripe key": "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "a SendGrid key": "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",
    "a Telegram token": "1234567890:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawA",
    "a Google key": "AIzaSyD9tSrke72PouQMnMX-a7eZSW0jkFMBWY4",
    "a Google refresh token": "1//0gdJnRt5KzY7wCgYIARAAGBASNwF-L9IrQmXcT2",
    "an OpenAI key": "sk-proj-Ab3dEf6hIj9kLm2nOp5qRs8tUv1w",
    "a Hugging Face token": "hf_aBcD3fGh1jKlMn0pQrStUvWxYz123456",
    "an npm token": "npm_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "a PyPI token": "pypi-AgEIcHlwaS5vcmcCJDk3ZjU0YzM5LWZk",
    "a Vault token": "hvs.CAESIJ4k9L2mN3pQ5rS7tU8vW9xY1zA2bC3d",
    "a DigitalOcean token": "dop_v1_3f4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d",
    "a Shopify token": "shpat_0123456789abcdef0123456789abcdef",
    "an age key": "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PV",
    "a JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "a CAS ticket": "ST-1856339-aA5Yuvrxzpv8Tau1cYQ7",
    "an access key id": "AKIAIOSFODNN7EXAMPLE",
}
STRUCTURES = {
    "redis without a user": f"redis://:{VALUE}@cache:6379/0",
    "postgres": f"postgres://app:{VALUE}@db/shop",
    "a URL with a token for a user": f"https://{VALUE}@git.example/x",
    "amqp": f"amqp://guest:{VALUE}@mq//",
    "a pair of name and value": json.dumps([{"name": "password", "value": VALUE}]),
    "a pair of key and value": json.dumps({"key": "api_key", "val": VALUE}),
    "a pair of field and content": json.dumps({"field": "userPassword", "content": [VALUE]}),
    "a pair of id and text": json.dumps({"id": "client_secret", "text": VALUE, "row": 3}),
    "JSON in a string": json.dumps({"body": json.dumps({"password": VALUE})}),
    "an encrypted key": "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
    f"DEK-Info: AES-128-CBC,{VALUE}\n\n{VALUE}\n-----END RSA PRIVATE KEY-----",
    "an encrypted PKCS 8": f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{VALUE}\n"
    "-----END ENCRYPTED PRIVATE KEY-----",
    "a PGP key": f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{VALUE}\n"
    "-----END PGP PRIVATE KEY BLOCK-----",
    "a key that was cut": f"-----BEGIN EC PRIVATE KEY-----\n{VALUE}",
    "an .env line": f"DB_PASSWORD={VALUE}",
    "YAML": f"smtp:\n  password: {VALUE}\n",
    "a header in a log": f"Authorization: Bearer {VALUE}0123456789",
}
XML = {
    "an element": f"<a><password>{VALUE}</password></a>",
    "below a secret element": f"<credentials><user>x</user><word>{VALUE}</word></credentials>",
    "deep below": f"<secret><a><b><c>{VALUE}</c></b></a><d>{VALUE}</d></secret>",
    "a namespace": f"<wsse:Password xmlns:wsse='urn:x'>{VALUE}</wsse:Password>",
    "an attribute": f'<user password="{VALUE}"/>',
    "SAML": f"<samlp:SAMLResponse>{VALUE}</samlp:SAMLResponse>",
}
PATHS = [
    "/reset-password/{}", "/reset/{}/", "/users/verify/{}", "/invite/{}/accept", "/magic/{}",
    "/auth/callback/{}", "/api/v1/activate/{}", "/unsubscribe/{}", "/confirm-email/{}",
    "/share/{}", "/password_reset/{}/new", "/token/{}", "/webhooks/{}", "/account/unlock/{}",
    "/download/{}",
]  # fmt: skip
SECRET_SEGMENT = "Zk3-hunter_zwei9"
KINDS = len(NAMES) + len(RANDOM) + len(STRUCTURES) + len(XML) + len(PATHS)


def test_the_fixture_is_large() -> None:
    assert KINDS >= 170
    assert len(set(NAMES)) == len(NAMES)


def body(text: str, content_type: str) -> str:
    return redact_body((("Content-Type", content_type),), text.encode(), REDACTOR)


@pytest.mark.parametrize("name", NAMES)
def test_values_of_secret_names_are_hidden_wherever_they_stand(name: str) -> None:
    """S2: JSON, forms, links, headers, XML, HTML, CSV, logs."""
    tag = name.replace("2fa", "tfa").replace("__", "").replace("-256", "")
    stored = [
        body(json.dumps({"a": {name: VALUE, "b": 1}}), "application/json"),
        body(json.dumps({"n": [{"name": name, "value": VALUE}]}), "application/json"),
        body(f"a=1&{quote(name)}={VALUE}", "application/x-www-form-urlencoded"),
        body(f"<a><{tag}>{VALUE}</{tag}></a>", "application/xml"),
        body(f'<form><input name="{name}" value="{VALUE}"></form>', "text/html"),
        body(f"id,{name}\n1,{VALUE}\n2,{VALUE}\n", "text/csv"),
        body(f"{name}={VALUE}\n", "text/plain"),
        body(f'{{"{name}": "{VALUE}"}}\n{{"a": 1}}\n', "application/x-ndjson"),
        REDACTOR.url(f"/a?{quote(name)}={VALUE}"),
        target_for_logs(f"/a?{quote(name)}={VALUE}".encode(), query=True),
    ]
    headers: list[RawHeader] = [(name, VALUE)]
    stored.append(str(REDACTOR.headers(headers)))
    assert [text for text in stored if VALUE in text] == []


@pytest.mark.parametrize("kind", RANDOM)
def test_what_looks_random_is_hidden_under_any_name(kind: str) -> None:
    """S2: fail closed: values of high entropy under names that no list has."""
    secret = RANDOM[kind]
    stored = [
        body(json.dumps({"x": secret, "list": [secret]}), "application/json"),
        body(f"<p>{secret}</p>", "text/html"),
        body(f"note {secret} end", "text/plain"),
        REDACTOR.query(f"q={quote(secret, safe='')}"),
        str(REDACTOR.headers([("X-Unknown", secret)])),
    ]
    assert [text for text in stored if secret in text or secret[:12] in text] == []


@pytest.mark.parametrize("kind", STRUCTURES)
def test_structures_are_understood(kind: str) -> None:
    """S2: connection strings, pairs of name and value, encrypted keys, nested documents."""
    text = STRUCTURES[kind]
    content_type = "application/json" if text[0] in "{[" else "text/plain"
    assert VALUE not in body(text, content_type)


@pytest.mark.parametrize("kind", XML)
def test_all_below_a_secret_element_is_hidden(kind: str) -> None:
    """S2: XML below a secret element."""
    assert VALUE not in body(f"<r>{XML[kind]}<city>Rome</city></r>", "application/xml")
    assert "Rome" in body(f"<r>{XML[kind]}<city>Rome</city></r>", "application/xml")


@pytest.mark.parametrize("path", PATHS)
def test_segments_of_one_time_links_are_hidden(path: str) -> None:
    """S2: paths, in what is stored and in logs."""
    target = path.format(SECRET_SEGMENT)
    assert SECRET_SEGMENT not in REDACTOR.url(target)
    assert SECRET_SEGMENT not in target_for_logs(target.encode(), query=False)


@pytest.mark.parametrize(
    "name",
    [
        "city",
        "name",
        "title",
        "price",
        "expires_in",
        "token_type",
        "password_updated_at",
        "session_count",
        "author",
        "authored_by",
        "monkey",
        "keyboard",
        "keyword",
        "compass",
        "passenger",
        "pinned",
        "spinner",
        "design",
        "assignment",
        "public_key_id",
        "sort_key",
        "primary_key",
        "foreign_key",
        "status_code",
        "country_code",
        "zip_code",
        "discriminator",
        "cardinality",
        "shipping_method",
        "auth_method",
        "token_count",
        "mailbox_count",
    ],
)
def test_names_that_only_resemble_a_secret_stay(name: str) -> None:
    assert not is_secret_name(name)
    assert "Rome" in body(json.dumps({name: "Rome"}), "application/json")


@pytest.mark.parametrize(
    "text",
    [
        "3d6f0a5e-1111-4222-8333-444455556666",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "2026-01-01T00:00:00Z",
        "20260101T000000Z",
        "this-is-a-long-slug-with-many-words-2026",
        "internationalization",
        "getUserByAccountIdentifier",
        "AbstractSingletonProxyFactoryBean",
        "application/vnd.api+json",
        "/static/js/main.3f9a1c2b.js",
        "1767225600123",
        "order-1234567890123456",
        "SUMMER_SALE_2026_VOUCHER",
        "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch",
        "utf-8,iso-8859-1;q=0.5",
    ],
)
def test_what_is_no_secret_by_its_looks_stays(text: str) -> None:
    assert not looks_random(text)
    assert REDACTOR.search(text) == text


@pytest.mark.parametrize(
    "path", ["/orders/42/items", "/reset", "/share/facebook", "/keys/list", "/api/v1/auth/login"]
)
def test_plain_paths_stay(path: str) -> None:
    assert REDACTOR.url(path) == path
    assert target_for_logs(path.encode(), query=False) == path
