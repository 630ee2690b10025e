"""Find a face, then 468 points on it in three dimensions: two frozen TensorFlow 1 graphs, each in its own session.

Bazarevsky et al. 2019, "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs"; Kartynnik et al. 2019,
"Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs".
"""

import numpy as np
import tensorflow.compat.v1 as tf
from PIL import Image

POINTS = 468
NOSE_TIP = 1  # its number among the points
DETECTOR_SIDE = 128
MESH_SIDE = 192
# The detector looks at a grid of 16 x 16 places with two candidates each, then of 8 x 8 with six.
GRIDS = ((16, 2), (8, 6))
MARGIN = 1.5  # the points net wants some background around the face


def open_session(path):
    """A session on the frozen graph of a file."""
    frozen = tf.GraphDef()
    with open(path, "rb") as source:
        frozen.ParseFromString(source.read())
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(frozen, name="")
    config = tf.ConfigProto()
    config.gpu_options.allow_growth = True
    return tf.Session(graph=graph, config=config)


def places():
    """(896, 2): middle of each candidate's place, in 0..1."""
    grids = []
    for side, candidates in GRIDS:
        middles = (np.arange(side) + 0.5) / side
        y, x = np.meshgrid(middles, middles, indexing="ij")
        grids.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), candidates, axis=0))
    return np.concatenate(grids)


def find_box(session, picture):
    """Middle x, middle y and side of the likeliest face in pixels, and how sure that is, 0..1."""
    side = max(picture.size)
    square = Image.new("RGB", (side, side))
    square.paste(picture)
    pixels = np.asarray(square.resize((DETECTOR_SIDE,) * 2, Image.BILINEAR), np.float32)
    found = session.run("Identity:0", {"input:0": pixels[None] / 127.5 - 1})[0]
    best = int(found[:, 0].argmax())
    sureness = 1 / (1 + np.exp(-found[best, 0]))
    offset, size = found[best, 1:3] / DETECTOR_SIDE, found[best, 3:5] / DETECTOR_SIDE
    x, y = (places()[best] + offset) * side
    return (x, y, float(size.max()) * side), float(sureness)


def find_points(session, picture, box):
    """(468, 3) points in pixels of the picture, z towards the camera negative; and how sure it is a face, 0..1."""
    x, y, size = box
    left, top, side = x - size * MARGIN / 2, y - size * MARGIN / 2, size * MARGIN
    corners = (left, top, left + side, top + side)
    crop = picture.transform((MESH_SIDE,) * 2, Image.EXTENT, corners, Image.BILINEAR)
    pixels = np.asarray(crop, np.float32)[None] / 255
    points, sureness = session.run(["Identity_2:0", "Identity_1:0"], {"input_1:0": pixels})
    points = points.reshape(POINTS, 3) * (side / MESH_SIDE)
    return points + np.array([left, top, 0]), float(sureness[0, 0])
