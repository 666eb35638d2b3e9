# %% [markdown]
# # Look at EMNIST
#
# MNIST has ten digits. NIST, who collected them, also collected letters: *extended* MNIST, EMNIST, has digits, capitals
# and small letters, 62 classes in all. Here you look at them, train a convolutional network on them in the notebook,
# and look at what it sees.
#
# At the end you will be able to
# - say what a dataset holds before you train on it;
# - train a network with a `Trainer`, in ten lines;
# - look at a network's mistakes, and say which of them are the network's fault;
# - say what a convolution is looking for.

# %%
import os
from collections import Counter

import matplotlib.pyplot as plt
import pytorch_lightning as pl
import torch

from lab_kit.experiment import hardware
from lab_kit.notebooks import notebook
from lab_kit.notebooks.notebook import BLUE, GREEN, RED
from text_recognizer.data import EMNIST
from text_recognizer.lit_models import BaseLitModel
from text_recognizer.models import CNN

FAST = "COURSE_FAST" in os.environ  # set: little work, only to see that every cell runs
pl.seed_everything(42, verbose=False)
notebook.set_up()

# %% [markdown]
# ## The data, described
#
# As for every dataset of the course: `prepare_data()`, `setup()`, print.
#
# NIST's archive has 562 MB, so the notebook begins without it. The characters that you see here are drawn by a program,
# in the handwriting of thousands of imaginary writers, and need no network. **On Colab, or with a fast network, write
# `SOURCE = "auto"`** and run all cells again: then everything below is about the handwriting of real people.

# %%
SOURCE = "pen"  # "auto": the archive from disk, else from the network
data = EMNIST(source=SOURCE)
data.prepare_data()
data.setup()
data

# %% [markdown]
# 83 classes, though EMNIST has 62? The four in angle brackets are special tokens, and the marks at the end are needed
# to write English. EMNIST has pictures of neither. They are for later, when we read lines of text; until then they cost
# nothing.
#
# `mapping` turns a class index into its character:

# %%
mapping = data.config().mapping
for start in range(0, len(mapping), 12):
    print("  ".join(f"{index:2} {mapping[index]:3}" for index in range(start, min(start + 12, len(mapping)))))

# %% [markdown]
# ## A batch: shape, type, range
#
# **Predict before you run:** which shape has a batch of pictures? Which type? From where to where do the values go?

# %%
images, labels = next(iter(data.test_dataloader()))
for name, batch in {"images": images, "labels": labels}.items():
    low, mean, high = batch.min(), batch.float().mean(), batch.max()
    print(f"{name}: {tuple(batch.shape)} {batch.dtype}, from {low:.2f} to {high:.2f}, mean {mean:.2f}")

# %% [markdown]
# (128, 1, 28, 28): 128 pictures, one channel, 28 by 28. Floats from 0 to 1. If the maximum were 255, somebody would
# have forgotten to divide. The labels are whole numbers, none below 4: the special tokens have no pictures.
#
# ## A labelled grid
#
# **Cover the labels with your hand and read.** How many do you get right?

# %%
notebook.show_images(images[:48], [mapping[label] for label in labels[:48]], columns=12)
# alt: 48 handwritten letters and digits in rows of twelve, each with its label above it

# %% [markdown]
# Some cannot be told apart at all: 0, O and o; 1, I and l; capitals and small letters of one shape, such as S and s. No
# network can do better than the picture allows. Keep that in mind when you see the accuracy.
#
# ## How many of each?

# %%
train = data.splits["train"]
counts = torch.bincount(train.labels[train.indices].long(), minlength=len(mapping))
shown = [index for index in range(len(mapping)) if counts[index]]

_, axes = plt.subplots(figsize=(11, 3.2))
axes.bar([mapping[index] for index in shown], counts[shown], color=BLUE)
axes.set(xlabel="character", ylabel="training pictures", title="How often each character occurs in the training set")
axes.tick_params(axis="x", labelsize=9)
axes.margins(x=0.01)
plt.show()

# %% [markdown]
# Here all are equal, because a program drew them. EMNIST as published has twenty times as many pictures of some
# characters as of others. The data module leaves out pictures of frequent ones, until none has more than the average
# had (`balance=True`). The rare ones stay rare.
#
# ## Train a CNN, here
#
# Three objects: the network, the LightningModule that knows how it learns, the Trainer that runs the loop. On two CPU
# cores this takes about two minutes. **Predict before you run:** what accuracy will it reach?

# %%
network = CNN(data.config(), conv_dim=32)
model = BaseLitModel(network, data.config(), one_cycle_max_lr=3e-3)
history = notebook.History()
trainer = pl.Trainer(
    max_epochs=1 if FAST else 3,
    limit_train_batches=5 if FAST else 1.0,
    limit_val_batches=2 if FAST else 1.0,
    limit_test_batches=2 if FAST else 1.0,
    precision=hardware.fast_precision("auto"),
    callbacks=[history, notebook.Progress()],
    **notebook.QUIET,
)
trainer.fit(model, datamodule=data)

# %%
results = trainer.test(model, datamodule=data, verbose=False)[0]
print(f"Of the test pictures, {results['test_acc']:.1%} are read correctly.")

# %% [markdown]
# ## Predicted against true
#
# The network's answer for one picture is 83 numbers, the **logits**. The largest one is its choice.

# %%
model.eval()  # dropout off
with torch.no_grad():
    logits = model(images)
predicted = logits.argmax(dim=1)
print(f"logits: {tuple(logits.shape)}; predicted: {tuple(predicted.shape)}")

right = (predicted == labels).tolist()
titles = [
    mapping[read] if good else f"{mapping[read]}, not {mapping[true]}"
    for read, true, good in zip(predicted, labels, right, strict=True)
]
colours = [GREEN if good else RED for good in right]
notebook.show_images(images[:40], titles[:40], columns=10, colours=colours[:40])
# alt: 40 handwritten characters, each with the answer of the network above it; wrong answers also name the true
#      character

# %% [markdown]
# Green: right. Red: what was read, and what the label says. **For each mistake: whose fault is it?** Would you have
# read it differently?
#
# Over more test pictures, these are the commonest mistakes:

# %%
test = data.splits["test"]
pairs = Counter()
for start in range(0, 256 if FAST else 10_000, 256):
    indices = range(start, min(start + 256, len(test)))
    pictures, truth = test.__getitems__(indices)
    with torch.no_grad():
        answers = model(pictures).argmax(dim=1)
    pairs.update((mapping[t], mapping[a]) for t, a in zip(truth, answers, strict=True) if t != a)

commonest = pairs.most_common(15)[::-1]
_, axes = plt.subplots(figsize=(7, 4.8))
axes.barh([f"{true} read as {read}" for (true, read), _ in commonest], [count for _, count in commonest], color=RED)
axes.set(xlabel="test pictures", title="The commonest mistakes are between characters that look alike")
axes.grid(axis="y", visible=False)
plt.show()

# %% [markdown]
# ## What does a convolution see?
#
# The first convolution has 32 filters of 3 by 3 pixels. Each slides over the picture. Its output at every place says
# how much the picture there looks like the filter. These are the filters, as they were learnt. Where a weight is blue,
# ink makes the output larger; where it is red, ink makes it smaller.

# %%
filters = network.conv1.conv.weight.detach()  # (32, 1, 3, 3)
limit = filters.abs().max()
_, grid = plt.subplots(2, 16, figsize=(11, 1.7))
for axes, weights in zip(grid.flat, filters, strict=True):
    axes.imshow(weights[0], cmap="RdBu", vmin=-limit, vmax=limit)
    axes.set_axis_off()
plt.suptitle("The 32 filters of the first convolution")
plt.show()

# %% [markdown]
# Some have blue on one side and red on the other: edges. Some have a blue line between red ones: strokes. Nobody told
# them to. Their output is a **feature map**: a picture of where the filter found what it looks for.

# %%
one = images[labels.argmax() : labels.argmax() + 1]  # (1, 1, 28, 28)
with torch.no_grad():
    first = network.conv1(one)  # (1, 32, 28, 28)
    second = network.conv2(first)


def show_maps(maps, title):
    strongest = maps[0].mean(dim=(1, 2)).argsort(descending=True)[:11]
    _, grid = plt.subplots(1, 12, figsize=(11, 1.5))
    for axes, picture in zip(grid, [one[0, 0], *maps[0, strongest]], strict=True):
        axes.imshow(picture, cmap="gray_r" if axes is grid[0] else "cividis")
        axes.set_axis_off()
    grid[0].set_title("picture", fontsize=10)
    plt.suptitle(title)
    plt.show()


show_maps(first, "After the first convolution: edges of one direction each")
show_maps(second, "After the second: combinations of edges, such as ends, corners and bows")

# %% [markdown]
# Bright is where a filter answered. After the first convolution you still see the character, once for every direction
# of its edges. The second convolution looks at 5 by 5 pixels of the picture, and combines what the first one found.
#
# ## In the notebook, or on the command line?
#
# A notebook is good for looking. For training, the command line is better: it keeps every run in a folder, with all its
# settings. The same run:
#
# ```sh
# python training/run_experiment.py --data_class EMNIST --model_class CNN --conv_dim 32 --one_cycle_max_lr 3e-3 \
#     --max_epochs 3
# ```
#
# ## Try it
#
# 1. Count a mistake only where the characters differ when case is left aside (`a.lower() != b.lower()`). How far does
#    the accuracy rise?
# 2. Train with `EMNIST(augment=True)`. Which curve changes more, that of training or that of validation?
# 3. Show the feature maps of another character. Which filters answer to vertical strokes?
# 4. Train with 2 filters in place of 32. What can the network still read?
