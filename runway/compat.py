"""The one switch that restores what the first SDK did where the documentation promises otherwise.

Read by the data types and by whatever writes JSON. Set in the environment, so that every process of a server agrees.
"""

from __future__ import annotations

import os
from functools import cache


@cache  # asked for with every answer
def strict_sdk() -> bool:
    """True if `RW_STRICT_SDK=1`.

    Then EXIF orientation is not applied, alpha is dropped instead of composited on white, 16-bit greys are
    converted as Pillow does it, and NaN and infinity are written bare.
    """
    return os.environ.get("RW_STRICT_SDK") == "1"
