"""The least that classifying a photo takes: decode, resize, LiteRT, over and over; no service.

    python -m benchmarks.image_floor PHOTO MODEL --seconds 4

Prints the photos classified and the seconds they took, as JSON.
"""

import argparse
import io
import json
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=argparse.FileType("rb"))
    parser.add_argument("model")
    parser.add_argument("--seconds", type=float, default=4)
    options = parser.parse_args()
    jpeg = options.photo.read()
    interpreter = Interpreter(options.model, num_threads=1)
    interpreter.allocate_tensors()
    input_, output = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    size = tuple(input_["shape"][2:0:-1])
    done, began = -1, time.perf_counter()
    while time.perf_counter() < began + options.seconds:
        if done < 0:  # the first one fills caches
            began = time.perf_counter()
        photo = Image.open(io.BytesIO(jpeg)).resize(size, Image.Resampling.BILINEAR)
        interpreter.set_tensor(input_["index"], np.asarray(photo, np.float32)[np.newaxis])
        interpreter.invoke()
        np.argsort(-interpreter.get_tensor(output["index"])[0])[:5]
        done += 1
    print(json.dumps({"photos": done, "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
