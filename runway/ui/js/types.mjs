// What the manifest's types mean for the page.
import { sample } from "./media/vectors.mjs";

export const isVisual = (type) => type.type === "image" || type.type === "segmentation";
export const isPlace = (type) => ["image_point", "image_bounding_box", "image_landmarks"].includes(type.type);
export const ofKind = (types, kind) => types.filter((type) => type.type === kind);

// The value of the first of some types that has one.
export const pictureIn = (types, values) => types.map((type) => values[type.name]).find(Boolean);

export const isNumbers = (value) =>
	Array.isArray(value) && value.length > 1 && value.every((item) => typeof item === "number" || item === null);

export function title(name) {
	const words = name.replace(/[_-]+/g, " ").trim();
	return words ? words[0].toUpperCase() + words.slice(1) : name;
}

// A text of `most` characters, and a sign where there were more.
export const cut = (text, most) => (text.length > most ? `${text.slice(0, most)}…` : text);

export const roundTo = (value, digits = 5) => Number(value.toFixed(digits));

export const sampleVector = (type) => sample(type).map((value) => roundTo(value));

// `count` points on a circle.
const landmarkCircle = (count) =>
	Array.from({ length: count }, (_, index) => {
		const angle = (2 * Math.PI * index) / count - Math.PI / 2;
		return [Math.cos(angle), Math.sin(angle)].map((side) => roundTo(0.5 + 0.32 * side, 4));
	});

const FIRST_VALUES = {
	vector: (type) => (type.length ? sampleVector(type) : undefined),
	array: (type) => Array.from({ length: type.minLength ?? 0 }, () => firstValue(type.itemType)),
	image_point: () => [0.5, 0.5],
	image_bounding_box: () => [0.25, 0.25, 0.75, 0.75],
	image_landmarks: (type) => landmarkCircle(type.length),
};

// The value a control starts with; undefined means "not given".
export const firstValue = (type) => type.default ?? FIRST_VALUES[type.type]?.(type);

export const firstValues = (types) => Object.fromEntries(types.map((type) => [type.name, firstValue(type)]));

// Values as they are sent: those not given stay away.
export const given = (types, values) => Object.fromEntries(types.map(({ name }) => [name, values[name]]).filter(([, value]) => value != null));

// Types without a default have to be given; `file` and `vector` may stay away.
export const isRequired = (type) => isVisual(type) || isPlace(type) || ["any", "array"].includes(type.type);

export const WANTED = {
	image: "Choose a picture first.",
	segmentation: "Paint a map first.",
	any: "Write a JSON value first.",
};

// Inputs that belong on the stage, and those that stand beside it.
export function splitInputs(inputs) {
	const first = (kind) => ofKind(inputs, kind).slice(0, 1);
	const stage = [inputs.filter(isVisual), first("vector"), first("text")].find((some) => some.length) ?? [];
	return { stage, options: inputs.filter((type) => !stage.includes(type)) };
}

// The field that an error of the server names; items of an array point to the array.
function fieldOf(message, types) {
	const said = /^(?:Invalid argument|Missing (?:input|option|argument)): (.+)$/s.exec(message);
	if (!said) return null;
	const matches = types.filter((type) => namesIn(type).some((name) => said[1].startsWith(`${name}.`)));
	return matches.sort((a, b) => b.name.length - a.name.length)[0]?.name ?? null;
}

// {failure, errors}: what went wrong, to be shown, and the same beside the field it names.
export function failureOf({ message, traceback = [] }, types) {
	const field = fieldOf(message, types);
	return { failure: { message, traceback, field }, errors: field ? { [field]: message } : {} };
}

const namesIn = (type) => (type ? [type.name, ...namesIn(type.itemType)] : []);
