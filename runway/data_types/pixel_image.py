"""A PIL image made of an array, which becomes Pillow's own only when Pillow's own is needed.

Most scripts begin with `np.array(image)`. To have Pillow take pixels in and give them out again costs more than many a
model's own work with them (0.3 ms for 512 x 512); here it costs nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

Array = np.ndarray[Any, Any]


class PixelImage(Image.Image):
    """An image in mode L, RGB or RGBA. At the first use that is not an array's it turns into a plain `Image.Image`.

    Args:
        mode: Pillow's name for the channels.
        pixels: uint8, C-contiguous, (h, w) or (h, w, channels); nobody else may write to them.
    """

    def __init__(self, mode: str, pixels: Array) -> None:
        super().__init__()
        self._mode = mode
        self._size = (pixels.shape[1], pixels.shape[0])
        self._pixels = pixels

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """For numpy: a view that cannot be written to, as of any other image."""
        pixels = self._pixels
        return {
            "version": 3,
            "shape": pixels.shape,
            "typestr": "|u1",
            "data": pixels.data.toreadonly(),
        }

    @property
    def im(self) -> Any:
        """Pillow's storage; whoever asks for it may change the pixels."""
        return self._turned().im

    @im.setter
    def im(self, storage: Any) -> None:
        self.__dict__["_im"] = storage

    def load(self) -> Any:
        """As for any image."""
        return self._turned().load()

    def close(self) -> None:
        """As for any image."""
        self._turned().close()

    def __eq__(self, other: object) -> bool:
        return self._turned() == other

    __hash__ = None  # type: ignore[assignment] # as no image has one

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._turned().__reduce_ex__(protocol)

    def __repr__(self) -> str:
        return repr(self._turned())

    def _turned(self) -> Image.Image:
        """This very object, now a plain image with storage of its own."""
        pixels = self.__dict__.pop("_pixels")
        self.__class__ = Image.Image  # type: ignore[assignment]
        self.im = Image.frombytes(self._mode, self._size, pixels.data).im
        return self
