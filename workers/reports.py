"""Messages to and from the supervisor: plain msgpack, so that it needs neither the SDK nor numpy.

What `runway.codec` writes as extensions (arrays, long integers) passes through unopened.
"""

from __future__ import annotations

from typing import Any

import msgpack


def pack(message: Any) -> bytes:
    """One frame, as `runway.codec.unpack` reads it."""
    return bytes(msgpack.packb(message, unicode_errors="surrogatepass"))


def unpack(frame: bytes) -> Any:
    """The message in a frame of `pack` or `runway.codec.pack_one`.

    Raises:
        ValueError: it holds something else.
    """
    try:
        return msgpack.unpackb(frame, strict_map_key=False, unicode_errors="surrogatepass")
    except (msgpack.UnpackException, TypeError) as error:
        raise ValueError(f"not a message of this protocol: {error!r}") from error
