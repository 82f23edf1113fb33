"""A small OpenID Connect provider on this machine: discovery, a login by one click, PKCE, RS256, logout."""

import base64
import hashlib
import html
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

EMAIL = "ada@example.com"
CLIENT, CLIENT_SECRET = "undertow", "not-a-secret"
VALID_S = 600


class Provider:
    """What a provider knows: its key, and the codes it has given out. `url` is its issuer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self._codes: dict[str, dict[str, str]] = {}

    def configuration(self) -> dict[str, Any]:
        """The discovery document."""
        places = {"authorization": "authorize", "token": "token", "end_session": "logout"}
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        } | {f"{name}_endpoint": f"{self.url}/{path}" for name, path in places.items()}

    def jwks(self) -> dict[str, Any]:
        """The public key."""
        return {"keys": [self._key.as_dict(private=False)]}

    def page(self, asked: dict[str, str]) -> str:
        """The page on which a person logs in: a link back, with a code."""
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe()
        self._codes[code] = asked
        back = f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
        return f"<!doctype html><title>Provider</title><a href='{html.escape(back)}'>I am {EMAIL}</a>"

    def tokens(self, form: dict[str, str], authorization: str) -> dict[str, Any]:
        """The tokens for a code, once, for who proves that he is the client and began the login."""
        assert authorization == "Basic " + base64.b64encode(f"{CLIENT}:{CLIENT_SECRET}".encode()).decode()
        asked = self._codes.pop(form["code"])
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "sub": "1", "email": EMAIL, "iat": now, "exp": now + VALID_S}
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims | {"nonce": asked["nonce"]}, self._key)
        return {"access_token": "a", "token_type": "Bearer", "expires_in": VALID_S, "id_token": token}


@contextmanager
def providing() -> Iterator[Provider]:
    """A provider that listens on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    provider = Provider(f"http://127.0.0.1:{server.server_address[1]}")
    server.provider = provider  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    timeout = 10

    @property
    def provider(self) -> Provider:
        found: Provider = self.server.provider  # type: ignore[attr-defined]
        return found

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(where.query).items()}
        if where.path == "/authorize":
            self._send("text/html", self.provider.page(asked))
        elif where.path == "/logout":
            self._send("text/html", "", location=asked["post_logout_redirect_uri"])
        elif where.path == "/jwks":
            self._send("application/json", json.dumps(self.provider.jwks()))
        elif where.path == "/.well-known/openid-configuration":
            self._send("application/json", json.dumps(self.provider.configuration()))
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self._send("application/json", json.dumps(self.provider.tokens(form, self.headers["authorization"])))

    def _send(self, kind: str, text: str, location: str = "") -> None:
        body = text.encode()
        self.send_response(302 if location else 200)
        if location:
            self.send_header("location", location)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""
