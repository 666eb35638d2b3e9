"""MNIST as Keras's tutorials teach it, with PyTorch below: arrays in memory."""

import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
from keras import layers
from measured import Measured


class Stop(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        measured.epoch_starts()

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = measured.epoch_ends(logs["val_accuracy"])


if __name__ == "__main__":
    measured = Measured(55_000)
    keras.utils.set_random_seed(int(sys.argv[2]))
    arrays = np.load(Path(sys.argv[1]) / "mnist.npz")
    train, test = (
        (arrays[f"{split}_images"].astype("float32")[..., None] / 255, arrays[f"{split}_labels"])
        for split in ("train", "test")
    )
    model = keras.Sequential([
        keras.Input((28, 28, 1)),
        layers.Conv2D(16, 5, strides=2, padding="same", use_bias=False), layers.BatchNormalization(), layers.ReLU(),
        layers.Conv2D(32, 3, padding="same", use_bias=False), layers.MaxPooling2D(), layers.BatchNormalization(),
        layers.ReLU(), layers.Conv2D(64, 3, padding="same", use_bias=False), layers.MaxPooling2D(),
        layers.BatchNormalization(), layers.ReLU(), layers.Flatten(), layers.Dense(10),
    ])  # fmt: skip
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, metrics=["accuracy"])
    model.fit(*train, batch_size=128, epochs=8, validation_data=test, callbacks=[Stop()], verbose=0)
    measured.report()
