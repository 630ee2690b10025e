"""MLServer's custom runtime for the common work: one tensor in, one out, the first dimension is the batch."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.rivals.work import Job


class Rival(MLModel):
    """One command."""

    async def load(self) -> bool:
        """In the worker process."""
        self.job = Job(self.name)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """As many rows out as in."""
        source = payload.inputs[0]
        if self.job.takes_image:
            items = [self.job.decode({"image": uri}) for uri in StringCodec.decode_input(source)]
            answers = [self.job.encode(result)["image"] for result in self.job.predict(items)]
            output = StringCodec.encode_output("image", answers)
        else:
            output = NumpyCodec.encode_output("y", self._numbers(NumpyCodec.decode_input(source)))
        return InferenceResponse(model_name=self.name, outputs=[output])

    def _numbers(self, rows: object) -> object:
        import numpy as np

        return np.asarray(self.job.predict(list(rows)), np.float32)
