"""The head that a connection sent last: the next request of a program mostly has the same, byte by byte.

What the parser found in it then holds for the next one too, which is not parsed again. Only a head is kept whose end
and whose body's length are beyond doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runway.hot import INLINE_BODY_BYTES

MAX_HEAD_BYTES = 1024
END = b"\r\n\r\n"
# These tell of more than a head and its body.
CHANGING = frozenset({b"transfer-encoding", b"expect", b"upgrade"})


class KnownHead:
    """A head, what it asks for, and how long it is with and without the body that it announces.

    `headers` are those that `runway.hot` picks.
    """

    __slots__ = ("headers", "length", "raw", "total", "url")

    def __init__(self, raw: bytes, total: int, url: bytes, headers: Mapping[str, str]) -> None:
        self.raw = raw
        self.length = len(raw)
        self.total = total
        self.url = url
        self.headers = headers


def known_head(
    data: bytes,
    size: int,
    url: bytes,
    raw_headers: Sequence[tuple[bytes, bytes]],
    headers: Mapping[str, str],
) -> KnownHead | None:
    """The head of the request that `data` begins with and, if the parser is right, consists of.

    Args:
        data: what came at once, after nothing that was left of an earlier request.
        size: bytes of the body, as counted.
        url: of the request line.
        raw_headers: all headers, names in lower case.
        headers: those picked of them.
    """
    length = len(data) - size
    if not 0 < length <= MAX_HEAD_BYTES or size > INLINE_BODY_BYTES:
        return None
    if headers.get("content-length") != str(size) or data.find(END, 0, length) != length - len(END):
        return None
    if any(name in CHANGING for name, _ in raw_headers):
        return None
    return KnownHead(data[:length], len(data), url, headers)
