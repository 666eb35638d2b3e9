# %% [markdown]
# # Into production
#
# A network that reads well in a notebook is not yet of use to others. What is missing is here: one folder to give away,
# a program that reads pictures with it and needs nothing else, measurements of how fast it is and what that depends on,
# and a way to see whether it still reads well later.
#
# At the end you will be able to
# - say what must travel with the weights, and what happens when it does not;
# - say why a CPU is enough to serve this model, and what batching costs the person who waits;
# - say what 8-bit weights cost, having measured it;
# - recognise drift when you see it, and say what it is not.

# %%
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

if importlib.util.find_spec("onnxscript") is None:  # on Colab, which has all the rest
    packages = ["onnx", "onnxscript", "onnxruntime"]
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *packages], check=True)

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Image as Picture
from IPython.utils.capture import capture_output
from PIL import Image, ImageDraw, ImageFilter
from safetensors.numpy import load_file

from app.drift_check import drift
from lab_kit.errors import UserError
from lab_kit.feedback.image_statistics import STATISTICS, image_statistics
from lab_kit.feedback.store import Store
from lab_kit.handwriting.pen_strokes import PenStrokes
from lab_kit.notebooks import notebook
from lab_kit.plots.figures import BLUE, ORANGE
from text_recognizer.benchmark import benchmark
from text_recognizer.export import export
from text_recognizer.recognizer import Recognizer
from text_recognizer.shipping.held_out import error_rate, held_out, load_data
from text_recognizer.shipping.model_card import ModelCard
from text_recognizer.shipping.read_logits import read_classes
from training import run_experiment

FAST = "COURSE_FAST" in os.environ  # set: little work, only to see that every cell runs
notebook.set_up()
place = Path.cwd() / "production"  # where everything in this notebook goes
shutil.rmtree(place, ignore_errors=True)

# %% [markdown]
# ## Something to ship
#
# A residual network that tells digits apart, trained for two minutes. Any run will do: characters, lines, or your own
# pictures of lab 5.

# %%
flags = "--data_class MNIST --source pen --augment --model_class ResNet --num_blocks 1 --optimizer AdamW"
flags += " --one_cycle_max_lr 4e-3 --max_epochs " + ("1 --limit_train_batches 4" if FAST else "3")
with capture_output() as shown:
    run_experiment.main([*flags.split(), "--log_dir", str(place)])
shown.outputs[-1].display()
run = place / "MNIST-ResNet" / "version_0"

# %% [markdown]
# ## One folder
#
# Training left checkpoints with the state of the optimizer, logs, pictures. Who only wants to *read* digits needs a
# tenth of that, and something that no checkpoint makes easy: the meaning of the numbers.

# %%
export(run, pictures=100 if FAST else 1_000)
shipped = run / "shipped"

# %%
card = ModelCard.read(shipped)
for name in ("kind", "classes", "input_dims", "preprocessing", "source", "figures", "checks"):
    print(f"{name:14} {getattr(card, name)}")

# %% [markdown]
# ## Why the order of the classes must travel with the weights
#
# The network's seventh output is a number. That it means "6" is written nowhere in the weights. A program that lists
# the
# classes itself, from a folder say, sorted by name, gets *an* order. Here the folders are called `zero`, `one`, `two`:
#
# **Predict: how many of the test pictures will be read right?**

# %%
recognizer = Recognizer.load(shipped)
data = load_data(card)
pictures, truth = held_out(data, "test", 200 if FAST else 2_000)

words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
by_name = tuple(str(words.index(word)) for word in sorted(words))  # eight, five, four, ...
everything = np.ones(10, dtype=bool)
for about, classes in (("with its own classes", card.classes), ("sorted by name", by_name)):
    read = [reading.text for reading in read_classes(recognizer.logits(pictures), classes, everything)]
    print(f"{about:22} {1 - error_rate(read, truth, 'character'):.1%}")

# %% [markdown]
# No error, no warning, no crash: a confident program that is wrong nearly always. The same happens when the pixels are
# scaled otherwise than in training, though less visibly. So the shipped folder keeps it all together, `model.json`
# has a
# hash of each file, and whoever mixes two exports is told:

# %%
mixed = shutil.copytree(shipped, place / "mixed")
content = bytearray((mixed / "model.onnx").read_bytes())
content[-1] ^= 1  # one bit
(mixed / "model.onnx").write_bytes(content)
try:
    Recognizer.load(mixed)
except UserError as error:
    print(error)

# %% [markdown]
# ## From a photo to what the model knows
#
# A visitor does not write in the middle of a black square of 28 by 28 pixels. Here is a "photo": dark ink on light
# paper,
# in a corner, with a shadow, blurred.


# %%
def photograph(points, size=(480, 360)):
    """Draw a stroke through `points` and make it look like a photo."""
    paper = Image.new("L", size, 225)
    ImageDraw.Draw(paper).line(points, fill=70, width=13, joint="curve")
    shadow = np.linspace(1.0, 0.55, size[0])[None] * np.linspace(1.0, 0.85, size[1])[:, None]
    noise = np.random.default_rng(0).normal(0, 4, (size[1], size[0]))
    grey = np.array(paper.filter(ImageFilter.GaussianBlur(2))) * shadow + noise
    return Image.fromarray(grey.clip(0, 255).astype(np.uint8))


a_three = [(250, 110), (285, 92), (318, 108), (316, 138), (280, 158), (318, 172), (326, 208), (292, 234), (248, 220)]
three = photograph(a_three)
seen = recognizer.prepare(three)
reading = recognizer.predict(three)
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(11, 3), width_ratios=[4, 3, 3])
left.imshow(three, cmap="gray", vmin=0, vmax=255)
left.set_title("what was sent")
middle.imshow(seen[0])
middle.set_title("what the network sees")
names, probabilities = zip(*reading.guesses, strict=True)
right.barh(names, probabilities, color=BLUE)
right.invert_yaxis()
right.set(title=f"what it reads: {reading.text}", xlim=(0, 1), xlabel="probability")
for axes in (left, middle):
    axes.set_axis_off()
plt.show()
# alt: A photo of a written digit; the same as 28 × 28 pixels, black on white; and the probabilities of the answers,
#      of which one has nearly all

# %% [markdown]
# The middle picture explains more mistakes than any other. That is why the web page of this lab shows it.
#
# ## Why a CPU serves
#
# A GPU is fast at *many* things at once. A visitor sends one picture. Where does the time of one answer go?


# %%
def milliseconds(work, times=20 if FAST else 200):
    """Return the median time of `work`, once it is warm."""
    work()
    taken = []
    for _ in range(times):
        before = time.perf_counter()
        work()
        taken.append(time.perf_counter() - before)
    return 1e3 * float(np.median(taken))


print(f"from photo to 28 x 28   {milliseconds(lambda: recognizer.prepare(three)):5.2f} ms")
print(f"the network             {milliseconds(lambda: recognizer.read(seen[None])):5.2f} ms")
print("a round trip in the same city, over the network: 5 to 20 ms; to another continent: 100 to 200 ms")

# %% [markdown]
# The network is the smallest part. A GPU would make that part smaller still, cost a hundred times as much an hour, and
# wait for work most of the time.
#
# What does make a difference is *what runs the network*. PyTorch's eager mode is made for experiments: for each layer
# it asks Python what comes next. ONNX Runtime reads the whole graph once, makes convolution and batch norm into one
# step, plans its memory, and then only calculates. Each line of this table was measured in a process of its own:

# %%
benchmark(shipped, rounds=1 if FAST else 3, seconds=0.1 if FAST else 2.0, pictures=100 if FAST else 10_000)

# %% [markdown]
# Look beyond the speed: at `start` and `memory`. A program that starts in a second and takes a tenth of a gigabyte
# runs on the
# smallest machine that one can rent, and a second one is there before the visitors notice that the first has died.
# Half a
# gigabyte of PyTorch is there to *train*.
#
# ## What batching costs the person who waits

# %%
Picture(shipped / "benchmark.png", width=860)
# alt: Left, the time for one picture: 8 bits is the fastest, then ONNX Runtime, then PyTorch. Right, pictures per
#      second against the time until a batch is answered

# %% [markdown]
# Each dot is a batch size. To the right, more pictures share the work of one call; but all of them wait until the
# last one
# is done. And that is not all: who is first in a batch also waits until it has *filled*. With 20 visitors a second:

# %%
found = json.loads((shipped / "benchmark.json").read_text())["onnx"]["batch_ms"]
visitors = 20  # a second
print("batch   fills in   calculates in   pictures/s")
for size, taken in found.items():
    print(f"{size:>5} {1e3 * (int(size) - 1) / visitors:7.0f} ms {taken:11.1f} ms {1e3 * int(size) / taken:12,.0f}")

# %% [markdown]
# **Training wants throughput; a visitor wants an answer.** Batch in the server only when the queue grows anyway,
# because
# then those who wait have nothing to lose. The homework works this out.
#
# ## Eight bits
#
# Weights are numbers of 32 bits. How much is lost if each has only 8, with one scale for each output channel?

# %%
weights = load_file(shipped / "model.safetensors")
name = max((name for name in weights if weights[name].ndim == 4), key=lambda name: weights[name].size)
channel = weights[name][0].ravel()
scale = np.abs(channel).max() / 127
rounded = np.round(channel / scale) * scale
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3))
left.hist(weights[name].ravel(), bins=100, color=BLUE)
left.set(title=f"{name}: {weights[name].size:,} weights", xlabel="value")
right.hist((rounded - channel) / scale, bins=30, color=ORANGE)
right.set(title="what rounding to 8 bits takes away", xlabel="steps of the 8-bit scale")
plt.show()
# alt: Left, a histogram of the weights of one layer, a bell around zero. Right, what rounding to 8 bits takes away:
#      evenly spread between half a step down and half a step up

# %%
eight = Recognizer.load(shipped, "int8")
read = {about: [reading.text for reading in who.read(pictures)] for about, who in (("32", recognizer), ("8", eight))}
differ = [k for k in range(len(truth)) if read["32"][k] != read["8"][k]]
for bits, texts in read.items():
    print(f"{bits:>2} bits: {1 - error_rate(texts, truth, 'character'):.2%} right")
print(f"They differ on {len(differ)} of {len(truth):,} pictures.")

# %% [markdown]
# Rounding changes each number a little. In training the network met larger changes: augmentation, dropout, many
# people's handwriting. Pictures on which the two differ are those on which the network was undecided.
#
# ## What drift looks like
#
# The model stays as it is, and the world does not. First week: visitors write like those that the model has learned
# from.
# Second week: a new phone app draws with a thinner pen, and not always in the middle.


# %%
def visitors_of(week, count=100 if FAST else 400):
    """Return pictures of digits by writers whom no data set has, and what they wrote."""
    random = torch.Generator().manual_seed(week)
    labels = torch.randint(0, 10, (count,), generator=random)
    writers = torch.randint(10**6, 10**6 + 50, (count,), generator=random)
    drawn = PenStrokes(list(card.classes), layout="mass").draw(labels, writers, random)
    if week == 2:
        thin = torch.nn.functional.max_pool2d(-drawn[:, None].float(), 2, stride=1, padding=1)[:, 0, :28, :28]
        drawn = torch.stack([torch.roll(-picture, (0, 3), (0, 1)) for picture in thin]).to(torch.uint8)
    return drawn[:, None].numpy(), [str(k) for k in labels.tolist()]


figure, rows = plt.subplots(2, 10, figsize=(10, 2.2))
weeks = {week: visitors_of(week) for week in (1, 2)}
for (week, (inputs, _)), row in zip(weeks.items(), rows, strict=True):
    for picture, axes in zip(inputs[:, 0], row, strict=False):
        axes.imshow(picture)
        axes.set_axis_off()
    row[0].set_title(f"week {week}", loc="left")
plt.show()
# alt: Ten digits of week 1 in strokes of all widths, and ten of week 2, most of them thin and faint

# %% [markdown]
# Nobody tells a server what the right answers would have been. What it can see is what comes in, and how sure it is:

# %%
figure, grid = plt.subplots(2, 3, figsize=(11, 5))
for name, axes in zip(STATISTICS, grid.flat, strict=True):
    for week, (inputs, _) in weeks.items():
        values = image_statistics(inputs, [reading.confidence for reading in recognizer.read(inputs)])[name]
        axes.hist(values, bins=20, density=True, histtype="step", linewidth=2, label=f"week {week}")
    axes.set(title=name, yticks=[])
grid[0, 0].legend(loc="upper left")
plt.show()
# alt: Six histograms of the two weeks: confidence, ink, contrast, width, height and centre. Ink and contrast have
#      moved to lower values

# %% [markdown]
# The page of this lab keeps what visitors agree to have kept. `drift` compares it with what `export` has noted of the
# training data: for each quantity, how far the shares in ten bins have moved (the population stability index), and
# how far they would move by chance alone, with so few pictures. First week one, then week two:

# %%
for week, (inputs, _) in weeks.items():
    store = Store.open(place / f"week-{week}.sqlite")
    for picture, reading in zip(inputs, recognizer.read(inputs), strict=True):
        store.keep(b"", picture, reading, card.digest, "pen")
    store.close()
    drift(place / f"week-{week}.sqlite", shipped)

# %% [markdown]
# And were the readings wrong? Here the truth is known:

# %%
for week, (inputs, labels) in weeks.items():
    read = [reading.text for reading in recognizer.read(inputs)]
    print(f"week {week}: {1 - error_rate(read, labels, 'character'):.1%} right")

# %% [markdown]
# **Drift is not the same as error.** It says: what comes in is not what the model was tested on, so the figures of the
# test say little now. What to do? Look at the pictures. Ask visitors what they meant. Learn from what they say, test on
# pictures of *this* kind, ship again.
#
# And one thing that the server cannot see at all: the same pictures with another meaning. If people begin to write a 7
# where they wrote a 1, each picture looks as ever. Only corrections tell.

# %%
shutil.rmtree(place)
