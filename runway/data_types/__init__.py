"""The data types of options, inputs and outputs, and what model scripts expect beside them.

Scripts say `from runway.data_types import *` and then use `np`, `Image`, `os` and the like without importing them, so
the star hands these out too. It also shadows `any`, in this module as well.

Types cross process borders as specs: `spec_of` describes one, `type_from_spec` makes an equal one elsewhere.
"""

import base64
import inspect
import json
import math
import os
import sys
import tarfile
from io import BytesIO as IO
from typing import Any

import numpy as np
from PIL import Image

from runway.data_types.base import BaseType, Opaque, PortableType
from runway.data_types.base import NoExampleError as NoExampleError
from runway.data_types.base import as_type as as_type
from runway.data_types.files import directory, file
from runway.data_types.images import image
from runway.data_types.points import image_bounding_box, image_landmarks, image_point
from runway.data_types.scalars import any, boolean, category, number, text
from runway.data_types.segmentations import segmentation
from runway.data_types.sequences import array, vector
from runway.exceptions import InvalidArgumentError, MissingArgumentError
from runway.utils import (
    cdist,
    download_file,
    extract_tarball,
    get_color_palette,
    is_url,
    try_cast_np_scalar,
)

point = image_point

_PORTABLE: dict[str, type[PortableType]] = {
    cls.__name__: cls
    for cls in (
        any,
        array,
        boolean,
        category,
        image,
        image_bounding_box,
        image_landmarks,
        image_point,
        number,
        segmentation,
        text,
        vector,
    )
}
_CONVERSIONS = frozenset({"serialize", "deserialize", "decode", "restore", "prepare", "encode"})

__all__ = [  # noqa: RUF022 - types first, then what scripts take along with them
    "BaseType",
    "any",
    "array",
    "boolean",
    "category",
    "directory",
    "file",
    "image",
    "image_bounding_box",
    "image_landmarks",
    "image_point",
    "number",
    "point",
    "segmentation",
    "text",
    "vector",
    "IO",
    "Image",
    "InvalidArgumentError",
    "MissingArgumentError",
    "base64",
    "cdist",
    "download_file",
    "extract_tarball",
    "get_color_palette",
    "inspect",
    "is_url",
    "json",
    "math",
    "np",
    "os",
    "sys",
    "tarfile",
    "try_cast_np_scalar",
]


def is_portable(obj: BaseType) -> bool:
    """True if `obj` works the same when rebuilt from its spec: a built-in type, its items too, nothing overridden."""
    cls = type(obj)
    if _PORTABLE.get(cls.__name__) is not cls or _CONVERSIONS & vars(obj).keys():
        return False
    return is_portable(obj.item_type) if isinstance(obj, array) else True


def spec_of(obj: BaseType) -> dict[str, Any]:
    """Description of a type, in transportable values, for `type_from_spec`."""
    if isinstance(obj, PortableType) and is_portable(obj):
        return {"type": type(obj).__name__, "name": obj.name, "kwargs": obj.spec()}
    return {
        "type": "opaque",
        "name": obj.name,
        "described": obj.to_dict(),
        "has_default": hasattr(obj, "default"),
    }


def type_from_spec(spec: dict[str, Any]) -> BaseType:
    """The type that `spec_of` described; a type of the script comes back opaque."""
    name = spec.get("name", spec["type"])
    if spec["type"] == "opaque":
        return Opaque(name, spec["described"], spec["has_default"])
    kwargs = dict(spec["kwargs"])
    if spec["type"] == "array":
        kwargs["item_type"] = type_from_spec(kwargs["item_type"])
    return _PORTABLE[spec["type"]](**kwargs).named(name)
