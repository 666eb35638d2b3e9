"""MNIST as fastai's tutorials teach it: picture files in folders, one-cycle training."""

import sys
from pathlib import Path

from fastai.vision import all as vision
from measured import Measured
from network import fast_cnn


class Stop(vision.Callback):
    order = 60  # after the recorder

    def before_train(self):
        measured.epoch_starts()

    def after_epoch(self):
        measured.epoch_ends(float(self.learn.recorder.values[-1][-1]))


if __name__ == "__main__":
    measured = Measured(55_000)
    vision.set_seed(int(sys.argv[2]))
    loaders = vision.ImageDataLoaders.from_folder(
        Path(sys.argv[1]), train="train", valid="test", bs=128, img_cls=vision.PILImageBW, num_workers=2
    )
    loss, metrics = vision.CrossEntropyLossFlat(), vision.accuracy
    learner = vision.Learner(loaders, fast_cnn(), loss_func=loss, metrics=metrics, cbs=Stop())
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(1, 1e-2)
    measured.report()
