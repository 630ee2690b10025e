// Which control shows a type; it gets {id, type, value, onChange, errorId, context}. Values are as they are sent.
import { AnyControl } from "./any.mjs";
import { ArrayControl } from "./array.mjs";
import { BooleanControl, CategoryControl, NumberControl, TextControl } from "./scalars.mjs";
import { FileControl } from "./file.mjs";
import { ImageControl } from "./image.mjs";
import { PlacesControl } from "./places.mjs";
import { SegmentationControl } from "./segmentation.mjs";
import { VectorControl } from "./vector.mjs";

const CONTROLS = {
	any: AnyControl,
	array: ArrayControl,
	boolean: BooleanControl,
	category: CategoryControl,
	file: FileControl,
	image: ImageControl,
	image_bounding_box: PlacesControl,
	image_landmarks: PlacesControl,
	image_point: PlacesControl,
	number: NumberControl,
	segmentation: SegmentationControl,
	text: TextControl,
	vector: VectorControl,
};

// A type of the script's own is written as JSON.
export const controlFor = (type) => CONTROLS[type.type] ?? AnyControl;
