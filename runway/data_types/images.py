"""The image type: base64 text on the wire, a PIL image for the function."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from runway.compat import strict_sdk
from runway.data_types.base import PortableType, json_kind
from runway.data_types.pixel_image import PixelImage
from runway.data_uri import (
    GREY16_MODES,
    MODES,
    decode_base64,
    decode_image,
    encode_image,
    scale_grey16,
)
from runway.exceptions import InvalidArgumentError

Array = np.ndarray[Any, Any]

DEFAULT_FORMATS = ("JPEG", "PNG")
OUTPUT_FORMATS = (*DEFAULT_FORMATS, "EXR")
SIZE_KEYS = {
    "min_width": "minWidth",
    "min_height": "minHeight",
    "max_width": "maxWidth",
    "max_height": "maxHeight",
    "width": "width",
    "height": "height",
}
EXAMPLE_SIDE = 256  # pixels, where no size is declared
NOT_AN_IMAGE = "value is not a PIL or numpy image"


class image(PortableType):
    """A picture of 1, 3 or 4 channels. The sizes only inform; other sizes pass both ways."""

    spec_fields = ("description", "channels", *SIZE_KEYS, "default_output_format")

    def __init__(
        self,
        description: str | None = None,
        channels: int = 3,
        min_width: int | None = None,
        min_height: int | None = None,
        max_width: int | None = None,
        max_height: int | None = None,
        width: int | None = None,
        height: int | None = None,
        default_output_format: str | None = None,
    ) -> None:
        super().__init__("image", description)
        if channels not in MODES:
            raise InvalidArgumentError(self.name, "channels value needs to be 1, 3, or 4")
        self.channels = channels
        self.min_width, self.min_height = min_width, min_height
        self.max_width, self.max_height = max_width, max_height
        self.width, self.height = width, height
        chosen = default_output_format or ("JPEG" if channels == 3 else "PNG")
        if str(chosen).upper() not in DEFAULT_FORMATS:
            raise InvalidArgumentError(self.name, "default_output_format needs to be JPEG or PNG")
        self.default_output_format = chosen.upper()

    @property
    def bulky(self) -> bool:
        """Both ways run a codec."""
        return True

    def to_dict(self) -> dict[str, Any]:
        """Adds `channels`, `defaultOutputFormat`, and the sizes that are set."""
        return {
            **super().to_dict(),
            "channels": self.channels,
            "defaultOutputFormat": self.default_output_format,
            **described_sizes(self),
        }

    def example(self) -> str:
        """A PNG of the declared size, or as near to 256 x 256 as it may be: dark at the left, light at the right."""
        width, height = example_size(self)
        ramp = np.linspace(0, 255, width).astype(np.uint8)
        shape = (height, width) if self.channels == 1 else (height, width, self.channels)
        columns = ramp if self.channels == 1 else ramp[:, np.newaxis]
        return encode_image(np.array(np.broadcast_to(columns, shape)), "PNG")

    def decode(self, value: Any) -> Array:
        """uint8 pixels in the declared channels: (h, w), (h, w, 3) or (h, w, 4)."""
        if not isinstance(value, str):
            raise InvalidArgumentError(
                self.name, f"expected a base64-encoded image, got {json_kind(value)}"
            )
        try:
            return decode_image(decode_base64(value), self.channels)
        except ValueError as error:
            raise InvalidArgumentError(self.name, str(error)) from error

    def restore(self, value: Array) -> Image.Image:
        """A writable image with memory of its own."""
        return to_pillow(value)

    def prepare(self, value: Any, output_format: str | None = None) -> Array:
        """Pixels of an array or a PIL image: uint8 in the declared channels, or float32 as they are for EXR."""
        if self._format(output_format) == "EXR":
            return _float_pixels(self.name, value)
        if self._is_ready(value):
            return np.ascontiguousarray(value)
        picture = value
        if isinstance(value, np.ndarray):
            picture = Image.fromarray(image_array(self.name, value))
        if not isinstance(picture, Image.Image):
            raise InvalidArgumentError(self.name, NOT_AN_IMAGE)
        if 0 in picture.size:
            raise InvalidArgumentError(self.name, f"{NOT_AN_IMAGE}: it has no pixels")
        if picture.mode in GREY16_MODES and not strict_sdk():
            picture = Image.fromarray(scale_grey16(np.asarray(picture)))
        mode = MODES[self.channels]
        return np.array(picture if picture.mode == mode else picture.convert(mode))

    def _is_ready(self, value: Any) -> bool:
        """Whether a value is an array of just the pixels that will be encoded."""
        if type(value) is not np.ndarray or value.dtype != np.uint8 or not value.size:
            return False
        return bool(value.shape[2:] == (() if self.channels == 1 else (self.channels,)))

    def encode(self, value: Array, output_format: str | None = None) -> str:
        """Data URI of the pixels, in the type's own format unless another is asked for."""
        return encode_image(value, self._format(output_format))

    def _format(self, output_format: str | None) -> str:
        chosen = (output_format or self.default_output_format).upper()
        if chosen not in OUTPUT_FORMATS:
            raise InvalidArgumentError(
                self.name, f"output format {output_format} is not PNG, JPEG or EXR"
            )
        return chosen


def described_sizes(sized: Any) -> dict[str, int]:
    """The sizes of an image or segmentation type that are set, by their names in the manifest."""
    return {key: getattr(sized, field) for field, key in SIZE_KEYS.items() if getattr(sized, field)}


def example_size(sized: Any) -> tuple[int, int]:
    """Width and height of an example of an image or segmentation type."""
    width, height = (
        getattr(sized, side)
        or max(
            getattr(sized, f"min_{side}") or 1,
            min(EXAMPLE_SIDE, getattr(sized, f"max_{side}") or EXAMPLE_SIDE),
        )
        for side in ("width", "height")
    )
    return width, height


def to_pillow(pixels: Array) -> Image.Image:
    """A writable PIL image of uint8 pixels that shares no memory with them."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    return PixelImage(MODES[channels], pixels.copy(order="C"))


def image_array(name: str, value: Array, dtype: type[np.generic] = np.uint8) -> Array:
    """Pixels (h, w) or (h, w, 2..4) cast to `dtype`: fractions cut, nothing scaled.

    Raises:
        InvalidArgumentError: the array has another shape, no pixels, or no numbers in it.
    """
    if value.ndim == 3 and value.shape[2] == 1:
        value = value[:, :, 0]
    is_shaped = value.ndim == 2 or (value.ndim == 3 and value.shape[2] in (2, 3, 4))
    if not is_shaped or not value.size or value.dtype.kind not in "biuf":
        raise InvalidArgumentError(
            name, f"{NOT_AN_IMAGE}: array of shape {value.shape} and type {value.dtype}"
        )
    with np.errstate(invalid="ignore"):  # NaN has no byte; numpy picks one
        return np.ascontiguousarray(value.astype(dtype))


def _float_pixels(name: str, value: Any) -> Array:
    if isinstance(value, Image.Image):
        value = np.asarray(_with_meaningful_bands(value))
    if not isinstance(value, np.ndarray):
        raise InvalidArgumentError(name, NOT_AN_IMAGE)
    return image_array(name, value, np.float32)


def _with_meaningful_bands(picture: Image.Image) -> Image.Image:
    """The same picture in grey or RGB, each perhaps with alpha; deep greys as they are."""
    if picture.mode in (*GREY16_MODES, "L", "LA", "RGB", "RGBA", "I", "F"):
        return picture
    if picture.mode == "1":
        return picture.convert("L")
    return picture.convert("RGBA" if "transparency" in picture.info else "RGB")
