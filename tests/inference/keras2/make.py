"""How the files beside this were made: ``python make.py`` where tensorflow 2.13.1 is installed.

Each network has its inputs and its answers in ``answers.npz``; labels.txt is as Teachable Machine
writes it.
"""

from pathlib import Path

import numpy as np
from tensorflow import keras

HERE = Path(__file__).parent
layers = keras.layers


def make_networks():
    photo = keras.Input((12, 12, 3))
    base = keras.Sequential(
        [
            photo,
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.ReLU(6.0),
            layers.DepthwiseConv2D(3),
            layers.SeparableConv2D(3, 3),
            layers.Conv2DTranspose(3, 3),
            layers.GlobalAveragePooling2D(),
        ]
    )
    head = keras.Sequential(
        [keras.Input((3,)), layers.Dense(5, "relu"), layers.Dense(2, "softmax", use_bias=False)]
    )
    teachable = keras.Sequential([base, head])
    teachable.build((None, 12, 12, 3))
    depthwise = layers.GlobalAveragePooling2D()(layers.DepthwiseConv2D(3)(photo))
    recurrent = [layers.LSTM(4, return_sequences=True), layers.Bidirectional(layers.GRU(3))]
    return {
        "keras_model.h5": teachable,
        "recurrent.h5": keras.Sequential([keras.Input((5, 3)), *recurrent, layers.Dense(2)]),
        "depthwise.h5": keras.Model(photo, depthwise),
        "depthwise.keras": keras.Model(photo, depthwise),
        "sequential.keras": keras.Sequential([photo, layers.SeparableConv2D(2, 3)]),
    }


def main():
    rng, answers = np.random.default_rng(0), {}
    for name, network in make_networks().items():
        weights = [rng.uniform(0.1, 0.5, weight.shape) for weight in network.get_weights()]
        network.set_weights(weights)
        rows = rng.uniform(-1, 1, (3, *network.input_shape[1:])).astype("float32")
        network.save(HERE / name)
        answers[f"{name}.x"], answers[f"{name}.y"] = rows, network(rows, training=False).numpy()
    np.savez_compressed(HERE / "answers.npz", **answers)
    (HERE / "labels.txt").write_text("0 Cat\n1 Dog\n", "utf-8")


if __name__ == "__main__":
    main()
