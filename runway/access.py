"""Who may send which request: access tokens, and pages of other sites. One rule for commands, other routes, WebSockets.

What a route does is known by its method and path, so that a route that is added later is covered too.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from runway.exceptions import Refusal

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Without a token: what load balancers ask, and the files of the workspace page, which asks for the token itself.
OPEN_PATHS = frozenset({"/healthcheck", "/ready", "/ui"})
OPEN_FOLDERS = ("/ui/",)
WEBSOCKET = "WEBSOCKET"  # in the place of an HTTP method; neither safe nor open
SUBPROTOCOL = (
    "runway"  # chosen by the server when a page carries its token in a second protocol name
)
TOKEN_PROTOCOL = "bearer."  # nosec B105 # the start of a name, no secret
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class RefusedError(Refusal):
    """A request that its sender may not make; `reason` is what metrics call it."""

    def __init__(self, code: int, message: str, reason: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        if code == 401:
            self.headers = {"WWW-Authenticate": "Bearer"}


@dataclass(frozen=True)
class Access:
    """The rule of a server.

    Args:
        digests: `digest` of each token, any of which is enough; without one no token is needed.
        origins: other sites whose pages may use the API; None allows all, as the first SDK did.
        guards_setup: whether pages of other sites that are not listed may only call commands.
    """

    digests: tuple[str, ...] = ()
    origins: tuple[str, ...] | None = None
    guards_setup: bool = False

    @property
    def leaves_commands_open(self) -> bool:
        """Whether every `POST /<command>` passes."""
        return not self.digests and self.origins is None

    def refusal(self, method: str, path: str, headers: Mapping[str, str]) -> RefusedError | None:
        """Why a request is refused: 401 without a token, 403 for a page of another site; None lets it pass.

        Args:
            method: of HTTP, or `WEBSOCKET`.
            path: unquoted.
            headers: names in lower case.
        """
        if self.digests:
            if _is_open(method, path) or self._knows(_token(method, headers)):
                return None
            return RefusedError(401, UNAUTHORIZED, "unauthorized")
        if method in SAFE_METHODS or not self._guards(method, path):
            return None
        if not is_foreign_page(headers) or headers.get("origin") in (self.origins or ()):
            return None
        return RefusedError(403, FOREIGN_PAGE, "foreign_origin")

    def _guards(self, method: str, path: str) -> bool:
        if self.origins is not None:
            return True
        is_command = method == "POST" and path != "/setup" and "/" not in path[1:]
        return self.guards_setup and not is_command and method != WEBSOCKET

    def _knows(self, token: str) -> bool:
        given = digest(token)
        is_known = False
        for known in self.digests:  # all of them, so that the time tells nothing
            is_known |= hmac.compare_digest(given, known)
        return is_known


UNAUTHORIZED = "Unauthorized (well... really unauthenticated but hey I didn't write the spec)."
FOREIGN_PAGE = (
    "Forbidden. Pages of other sites may not do this without a token, unless --cors names them."
)


def digest(token: str) -> str:
    """What a server keeps of a token."""
    return hashlib.sha256(token.encode("utf8", "surrogateescape")).hexdigest()


def digests_of(tokens: Iterable[str]) -> tuple[str, ...]:
    """Digests of tokens as an operator gave them.

    Raises:
        ValueError: one of them cannot be sent in a header.
    """
    found = []
    for token in tokens:
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError("a token is made of printable ASCII characters without blanks")
        found.append(digest(token))
    return tuple(dict.fromkeys(found))


def tokens_variable() -> list[str]:
    """The tokens in RW_TOKEN, separated by commas."""
    return [token.strip() for token in os.environ.get("RW_TOKEN", "").split(",") if token.strip()]


def is_foreign_page(headers: Mapping[str, str]) -> bool:
    """Whether a page of another site sent the request; programs, which name no origin, are no pages.

    Browsers that send `Sec-Fetch-Site` know it best: a proxy may have changed `Host`. They leave it out on plain HTTP
    but for loopback addresses; there `Origin` must name the place that `Host` names. `X-Forwarded-Host` is not
    believed, as a page may send it.

    Args:
        headers: names in lower case.
    """
    site = headers.get("sec-fetch-site", "none")
    if site != "none":  # what a user typed tells nothing of a page
        return site != "same-origin"  # `same-site` is another port, scheme or name of the domain
    origin = headers.get("origin")
    if origin is None:
        return False
    scheme, _, place = origin.lower().partition("://")
    came_by = headers.get("x-forwarded-proto", scheme).partition(",")[0].strip().lower()
    if scheme not in DEFAULT_PORTS or (came_by in ("https", "wss") and scheme != "https"):
        return True
    port = DEFAULT_PORTS[scheme]
    host = headers.get("host", "").strip().lower()
    return place == "" or place.removesuffix(port) != host.removesuffix(port)


def _is_open(method: str, path: str) -> bool:
    if method == "OPTIONS":  # browsers send no token with a preflight
        return True
    if method not in SAFE_METHODS or ".." in path:
        return False
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)


def _token(method: str, headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    if method == WEBSOCKET:  # where pages cannot set a header
        for name in headers.get("sec-websocket-protocol", "").split(","):
            if name.strip().startswith(TOKEN_PROTOCOL):
                return unquote(name.strip().removeprefix(TOKEN_PROTOCOL))
    return ""
