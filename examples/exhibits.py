"""What `make_gallery.py` sends to each example and the pictures it makes of the answers.

An exhibit is a function: it gets `ask(command, **inputs)`, which answers with the outputs and keeps the time, and a
folder for pictures; it returns lines of Markdown. Pictures in inputs are PIL images, in outputs too.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "training"))
CAPTION_HEIGHT = 22
GAP = 8
# As in the landscape examples' scripts.
COLOURS = np.array(
    [
        (102, 153, 255),
        (255, 255, 255),
        (255, 221, 0),
        (128, 128, 128),
        (0, 51, 153),
        (0, 204, 51),
        (0, 77, 26),
    ],
    np.uint8,
)


def photograph(name):
    """A photograph that scikit-image carries."""
    from skimage import data

    return Image.fromarray(getattr(data, name)()).convert("RGB")


def landscape(side, seed):
    """A drawn scene and its label map, as pictures, that no example was trained on."""
    import scenes

    pictures, labels, _ = scenes.draw(1, side, seed)
    pixels = (pictures[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    return Image.fromarray(pixels), Image.fromarray(COLOURS[labels[0].numpy()])


def row(captioned):
    """Pictures side by side, captions above: a sheet."""
    pictures = [picture.convert("RGB") for _, picture in captioned]
    width = sum(picture.width + GAP for picture in pictures) - GAP
    height = max(picture.height for picture in pictures) + CAPTION_HEIGHT
    sheet = Image.new("RGB", (width, height), "white")
    pen, x = ImageDraw.Draw(sheet), 0
    for (caption, _), picture in zip(captioned, pictures, strict=True):
        pen.text((x + 2, 4), caption, fill="black", font_size=13)
        sheet.paste(picture, (x, CAPTION_HEIGHT))
        x += picture.width + GAP
    return sheet


def super_resolution(ask, folder):
    whole = photograph("astronaut").crop((160, 40, 304, 184))
    small = whole.resize((36, 36), Image.BICUBIC)
    enlarged = ask("upscale", image=small)["image"]
    shown = [("input", small.resize((288, 288), Image.NEAREST)), ("output", enlarged)]
    shown[1] = ("output", enlarged.resize((288, 288), Image.BICUBIC))
    row(shown).save(folder / "gallery.png")
    return ["![a face, four times as large](gallery.png)"]


def digits(ask, folder):
    random = np.random.default_rng(7)
    z = [random.normal(size=16).tolist() for _ in range(8)]
    rows = [
        row([(f"t = {t}", ask("generate", z=v, truncation=t, size=84)["image"]) for v in z])
        for t in (0.5, 0.8, 1.1)
    ]
    stack(rows).save(folder / "samples.png")
    first, last = (np.array(v) for v in z[:2])
    steps = [first + (last - first) * part for part in np.linspace(0, 1, 8)]
    walk = [ask("generate", z=v.tolist(), size=84)["image"] for v in steps]
    row([(f"{n} of 7", picture) for n, picture in enumerate(walk)]).save(folder / "walk.png")
    return ["![digits](samples.png)", "", "From one vector to another:", "", "![a walk](walk.png)"]


def landscape_painter(ask, folder):
    sheets = []
    for seed in (3_000_005, 3_000_008):
        _, labels = landscape(128, seed)
        shown = [("label map", labels)]
        for light, caption in ((-2, "dusk"), (0, "between"), (2, "noon")):
            painted = ask("paint", map=labels, style=[light, *[0.3] * 7])["image"]
            shown.append((caption, painted))
        sheets.append(row([(caption, picture.resize((192, 192))) for caption, picture in shown]))
    stack(sheets).save(folder / "lights.png")
    return ["![the same maps at three hours of the day](lights.png)"]


def landscape_segmenter(ask, folder):
    sheets, lines = [], []
    for seed in (3_000_005, 3_000_008):
        picture, labels = landscape(128, seed)
        mask = ask("mask", image=picture)["mask"]
        overlay = ask("overlay", image=picture)["image"]
        shown = [("input", picture), ("mask", mask), ("overlay", overlay), ("truth", labels)]
        sheets.append(row([(caption, part.resize((192, 192), 0)) for caption, part in shown]))
        lines.append(f"Labels: {', '.join(ask('labels', image=picture)['labels'])}.")
    stack(sheets).save(folder / "masks.png")
    return ["![masks](masks.png)", "", *lines]


def image_classifier(ask, folder):
    shown, lines = [], ["| picture | label | sure |", "|---|---|---|"]
    for name in ("chelsea", "coffee"):
        picture = photograph(name)
        answer = ask("classify", image=picture, count=3)
        shown.append((answer["label"], picture.resize((288, 192))))
        pairs = zip(answer["labels"], answer["confidences"], strict=True)
        lines += [f"| {name} | {label} | {sure:.0%} |" for label, sure in pairs]
    row(shown).save(folder / "labels.jpg", quality=88)
    return ["![a cat and a coffee](labels.jpg)", "", *lines]


def face_mesh(ask, folder):
    picture = photograph("astronaut").crop((110, 0, 350, 240))
    answer = ask("find_landmarks", image=picture.resize((480, 480)))
    row([("input", picture.resize((480, 480))), ("output", answer["image"])]).save(
        folder / "points.jpg", quality=88
    )
    nose = answer["landmarks"][1]
    return [
        "![points of a face](points.jpg)",
        "",
        f"Sureness {answer['sureness']:.2f}; the tip of the nose is at {nose[0]:.2f}, {nose[1]:.2f}.",
    ]


def text_generator(ask, folder):
    lines = ["| prompt | temperature | text |", "|---|---|---|"]
    for prompt, temperature in (("My dog ", 0.3), ("My dog ", 0.7), ("What is ", 0.5)):
        answer = ask("generate", prompt=prompt, temperature=temperature, seed=1)["text"]
        lines.append(f"| `{prompt}` | {temperature} | {answer.replace('|', '/')} |")
    return lines


def sentence_embedding(ask, folder):
    sentences = (
        "A cat sits on the mat.",
        "A kitten is resting on a rug.",
        "Stocks fell sharply on Monday.",
    )
    vectors = np.array([ask("embed", text=sentence)["vector"] for sentence in sentences])
    lines = ["| likeness | " + " | ".join(sentences) + " |", "|---" * 4 + "|"]
    for sentence, products in zip(sentences, vectors @ vectors.T, strict=True):
        lines.append(f"| {sentence} | " + " | ".join(f"{p:.2f}" for p in products) + " |")
    return lines


def stack(sheets):
    """Sheets one below the other."""
    whole = Image.new("RGB", (max(s.width for s in sheets), sum(s.height for s in sheets)), "white")
    y = 0
    for sheet in sheets:
        whole.paste(sheet, (0, y))
        y += sheet.height
    return whole


EXHIBITS = (
    super_resolution,
    digits,
    landscape_painter,
    landscape_segmenter,
    image_classifier,
    face_mesh,
    text_generator,
    sentence_embedding,
)
