"""How far a stacked result may be from that of the item alone."""

# Largest difference that counts as equal, as a part of the largest absolute value of the item's tensor.
TOLERANCES = {
    "float64": 1e-9,
    "float32": 1e-4,
    "float16": 1e-2,
    "bfloat16": 5e-2,
    "complex128": 1e-9,
    "complex64": 1e-4,
}
