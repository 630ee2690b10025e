"""Uses processes and pickles of its own."""

import multiprocessing
import pickle

import runway
from runway.data_types import number, text


class Pair(tuple):
    """Its name in a pickle is __main__.Pair."""


@runway.command("total", inputs={"way": text}, outputs={"total": number})
def total(model, inputs):
    pairs = pickle.loads(pickle.dumps([Pair([1, 2]), Pair([3, 4])]))
    with multiprocessing.get_context(inputs["way"]).Pool(2) as pool:
        return sum(pool.map(sum, pairs))


if __name__ == "__main__":
    runway.run()
