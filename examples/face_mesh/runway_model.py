"""468 points of a face in three dimensions: drawn into the picture, as landmarks, and their depths.

A TensorFlow 1 script as they were written: frozen graphs, sessions made in setup and used in the command.
"""

import os

import face
import numpy as np
from PIL import ImageDraw

import runway

HERE = os.path.dirname(os.path.abspath(__file__))
NEAR, FAR = np.array([255, 200, 0]), np.array([0, 120, 255])

options = {
    "least_sureness": runway.number(
        default=0.5, min=0, max=1, step=0.05, description="Below this there is no face."
    )
}
find_outputs = {
    "image": runway.image(channels=3, description="The points in the picture, near ones yellow."),
    "landmarks": runway.image_landmarks(
        length=face.POINTS, description="x and y in 0..1; all 0 if there is no face."
    ),
    "depths": runway.array(
        item_type=runway.number, description="z, in widths of the picture; nearer is less."
    ),
    "sureness": runway.number(min=0, max=1, description="That there is a face."),
}


@runway.setup(options=options)
def setup(opts):
    return {
        "detector": face.open_session(os.path.join(HERE, "weights", "detector.pb")),
        "mesh": face.open_session(os.path.join(HERE, "weights", "mesh.pb")),
        "least_sureness": opts["least_sureness"],
    }


@runway.command(
    "find_landmarks",
    inputs={"image": runway.image(channels=3, description="A picture with one face.")},
    outputs=find_outputs,
    description="Find 468 points of the largest face.",
)
def find_landmarks(model, inputs):
    picture = inputs["image"]
    points, sureness = np.zeros((face.POINTS, 3)), 0.0
    box, box_sureness = face.find_box(model["detector"], picture)
    if box_sureness >= model["least_sureness"]:
        found, sureness = face.find_points(model["mesh"], picture, box)
        if sureness >= model["least_sureness"]:
            points = found
            draw(picture, points)
    return {
        "image": picture,
        "landmarks": (points[:, :2] / picture.size).tolist(),
        "depths": (points[:, 2] / picture.width).tolist(),
        "sureness": min(sureness, box_sureness),
    }


def draw(picture, points):
    """Dots on the points, yellow near the camera and blue far from it."""
    pen = ImageDraw.Draw(picture)
    radius = max(1, np.ptp(points[:, 0]) / 150)
    for x, y, z in points:
        depth = (z - points[:, 2].min()) / np.ptp(points[:, 2])
        colour = tuple((NEAR + (FAR - NEAR) * depth).astype(int))
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


if __name__ == "__main__":
    runway.run()
