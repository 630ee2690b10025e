"""Request ids: `X-Request-Id` as the client gave it, or one of our own; returned with every answer."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Mapping

HEADER = "x-request-id"
_ACCEPTED = re.compile(
    r"[A-Za-z0-9._~+/=:@-]{1,128}"
).fullmatch  # goes into logs and headers as it is
_PREFIX = f"{secrets.token_hex(5)}-"  # of this process: ids of two fronts never meet
_numbers = itertools.count(1)


def request_id(headers: Mapping[str, str]) -> str:
    """The client's id if it can be used, else a new one; `headers` have lower-case names."""
    given = headers.get(HEADER)
    if given is not None and _ACCEPTED(given):
        return given
    return f"{_PREFIX}{next(_numbers):x}"
