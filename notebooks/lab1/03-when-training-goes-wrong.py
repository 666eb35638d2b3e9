# %% [markdown]
# # When training goes wrong
#
# Training fails in four ways, says the lecture: the learning rate is too high, or too low; there are too few epochs, or
# too many. Each can be seen in two curves. Here you make all four mistakes on purpose, so that you know them when
# you meet them.
#
# At the end you will be able to
# - tell from the training and the validation loss what is wrong;
# - say which of the two should be lower, and why;
# - find a learning rate in a minute, with the learning-rate finder;
# - test your code by letting the network learn two batches by heart.

# %%
import os

import matplotlib.pyplot as plt
import pytorch_lightning as pl
import torch
from torch import nn

from lab_kit.notebooks import notebook
from lab_kit.notebooks.notebook import BLUE, GREEN, ORANGE, RED
from text_recognizer.data import MNIST
from text_recognizer.data.dataset import ImageDataset
from text_recognizer.lit_models import BaseLitModel
from text_recognizer.models import MLP
from training.find_lr import find_lr

FAST = "COURSE_FAST" in os.environ  # set: little work, only to see that every cell runs
notebook.set_up()

# %% [markdown]
# ## The set-up
#
# MNIST again, but only 2,000 digits to train on. With less data a network goes wrong sooner, and you need not wait.

# %%
data = MNIST(batch_size=64)
data.prepare_data()
data.setup()

full = data.splits["train"]
for split, some in data.splits.items():
    chosen = some.indices[: 256 if FAST else 2_000]
    data.splits[split] = ImageDataset(some.images, some.labels, chosen, some.mean, some.std)
data


# %%
def train(name, lr, epochs, dropout=True):
    """Train a new network; return it and what it did in each epoch."""
    pl.seed_everything(42, verbose=False)  # all begin with the same weights
    network = MLP(data.config())
    if not dropout:
        for layer in network.modules():
            if isinstance(layer, nn.Dropout):
                layer.p = 0
    model = BaseLitModel(network, data.config(), lr=lr)
    history = notebook.History()
    trainer = pl.Trainer(
        max_epochs=2 if FAST else epochs, callbacks=[history, notebook.Progress(name)], **notebook.QUIET
    )
    trainer.fit(model, datamodule=data)
    return model, history


# %% [markdown]
# First, as it should be: both curves fall, quickly at first, until validation levels off.

# %%
good_model, good = train("as it should be", lr=1e-3, epochs=10)

_, axes = plt.subplots(figsize=(6.5, 4))
notebook.plot_losses(axes, good, "As it should be: both fall, until validation levels off")
axes.set_ylim(bottom=0)
plt.show()

# %% [markdown]
# ## Mistake 1: the learning rate is too high
#
# **Predict before you run:** what will the loss be with a learning rate of 0.3 in place of 0.001? A network that only
# guesses has a loss of log 10 = 2.3.

# %%
_, too_high = train("too high", lr=0.3, epochs=10)

_, axes = plt.subplots(figsize=(6.5, 4))
notebook.plot_losses(axes, too_high, "Too high: the loss is far above that of the good run, and stays there")
axes.plot(range(1, len(good["val_loss"]) + 1), good["val_loss"], color=GREEN, linestyle="--", label="the good run")
axes.set_yscale("log")
axes.legend()
plt.show()

# %% [markdown]
# The first steps threw the weights so far away that no later step brings them back. There is no way to repair such a
# network. Build a new one, and train it with a learning rate ten times smaller.
#
# ## Mistake 2: the learning rate is too low

# %%
_, too_low = train("too low", lr=1e-6, epochs=10)

_, axes = plt.subplots(figsize=(6.5, 4))
notebook.plot_losses(axes, too_low, "Too low: the losses creep, and training stays above validation")
plt.show()

# %% [markdown]
# Look at the numbers of the y axis: after ten epochs the network does little more than guess. And the training loss is
# *higher* than the validation loss. That is a sure sign: the network has not been fitted enough.
#
# ## Mistake 3: too few epochs
#
# One epoch, with a good learning rate:

# %%
_, too_few = train("too few", lr=1e-3, epochs=1)
print(f"training loss {too_few['train_loss'][-1]:.2f}, validation loss {too_few['val_loss'][-1]:.2f}")

_, axes = plt.subplots(figsize=(6.5, 3.4))
for place, history in enumerate([too_few, good]):
    for shift, split, colour, label in ((-0.18, "train", ORANGE, "training"), (0.18, "val", BLUE, "validation")):
        value = history[f"{split}_loss"][-1]
        axes.bar(place + shift, value, width=0.34, color=colour, label=label if place == 0 else None)
        axes.annotate(f"{value:.2f}", (place + shift, value), ha="center", va="bottom")
axes.set(ylabel="loss", title="Too few: training is far above validation")
axes.set_xticks([0, 1], ["after 1 epoch", "after 10 epochs"])
axes.legend()
plt.show()

# %% [markdown]
# The same sign as before: training above validation. Too few epochs and too low a learning rate look alike. So first
# train longer. If that takes too long, raise the learning rate. If the loss then becomes huge, go back.
#
# ## Mistake 4: too many epochs
#
# Overfitting is harder to bring about than people say. We switch off dropout, which works against it, and train 60
# epochs on the same 2,000 digits. **Predict before you run:** where will the training loss end? And the validation
# loss?

# %%
_, too_many = train("too many", lr=1e-3, epochs=60, dropout=False)

_, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
notebook.plot_losses(left, too_many, "Too many: the validation loss turns and rises")
best = min(range(len(too_many["val_loss"])), key=too_many["val_loss"].__getitem__)
left.axvline(best + 1, color=GREEN, linestyle="--", label=f"best: epoch {best + 1}")
left.legend()
errors = [100 * (1 - accuracy) for accuracy in too_many["val_acc"]]
right.plot(range(1, len(errors) + 1), errors, color=BLUE)
right.set(xlabel="epoch", ylabel="validation errors (%)", title="The share of errors has long stopped falling")
right.set_ylim(bottom=0)
plt.show()

# %% [markdown]
# The training loss goes to zero: the network knows its 2,000 digits by heart. The validation loss turns round after a
# few epochs and rises: the network becomes ever more certain, also where it is wrong.
#
# What you want to know is in the right plot: does the share of errors get *worse*? Only that is overfitting that hurts.
# Here it just stops improving. You could have stopped there, too.
#
# ## Training and validation side by side
#
# All four, and the good run:

# %%
runs = {
    "as it should be": good,
    "lr too high": too_high,
    "lr too low": too_low,
    "too few epochs": too_few,
    "too many epochs": too_many,
}
_, grid = plt.subplots(1, 5, figsize=(15, 3.4), sharey=True)
for axes, (name, history) in zip(grid, runs.items(), strict=True):
    notebook.plot_losses(axes, history, name)
    axes.set(yscale="log", ylim=(1e-3, 1e3))
    axes.get_legend().remove()
    if axes is not grid[0]:
        axes.set_ylabel("")
grid[0].legend(loc="lower left")
plt.show()
# alt: Training and validation loss of the five runs side by side: as it should be, learning rate too high, too low,
#      too few epochs, too many epochs

# %% [markdown]
# | what you see | what it means | what to do |
# | --- | --- | --- |
# | the loss is huge, or as high as guessing | learning rate too high | start again with a tenth of it |
# | both losses creep, training above validation | learning rate too low | ten times as much |
# | training well above validation, both still falling | too few epochs | train on |
# | training below validation, validation still falling | **all is well** | train on |
# | validation rises, and its errors too | too many epochs | stop earlier; more data, dropout, augmentation |
#
# ## Which of the two should be lower?
#
# Many will tell you that a training loss below the validation loss means overfitting. It does not. A network that has
# learnt well *always* does better on what it has seen. Training **above** validation is the warning: not fitted enough.
#
# But why can training be above validation at all? For two reasons that have nothing to do with what the network knows:
#
# 1. The training loss is an average over the epoch, and the network was worse at its start.
# 2. Dropout is on while training, so the network works with a part of its neurons only.
#
# Measure without both: the loss on the training pictures after the epoch, dropout off.


# %%
def loss_now(model, split):
    model.eval()  # dropout off
    images, labels = data.splits[split].__getitems__(range(len(data.splits[split])))
    with torch.no_grad():
        return nn.functional.cross_entropy(model(images), labels).item()


model, history = train("one epoch", lr=1e-3, epochs=1)
print(f"as logged:    training {history['train_loss'][-1]:.3f}, validation {history['val_loss'][-1]:.3f}")
print(f"measured now: training {loss_now(model, 'train'):.3f}, validation {loss_now(model, 'val'):.3f}")

# %% [markdown]
# ## The learning-rate finder
#
# Must you try learning rates one by one? No. Start with a tiny one, train a batch, make it a little larger, train the
# next batch, and so on, until the loss becomes huge. A hundred batches show it all (Leslie Smith, 2015).

# %%
data.splits["train"] = full  # all digits again
model = BaseLitModel(MLP(data.config()), data.config())
trainer = pl.Trainer(max_epochs=20, **notebook.QUIET)
found = find_lr(trainer, model, data)

_, axes = plt.subplots(figsize=(7, 4.2))
axes.plot(found.rates, found.losses, color=BLUE)
at = abs(found.rates - found.suggestion).argmin()
axes.plot(found.suggestion, found.losses[at], "o", color=RED, markersize=10)
axes.annotate(
    f"suggested: {found.suggestion:.0e}",
    (found.suggestion, found.losses[at]),
    xytext=(12, 8),
    textcoords="offset points",
    color=RED,
)
axes.set(
    xscale="log",
    xlabel="learning rate",
    ylabel="training loss (smoothed)",
    title="Take the largest learning rate at which the loss still falls fast",
)
axes.set_ylim(bottom=0)
plt.show()

# %% [markdown]
# How to read it, from left to right:
#
# - **flat**: too small, nothing happens;
# - **falling**: these learning rates work. Take the largest at which it still falls fast, not the lowest point;
# - **rising**: too large. At the lowest point, it is nearly too large already.
#
# On the command line: `python training/run_experiment.py --data_class MNIST --model_class MLP --find_lr`.
#
# ## Two batches by heart: a test of the code
#
# Is it the data, the learning rate, or a bug? Here is the quickest test there is. Train on two batches only, for many
# epochs. A network with more weights than pixels can learn them by heart, so the loss must go to zero. If it does not,
# the code is wrong, and you need not look at anything else.
#
# To see the test fail as well, we build in a bug that many have made: `cross_entropy` expects logits, and this network
# calculates the softmax itself. Nothing complains.


# %%
def overfit(network):
    pl.seed_everything(42, verbose=False)
    history = notebook.History()
    trainer = pl.Trainer(
        max_epochs=3 if FAST else 60, overfit_batches=2, callbacks=[history, notebook.Progress()], **notebook.QUIET
    )
    trainer.fit(BaseLitModel(network, data.config()), datamodule=data)
    return history["train_loss"]


right_losses = overfit(MLP(data.config()))
wrong_losses = overfit(nn.Sequential(MLP(data.config()), nn.Softmax(dim=1)))

# %%
_, axes = plt.subplots(figsize=(7, 4))
axes.plot(range(1, len(right_losses) + 1), right_losses, color=GREEN, label="the MLP")
axes.plot(range(1, len(wrong_losses) + 1), wrong_losses, color=RED, label="with softmax before cross-entropy")
axes.set(xlabel="epoch", ylabel="training loss", title="Correct code learns two batches by heart; this bug cannot")
axes.set_ylim(bottom=0)
axes.legend()
plt.show()

# %% [markdown]
# The network with the bug seems to learn: its loss falls. Without this test you might train it for hours. But it never
# comes below 1.46, which is log(1 + 9/e). Can you say why?
#
# On the command line: `--overfit_batches 2 --max_epochs 60`.
#
# ## Try it
#
# 1. What is the largest learning rate with which this network still learns? Search between 0.001 and 0.3.
# 2. Switch dropout on in mistake 4. Does the validation loss still rise?
# 3. Train on 20,000 digits in place of 2,000, 60 epochs, without dropout. What changes?
# 4. Another bug: in a copy of `MLP`, leave out all `ReLU`s. Does it pass the test of the two batches? What does that
#    teach you about the test?
