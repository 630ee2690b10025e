// How a picture is cut and scaled before it is sent. Pure numbers, used by the page and by its worker.

// The edit that a type's declared sizes ask for.
export function editFor(type) {
  const edit = { fit: "original", width: 0, height: 0, crop: null, format: "same" };
  if (type.width && type.height) return { ...edit, fit: "cover", width: type.width, height: type.height };
  const width = type.width ?? type.maxWidth;
  const height = type.height ?? type.maxHeight;
  if (width || height) return { ...edit, fit: "inside", width: width ?? height, height: height ?? width };
  return edit;
}

// Where to read from and where to draw to.
//   original: the cropped part as it is     inside: shrunk to fit into width x height, never enlarged
//   cover: fills width x height, the overhang is cut      stretch: exactly width x height
export function placement(picture, edit) {
  const crop = edit.crop ?? { x: 0, y: 0, width: 1, height: 1 };
  const source = {
    x: crop.x * picture.width,
    y: crop.y * picture.height,
    width: Math.max(1, crop.width * picture.width),
    height: Math.max(1, crop.height * picture.height),
  };
  const full = (size) => ({ source, size, target: { x: 0, y: 0, ...size } });
  const whole = { width: Math.round(source.width), height: Math.round(source.height) };
  if (edit.fit === "original" || !edit.width || !edit.height) return full(whole);
  if (edit.fit === "stretch") return full({ width: edit.width, height: edit.height });
  const scales = [edit.width / source.width, edit.height / source.height];
  if (edit.fit === "inside") {
    const scale = Math.min(1, ...scales);
    const shrunk = (length) => Math.max(1, Math.round(length * scale));
    return full({ width: shrunk(source.width), height: shrunk(source.height) });
  }
  const scale = Math.max(...scales);
  const [width, height] = [edit.width / scale, edit.height / scale];
  return {
    size: { width: edit.width, height: edit.height },
    target: { x: 0, y: 0, width: edit.width, height: edit.height },
    source: {
      x: source.x + (source.width - width) / 2,
      y: source.y + (source.height - height) / 2,
      width,
      height,
    },
  };
}
