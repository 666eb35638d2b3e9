"""MNIST as Lightning's tutorials teach it: pictures become tensors one by one, in two workers."""

import sys
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from measured import Measured
from network import fast_cnn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms


class Digits(Dataset):
    def __init__(self, folder, split):
        arrays = np.load(Path(folder) / "mnist.npz")
        self.images, self.labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.transform(self.images[index]), int(self.labels[index])


class Classifier(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.network = fast_cnn()

    def training_step(self, batch, _):
        images, labels = batch
        loss = functional.cross_entropy(self.network(images), labels)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, _):
        images, labels = batch
        self.log("val_acc", (self.network(images).argmax(dim=1) == labels).float().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class Stop(pl.Callback):
    def on_train_epoch_start(self, trainer, module):
        measured.epoch_starts()

    def on_train_epoch_end(self, trainer, module):
        trainer.should_stop = measured.epoch_ends(float(trainer.callback_metrics["val_acc"]))


if __name__ == "__main__":
    measured = Measured(55_000)
    pl.seed_everything(int(sys.argv[2]), verbose=False)
    train, test = (DataLoader(Digits(sys.argv[1], split), batch_size=128, shuffle=split == "train", num_workers=2,
                              persistent_workers=True) for split in ("train", "test"))  # fmt: skip
    settings = {"enable_progress_bar": False, "logger": False, "enable_checkpointing": False}
    trainer = pl.Trainer(max_epochs=8, accelerator="cpu", num_sanity_val_steps=0, callbacks=[Stop()], **settings)
    trainer.fit(Classifier(), train, test)
    measured.report()
