"""LitServe's API class, as its documentation writes one, with its batching switched on."""

import base64
import os

import litserve as ls
from peer_models import load_model


class Api(ls.LitAPI):
    """A text or an image in each request."""

    def setup(self, device):
        """Load the model in the worker."""
        self.model = load_model()

    def decode_request(self, request):  # an annotation would make it a query parameter
        """Take the text or the image out of the JSON."""
        return base64.b64decode(request["image"]) if "image" in request else request["text"]

    def predict(self, x):
        """Compute a batch, which is a list."""
        return self.model.predict(x)

    def encode_response(self, output):
        """Make the JSON of one answer."""
        return {"output": output}


if __name__ == "__main__":
    server = ls.LitServer(Api(max_batch_size=32, batch_timeout=0.005), accelerator="cpu", timeout=120)
    server.run(host="127.0.0.1", port=int(os.environ["HTTP_PORT"]), generate_client_file=False)
