"""An OpenID provider that answers what it is told, and signs tokens."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

RSA = RSAKey.generate_key(2048)
OTHER = RSAKey.generate_key(2048)
EC = ECKey.generate_key("P-256")


def public(key: Any, kid: str) -> dict[str, Any]:
    return {**key.as_dict(private=False), "kid": kid, "use": "sig"}


class Issuer:
    """`keys` is the published set; `asked` counts how often it was fetched."""

    def __init__(self) -> None:
        self.keys = [public(RSA, "rsa"), public(EC, "ec")]
        self.asked = 0
        self.status = 200
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.answer(self)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/keys":
            self.asked += 1
            data: Any = {"keys": self.keys}
        else:
            assert handler.path == "/.well-known/openid-configuration"
            data = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        body = json.dumps(data).encode()
        handler.send_response(self.status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def token(self, key: Any = RSA, kid: str = "rsa", alg: str = "RS256", **claims: Any) -> bytes:
        now = int(time.time())
        payload = {"iss": self.url, "aud": "shop", "sub": "ada", "exp": now + 600, **claims}
        header: dict[str, Any] = {"alg": alg, **({"kid": kid} if kid else {})}
        return jws.serialize_compact(header, json.dumps(payload), key, algorithms=[alg]).encode()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
