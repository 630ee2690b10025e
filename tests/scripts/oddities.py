"""What `odd.py` raises and returns, by name. Apart from it, so that a test can read it without a model."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import numpy as np
from PIL import Image

import runway
from runway.exceptions import RunwayError


class Forgetful(RunwayError):
    def __init__(self, detail):  # no super().__init__
        self.detail = detail


class Unprintable(Exception):
    def __repr__(self):
        return self.gone

    __str__ = __repr__


class Nothing(Exception):
    def __repr__(self):
        return None


class Closed(BaseException):
    pass


class Hostile:
    """Fails at whatever it is asked."""

    def __getattr__(self, name):
        raise ZeroDivisionError(name)

    def __str__(self):
        raise ZeroDivisionError("str")

    __repr__ = __float__ = __len__ = __iter__ = __bool__ = __str__


def with_code(code):
    error = RunwayError("words")
    error.code = code
    return error


endless = []
endless.append(endless)

# name -> what makes what is raised, the status and the words of the answer to it
ERRORS = {
    "no code": (lambda: with_code(None), 500, "words"),
    "a code in words": (lambda: with_code("teapot"), 500, "words"),
    "an empty code": (lambda: with_code(""), 500, "words"),
    "a code as text": (lambda: with_code("418"), 418, "words"),
    "a status line": (lambda: with_code("404 NOT FOUND"), 404, "words"),
    "a code of numpy": (lambda: with_code(np.int64(418)), 418, "words"),
    "a code of http": (lambda: with_code(HTTPStatus.CONFLICT), 409, "words"),
    "a success": (lambda: with_code(200), 200, "words"),
    "an interim code": (lambda: with_code(100), 500, "words"),
    "a code without body": (lambda: with_code(204), 500, "words"),
    "an unmodified code": (lambda: with_code(304), 500, "words"),
    "a code too large": (lambda: with_code(1000), 500, "words"),
    "a huge code": (lambda: with_code(10**30), 500, "words"),
    "half a code": (lambda: with_code(404.5), 500, "words"),
    "an error as message": (lambda: RunwayError(ValueError("inner")), 500, "inner"),
    "a list as message": (lambda: RunwayError(["a", 1]), 500, "['a', 1]"),
    "a hostile message": (lambda: RunwayError(Hostile()), 500, "<Hostile>"),
    "a lone surrogate": (lambda: RunwayError("\ud800"), 500, "\ud800"),
    "no message": (lambda: Forgetful("detail"), 500, "detail"),
    "an unprintable one": (Unprintable, 500, "Error during inference: <Unprintable>."),
    "a repr that is none": (Nothing, 500, "Error during inference: <Nothing>."),
    "a cancellation": (asyncio.CancelledError, 500, "Error during inference: CancelledError()."),
    "the end of a generator": (GeneratorExit, 500, "Error during inference: GeneratorExit()."),
    "no common exception": (Closed, 500, "Error during inference: Closed()."),
    # Python makes a RuntimeError of it in generators
    "the end of a loop": (StopIteration, 500, "Error during inference: "),
    "no memory": (MemoryError, 500, "Error during inference: MemoryError()."),
}

VALUES = {
    "hostile": Hostile(),
    "endless": endless,
    "object": object(),
    "set": {1},
    "function": print,
    "objects": np.array([object()]),
    "records": np.zeros(3, [("a", "f4")]),
    "dates": np.array(["2020-01-01"], "M8[D]"),
    "complex": 1j,
    "not a number": float("nan"),
    "a huge number": 10**400,
    "bytes": b"\xff",
    "surrogate": "\ud800",
    "keys": {(1, 2): object()},
    "no pixels": Image.new("RGB", (0, 0)),
    "no rows": np.zeros((0, 4, 3), np.uint8),
    "too wide": np.zeros((1, 70_000, 3), np.uint8),
    "five axes": np.zeros((2, 2, 2, 2, 2)),
    "error": ValueError("x"),
    "three": (1, 2, 3),
    "none": None,
}

# name -> a progress, and what a socket tells of it
PROGRESSES = {
    "half": (0.5, 0.5),
    "whole": (1, 1),
    "numpy": (np.float32(0.25), 0.25),
    "array": (np.ones(1), 1.0),
    "object": (object(), None),
    "hostile": (Hostile(), None),
    "not a number": (float("nan"), None),
    "infinite": (float("inf"), None),
    "huge": (10**400, None),
    "words": ("half", None),
    "list": ([1], None),
    "none": (None, None),
}

TYPES = {
    "any": runway.any,
    "text": runway.text,
    "number": runway.number,
    "boolean": runway.boolean,
    "image": runway.image,
    "vector": runway.vector(length=3),
    "array": runway.array(item_type=runway.number),
    "category": runway.category(choices=["a"]),
    "segmentation": runway.segmentation(label_to_id={"a": 0}),
    "point": runway.image_point,
    "box": runway.image_bounding_box,
    "landmarks": runway.image_landmarks(length=2),
    "file": runway.file,
}
