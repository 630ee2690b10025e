"""Make the pictures of the README and print how far each result is from the original.

    python make_pictures.py        # needs scikit-image, which carries the photographs

Each photograph is made four times smaller and enlarged again, by bicubic interpolation and by the
network, so that both can be compared with the original.
"""

from pathlib import Path

import esrgan
import numpy as np
from PIL import Image, ImageDraw
from skimage import data

HERE = Path(__file__).resolve().parent
# Photograph, and the place in it that is shown: left, top, width, height.
SHOWN = {"astronaut": (156, 28, 176, 176), "chelsea": (84, 56, 176, 176)}
DEMO_CROP = (60, 20, 252, 212)  # of chelsea: the picture that `make demo` sends
ZOOM = 2
CAPTION_HEIGHT = 22


def photograph(name):
    """A photograph with sides that can be divided by the scale."""
    pixels = getattr(data, name)()
    height, width = (side - side % esrgan.SCALE for side in pixels.shape[:2])
    return Image.fromarray(pixels[:height, :width])


def psnr(original, result):
    """Peak signal-to-noise ratio in dB."""
    difference = np.asarray(original, float) - np.asarray(result, float)
    return 10 * np.log10(255**2 / np.mean(difference**2))


def side_by_side(columns, box):
    """The same part of several pictures in a row, captions above."""
    left, top, width, height = box
    size = (len(columns) * width * ZOOM, height * ZOOM + CAPTION_HEIGHT)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for index, (caption, picture) in enumerate(columns.items()):
        part = picture.crop((left, top, left + width, top + height))
        part = part.resize((width * ZOOM, height * ZOOM), Image.Resampling.NEAREST)
        x = index * width * ZOOM
        draw.text((x + 6, 4), caption, fill="black", font_size=14)
        sheet.paste(part, (x, CAPTION_HEIGHT))
    return sheet


def main():
    network = esrgan.load(HERE / "weights")
    (HERE / "pictures").mkdir(exist_ok=True)
    for name, box in SHOWN.items():
        original = photograph(name)
        size = [side // esrgan.SCALE for side in original.size]
        small = original.resize(size, Image.Resampling.BICUBIC)
        bicubic = small.resize(original.size, Image.Resampling.BICUBIC)
        ours = Image.fromarray(esrgan.enlarge(network, np.asarray(small), tile=256))
        columns = {
            "input": small.resize(original.size, Image.Resampling.NEAREST),
            f"bicubic, {psnr(original, bicubic):.2f} dB": bicubic,
            f"ESRGAN-slim, {psnr(original, ours):.2f} dB": ours,
            "original": original,
        }
        side_by_side(columns, box).save(HERE / "pictures" / f"{name}.jpg", quality=88)
        print(name, *list(columns)[1:3], sep="; ")
    photograph("chelsea").crop(DEMO_CROP).save(HERE / "photo.jpg", quality=92)


if __name__ == "__main__":
    main()
