# %% [markdown]
# # Look at the data
#
# Most bugs in deep learning are bugs in the data. They raise no error: the network just learns badly. So look at your
# data before you train on it, every time. This notebook shows how.
#
# At the end you will be able to
# - say what a picture, a batch and a label are, as numbers;
# - find out with one line of code whether a batch is in order;
# - say what `Dataset`, `DataLoader` and `DataModule` are for;
# - measure whether `num_workers` helps.

# %%
import os
import time

import matplotlib.pyplot as plt
import torch
import torchvision
from torch.nn import functional
from torch.utils.data import DataLoader

from lab_kit.errors import UserError
from lab_kit.notebooks import notebook
from lab_kit.notebooks.notebook import BLUE, GREEN, ORANGE, RED
from text_recognizer.data import MNIST, FashionMNIST
from text_recognizer.models import MLP

FAST = "COURSE_FAST" in os.environ  # set: little work, only to see that every cell runs
torch.manual_seed(42)
notebook.set_up()

# %% [markdown]
# ## MNIST
#
# 70,000 digits, written by clerks of the US census and by students. A `DataModule` knows where they come from. Two
# calls bring them into memory: `prepare_data()` finds or downloads the files, and `setup()` loads and splits them.
#
# Without the files and without a network, drawn pen strokes take their place. You will be told so.

# %%
mnist = MNIST()
mnist.prepare_data()
mnist.setup()
mnist

# %% [markdown]
# Read it line by line. Ten classes. A picture is (1, 28, 28): one channel, because it is grey, then height and width.
# 55,000 pictures to train on, 5,000 to validate, 10,000 to test.
#
# ## One digit
#
# This is all that a network ever gets to see:

# %%
train = mnist.splits["train"]
picture = train.images[0]  # as in the file: (28, 28), a byte for each pixel
for row in picture[4:25]:
    print(" ".join(f"{value:3}" if value else "  ." for value in row.tolist()))

# %% [markdown]
# **Which digit is it?** Look at the numbers first, then at the picture:

# %%
_, axes = plt.subplots(figsize=(4.4, 3.6))
shown = axes.imshow(picture)
plt.colorbar(shown, label="value of the pixel")
axes.set(title=f"The label says: {mnist.classes[train.labels[0]]}", xlabel="column", ylabel="row")
axes.grid(False)
plt.show()
# alt: The pixels of a handwritten digit, dark on white, with a scale from 0 to 255

# %% [markdown]
# ## Many digits
#
# One picture tells you little. Look at fifty. **Would you have given each the same label?**

# %%
images, labels = train.__getitems__(range(48))
notebook.show_images(images, [mnist.classes[label] for label in labels], columns=12)
# alt: 48 handwritten digits in rows of twelve, each with its label above it

# %% [markdown]
# ## How many of each?
#
# If 90 of 100 pictures were ones, a network that always says "one" would be right 90% of the time. So count.

# %%
counts = torch.bincount(train.labels[train.indices].long(), minlength=10)

_, axes = plt.subplots(figsize=(7, 3.4))
axes.bar(mnist.classes, counts, color=BLUE)
axes.axhline(counts.float().mean(), color=ORANGE, linestyle="--", label="average")
axes.set(xlabel="digit", ylabel="training pictures", title="Each digit is about as frequent as the others")
axes.legend(loc="lower right")
plt.show()

# %% [markdown]
# ## A batch, in four numbers
#
# A network does not get one picture at a time, but a batch. Before you train, look at its shape, its type and its
# range:


# %%
def describe(batch):
    print(f"{tuple(batch.shape)} {batch.dtype}: ", end="")
    values = batch.float()
    print(f"min {values.min():.2f}, mean {values.mean():.2f}, std {values.std():.2f}, max {values.max():.2f}")


images, labels = next(iter(mnist.train_dataloader()))
describe(images)
describe(labels)

# %% [markdown]
# A mean near 0 and a standard deviation near 1: that is what the data module makes of the bytes. It divides by 255,
# then subtracts the mean of all training pixels and divides by their standard deviation.
#
# What if somebody forgets to? Then the maximum is 255:

# %%
raw_images = train.images[:128].unsqueeze(1).float()
describe(raw_images)

# %% [markdown]
# No error, no warning. The shape is right, the type is right. **Predict before you run:** does a network learn from
# such a batch?


# %%
def train_on(scale, steps=20 if FAST else 200):
    """Train an MLP with plain SGD on MNIST, its pictures changed by `scale`; return the loss at each step."""
    torch.manual_seed(0)
    network = MLP(mnist.config())
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    losses = []
    for start in range(0, 128 * steps, 128):
        images, labels = train.__getitems__(torch.arange(start, start + 128) % len(train))
        loss = functional.cross_entropy(network(scale(images)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


_, axes = plt.subplots(figsize=(7, 4))
axes.plot(train_on(lambda images: images), color=GREEN, label="normalised: mean 0, std 1")
axes.plot(train_on(lambda images: (images * mnist.std + mnist.mean) * 255), color=RED, label="bytes: 0 to 255")
axes.axhline(2.303, color="black", linestyle=":", label="guessing: log 10")
axes.set(xlabel="step", ylabel="training loss", yscale="log", title="From bytes up to 255, the network learns nothing")
axes.legend()
plt.show()

# %% [markdown]
# The pixels are a hundred times too large, so the gradients are too, and every step is far too long. The loss becomes
# huge at once, and from then on the network only guesses. A smaller learning rate would not be the answer. Look at the
# batch: a maximum of 255 means that somebody forgot to normalise.
#
# ## Dataset, DataLoader, DataModule
#
# Three things, three jobs:
#
# - a **Dataset** knows its length, and returns a picture and its label by index;
# - a **DataLoader** makes batches: it shuffles the indices, cuts them into pieces, and asks the dataset;
# - a **DataModule** makes the loaders for training, validation and testing, so that every project does it the same way.

# %%
image, label = train[0]
print(f"A dataset: {len(train):,} samples. Sample 0 is a picture {tuple(image.shape)} and the label {label}.")

images, labels = train.__getitems__([0, 1, 2])
print(f"Asked for three at once, it answers with a batch: {tuple(images.shape)}, labels {labels.tolist()}.")

loader = mnist.train_dataloader()
sizes = [len(labels) for _, labels in loader]
print(f"A loader: {len(loader)} batches, the first of {sizes[0]} samples, the last of {sizes[-1]}.")

# %% [markdown]
# **Why is the last batch smaller?** Divide the number of samples by 128.
#
# Training batches are shuffled, differently in every epoch, and yet the same when you run it again: the order depends
# on the seed and the epoch. Validation batches always come in the same order.


# %%
def first_labels(loader, epoch):
    loader.batch_sampler.set_epoch(epoch)  # Lightning does it for you
    return next(iter(loader))[1][:12].tolist()


for name, loader in {"training": mnist.train_dataloader(), "validation": mnist.val_dataloader()}.items():
    for epoch in (0, 1):
        print(f"{name:>10}, epoch {epoch}: {first_labels(loader, epoch)}")

# %% [markdown]
# ## What does `num_workers` change?
#
# With `num_workers=0`, your program makes a batch, trains on it, makes the next. With `num_workers=2`, two more
# processes make batches ahead of time. That sounds faster. Is it? **Measure, never guess.**
#
# We measure two datasets. One is MNIST as it is here: all pictures in memory, a batch in one operation. The other does
# what many datasets do: it makes each picture by itself, and turns it a little.


# %%
def pictures_per_second(loader, batches=5 if FAST else 100):
    """Return the speed of a second pass: the first one starts the workers."""
    for _ in loader:
        break
    start = time.perf_counter()
    for count, _ in enumerate(loader, start=1):
        if count == batches or time.perf_counter() - start > 3:
            break
    return count * 128 / (time.perf_counter() - start)


def in_memory(workers):
    data = MNIST(num_workers=workers)
    data.splits = mnist.splits  # no need to load them again
    return data.train_dataloader()


def one_by_one(workers):
    turn = torchvision.transforms.Compose(
        [torchvision.transforms.RandomRotation(10), torchvision.transforms.ToTensor()]
    )
    pictures = torchvision.datasets.FakeData(size=128 * 120, image_size=(3, 28, 28), transform=turn)
    return DataLoader(pictures, batch_size=128, num_workers=workers, persistent_workers=workers > 0)


cores = os.cpu_count()
workers = [0, 1] if FAST else [count for count in (0, 1, 2, 4) if count <= cores]
speeds = {
    name: [pictures_per_second(make(count)) for count in workers]
    for name, make in {"one picture at a time": one_by_one, "MNIST: batches from memory": in_memory}.items()
}
for name, values in speeds.items():
    print(f"{name:>26}: " + ", ".join(f"{value:,.0f}/s with {n}" for n, value in zip(workers, values, strict=True)))

# %%
_, grid = plt.subplots(1, 2, figsize=(10, 3.6))
for axes, (name, values), colour in zip(grid, speeds.items(), (ORANGE, BLUE), strict=True):
    axes.bar([str(count) for count in workers], values, color=colour)
    axes.set(xlabel="num_workers", ylabel="pictures per second", title=name)
plt.suptitle(f"Workers help where a batch is much work (here: {cores} CPU cores)")
plt.show()

# %% [markdown]
# The two behave differently. Where each picture takes work, workers share it, as far as there are cores. Where a batch
# is one operation on memory, making it takes less time than sending it from one process to another, and workers only
# cost. That is why `num_workers` is 0 by default in this course. On another machine, with another dataset, measure
# again.
#
# ## Fashion-MNIST
#
# The same format, harder pictures: ten kinds of clothing. It is the same data module, with other files.

# %%
fashion = FashionMNIST()
try:
    fashion.prepare_data()
    fashion.setup()
except UserError:
    fashion = None
    print("Fashion-MNIST is not here, and there is no network to download it: go on without it, nothing else needs it.")

# %%
if fashion:
    print(fashion)
    images, labels = fashion.splits["train"].__getitems__(range(24))
    notebook.show_images(images, [fashion.classes[label] for label in labels], columns=8)

# %% [markdown]
# ## Try it
#
# 1. Show 48 pictures of one digit only. Which is the strangest? (`train.labels[train.indices] == 7` says which are
#    sevens.)
# 2. What is the average picture of each digit? Which two averages look most alike?
# 3. Give `describe` a batch of `FashionMNIST`, or of `MNIST(batch_size=1024)`. What changes, and what does not?
# 4. How many pictures would you have to look at, to find a wrong label?
