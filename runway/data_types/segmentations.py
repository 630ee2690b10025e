"""The segmentation type: a colour picture on the wire, label ids for the function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from runway.data_types.base import PortableType
from runway.data_types.glasbey import GLASBEY_BW
from runway.data_types.images import (
    NOT_AN_IMAGE,
    SIZE_KEYS,
    described_sizes,
    example_size,
    image_array,
    to_pillow,
)
from runway.data_uri import GREY16_MODES, decode_base64, decode_raw_image, encode_image
from runway.exceptions import InvalidArgumentError, MissingArgumentError

Array = np.ndarray[Any, Any]

ID_MODES = frozenset({"1", "L", "LA", "I", *GREY16_MODES})
ID_RANGE = 256  # an L image holds a byte a pixel: ids outside 0..255 are taken modulo 256 in it
COLOURS_24_BIT = 1 << 24
COLOURS_AT_ONCE = 1 << 15  # times 256 labels, 32 MB of distances


class segmentation(PortableType):
    """A map of labels, one a pixel.

    Inputs of one channel hold label ids; in colour, palettes included, each pixel is the label of the nearest colour.
    """

    spec_fields = (
        "label_to_id",
        "description",
        "label_to_color",
        "default_label",
        *SIZE_KEYS,
    )

    def __init__(
        self,
        label_to_id: Mapping[str, int] | None = None,
        description: str | None = None,
        label_to_color: Mapping[str, Sequence[int]] | None = None,
        default_label: str | None = None,
        min_width: int | None = None,
        min_height: int | None = None,
        max_width: int | None = None,
        max_height: int | None = None,
        width: int | None = None,
        height: int | None = None,
    ) -> None:
        super().__init__("segmentation", description)
        if label_to_id is None:
            raise MissingArgumentError("label_to_id")
        if not isinstance(label_to_id, dict) or not label_to_id:
            raise InvalidArgumentError(self.name, "label_to_id argument has invalid type")
        if default_label is not None and default_label not in label_to_id:
            raise InvalidArgumentError(
                self.name, f"default_label {default_label} is not in label map"
            )
        self.label_to_id = {label: int(number) for label, number in label_to_id.items()}
        self.default_label = next(iter(label_to_id)) if default_label is None else default_label
        self.label_to_color = _all_colours(self.label_to_id, label_to_color or {})
        self.min_width, self.min_height = min_width, min_height
        self.max_width, self.max_height = max_width, max_height
        self.width, self.height = width, height

    @property
    def bulky(self) -> bool:
        """Both ways run a codec."""
        return True

    def to_dict(self) -> dict[str, Any]:
        """Adds `labels`, `defaultLabel`, `labelToId`, `labelToColor`, and the sizes that are set."""
        return {
            **super().to_dict(),
            "labels": list(self.label_to_id),
            "defaultLabel": self.default_label,
            "labelToId": self.label_to_id,
            "labelToColor": self.label_to_color,
            **described_sizes(self),
        }

    def example(self) -> str:
        """A PNG of the size that `image.example` would have: the first label at the left, the last at the right."""
        width, height = example_size(self)
        numbers = list(self.label_to_id.values())
        ids = np.full((height, width), numbers[-1])
        ids[:, : -(-width // 2)] = numbers[0]
        return self.encode(ids)

    def decode(self, value: Any) -> Array:
        """(h, w) uint8 ids, of known labels only."""
        try:
            if not isinstance(value, str):
                raise ValueError("not text")
            return self._ids_of(decode_raw_image(decode_base64(value)))
        except ValueError as error:
            raise InvalidArgumentError(
                self.name, "unable to parse expected base64-encoded image"
            ) from error

    def restore(self, value: Array) -> Image.Image:
        """A writable L image of the ids, with memory of its own."""
        return to_pillow(value)

    def prepare(self, value: Any, output_format: str | None = None) -> Array:
        """(h, w) ids of an L image or a 2-D array, or (h, w, 3) uint8 colours of anything else."""
        if isinstance(value, Image.Image):
            is_map = value.mode in ID_MODES
            value = _id_band(value) if is_map else np.asarray(value.convert("RGB"))
        if not isinstance(value, np.ndarray):
            raise InvalidArgumentError(self.name, NOT_AN_IMAGE)
        is_integer = value.dtype.kind in "iu"
        pixels = image_array(self.name, value, value.dtype.type if is_integer else np.int64)
        if pixels.ndim == 2:
            return pixels
        return np.ascontiguousarray(_as_rgb(pixels.astype(np.uint8)))

    def encode(self, value: Array, output_format: str | None = None) -> str:
        """Data URI of a 3-channel PNG, whatever format was asked for: ids are painted, colours pass."""
        return encode_image(self._painted(value) if value.ndim == 2 else value, "PNG")

    def _ids_of(self, picture: Image.Image) -> Array:
        if picture.mode in ID_MODES:
            found = self._label_indices(_id_band(picture))
            return np.asarray(self._bytes_of_ids()[found])
        # through RGBA: palettes may have transparency, which is ignored like any alpha
        return self._nearest_ids(np.asarray(picture.convert("RGBA"))[..., :3])

    def _bytes_of_ids(self) -> Array:
        """The id of each label, as an L image holds it."""
        return np.array([number % ID_RANGE for number in self.label_to_id.values()], np.uint8)

    def _painted(self, ids: Array) -> Array:
        return np.asarray(self._colours()[self._label_indices(ids)])

    def _label_indices(self, ids: Array) -> Array:
        """Index of each pixel's label in `label_to_id`; unknown ids have the default label's."""
        default = list(self.label_to_id).index(self.default_label)
        known = list(self.label_to_id.values())
        if ids.dtype == np.uint8:
            known = [number % ID_RANGE for number in known]
        indices = np.full(ids.shape, default, np.intp)
        if ids.dtype == np.uint8:
            table = np.full(ID_RANGE, default, np.intp)
            table[known[::-1]] = range(len(known) - 1, -1, -1)  # the first of equal ids wins
            return np.asarray(table[ids])
        for index, number in reversed(list(enumerate(known))):
            indices[ids == number] = index
        return indices

    def _nearest_ids(self, rgb: Array) -> Array:
        """Id of the label of the nearest colour (Euclid, first on ties), found once a distinct colour."""
        packed = (rgb.astype(np.int32) * (1 << 16, 1 << 8, 1)).sum(axis=-1, dtype=np.int32)
        distinct = np.unique(packed)
        colours = self._colours().astype(np.float32)
        squares = (colours**2).sum(axis=-1)
        ids = self._bytes_of_ids()
        table = np.empty(
            COLOURS_24_BIT, np.uint8
        )  # only the pages of colours that occur are touched
        for start in range(0, len(distinct), COLOURS_AT_ONCE):
            part = distinct[start : start + COLOURS_AT_ONCE]
            seen = np.stack([part >> 16, part >> 8 & 255, part & 255], -1).astype(np.float32)
            # |seen|^2 is the same for all labels; the rest is whole numbers below 2^24, exact in float32
            table[part] = ids[(squares - 2 * (seen @ colours.T)).argmin(axis=-1)]
        return np.asarray(table[packed])

    def _colours(self) -> Array:
        return np.array([self.label_to_color[label] for label in self.label_to_id], np.uint8)


def _all_colours(
    label_to_id: Mapping[str, int], given: Mapping[str, Sequence[int]]
) -> dict[str, list[int]]:
    """Three numbers a label: as given, else the palette's at the label's id."""
    return {
        label: [int(part) for part in given[label]][:3]
        if label in given
        else list(GLASBEY_BW[number % len(GLASBEY_BW)])
        for label, number in label_to_id.items()
    }


def _id_band(picture: Image.Image) -> Array:
    """The ids in an image of one channel, alpha ignored."""
    band = np.asarray(picture.getchannel("L") if picture.mode == "LA" else picture)
    return band.astype(np.uint8) if band.dtype == np.bool_ else band


def _as_rgb(pixels: Array) -> Array:
    """(h, w, 3) of grey with alpha, RGB or RGBA; alpha is dropped."""
    return np.repeat(pixels[..., :1], 3, axis=-1) if pixels.shape[2] == 2 else pixels[..., :3]
