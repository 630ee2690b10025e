"""Make `weights/charrnn.pth` of the published weights. Not needed to serve them.

    pip download --no-deps textgenrnn==2.0.0 && tar xzf textgenrnn-2.0.0.tar.gz
    python convert.py textgenrnn-2.0.0/textgenrnn      # needs h5py

They become 16-bit numbers, which halves the file.
"""

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import torch

HERE = Path(__file__).resolve().parent


def read_arrays(path):
    """Arrays by `layer/kind`."""
    arrays = {}

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            arrays[f"{name.split('/')[0]}/{name.split('/')[-1].split(':')[0]}"] = np.array(item)

    with h5py.File(path) as published:
        published.visititems(keep)
    return arrays


def lstm(arrays, layer):
    """Weights of one layer as PyTorch names and orders them.

    They are CuDNN's: four gates side by side, each input kernel already (units, inputs) in memory although its shape
    says the reverse, and two biases that are only ever added.
    """
    kernels = np.split(arrays[f"{layer}/kernel"], 4, axis=1)
    recurrent = np.split(arrays[f"{layer}/recurrent_kernel"], 4, axis=1)
    input_bias, hidden_bias = np.split(arrays[f"{layer}/bias"], 2)
    return {
        "weight_ih_l0": np.concatenate([kernel.reshape(kernel.shape[::-1]) for kernel in kernels]),
        "weight_hh_l0": np.concatenate(recurrent),
        "bias_ih_l0": input_bias,
        "bias_hh_l0": hidden_bias,
    }


def main(folder):
    arrays = read_arrays(folder / "textgenrnn_weights.hdf5")
    state = {
        "embedding.weight": arrays["embedding/embeddings"],
        "attention": arrays["attention/attention_W"][:, 0],
        "output.weight": arrays["output/kernel"].T,
        "output.bias": arrays["output/bias"],
    }
    for ours, theirs in {"first": "rnn_1", "second": "rnn_2"}.items():
        state.update({f"{ours}.{name}": array for name, array in lstm(arrays, theirs).items()})
    half = {name: torch.from_numpy(array.copy()).half() for name, array in state.items()}
    torch.save(half, HERE / "weights" / "charrnn.pth")
    numbers = json.loads((folder / "textgenrnn_vocab.json").read_text())
    tokens = sorted(numbers, key=numbers.get)
    if [numbers[token] for token in tokens] != list(range(1, len(tokens) + 1)):
        raise ValueError("the vocabulary does not count from 1")
    text = json.dumps(tokens, ensure_ascii=True)
    (HERE / "weights" / "tokens.json").write_text(text + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
