# %% [markdown]
# # Read a line
#
# A network that reads characters needs to be told where each one is. A network that reads lines looks through many
# windows, one beside the other, and says something about each. Here you follow one line all the way: from windows to
# logits, to the most probable path, to the text.
#
# At the end you will be able to
# - say what windows, logits and the argmax path of a line are;
# - decode a path by hand, and say what the blank of CTC is for;
# - calculate a character error rate by hand, and with a library;
# - say where the reader fails, and why.

# %%
import os
from collections import Counter
from itertools import pairwise

import matplotlib.pyplot as plt
import pytorch_lightning as pl
import torch
from matplotlib.patches import Rectangle
from rapidfuzz.distance import Levenshtein
from torchmetrics.functional.text import char_error_rate

from lab_kit.experiment import hardware
from lab_kit.notebooks import notebook
from lab_kit.notebooks.notebook import BLUE, GRAY, GREEN, ORANGE, RED
from lab_kit.plots.line_plots import align
from text_recognizer.data import EMNISTLines
from text_recognizer.data.character_mapping import BLANK, PADDING
from text_recognizer.lit_models import CTCLitModel
from text_recognizer.lit_models.greedy_decode import greedy_decode
from text_recognizer.lit_models.line import to_texts
from text_recognizer.models import LineCNN

FAST = "COURSE_FAST" in os.environ  # set: little work, only to see that every cell runs
pl.seed_everything(42, verbose=False)
notebook.set_up()

# %% [markdown]
# ## A reader to look at
#
# Lines of up to 16 characters, which overlap by nothing up to a third. The network is the line CNN of this lab, trained
# with CTC. On two CPU cores this takes about three minutes. The lines are drawn by a program; with `SOURCE = "auto"`
# their characters come from EMNIST (562 MB) and their sentences from the Brown corpus.

# %%
sizes = (
    {"num_train": 200, "num_val": 64, "num_test": 64}
    if FAST
    else {"num_train": 10_000, "num_val": 500, "num_test": 1_000}
)
SOURCE = "pen"
data = EMNISTLines(max_length=16, source=SOURCE, **sizes)
data.prepare_data()
data.setup()
data

# %%
WIDTH, STRIDE = 28, 8
network = LineCNN(data.config(), window_width=WIDTH, window_stride=STRIDE)
model = CTCLitModel(network, data.config(), optimizer="AdamW", one_cycle_max_lr=4e-3)
trainer = pl.Trainer(
    max_epochs=1 if FAST else 4,
    precision=hardware.fast_precision("auto"),
    callbacks=[notebook.Progress()],
    **notebook.QUIET,
)
trainer.fit(model, datamodule=data)

# %% [markdown]
# ## Windows
#
# The network looks through a window 28 pixels wide, as wide as a character. The next window begins 8 pixels further to
# the right. **How many windows are there on a line of 448 pixels?** Calculate first.

# %%
images, labels = data.splits["test"].__getitems__(range(len(data.splits["test"])))
model.eval()  # dropout off
with torch.no_grad():
    logits = torch.cat([model(part) for part in images.split(100)])  # (N, classes, windows)
predicted, _ = model.read(logits)
true_texts, read_texts = to_texts(labels), to_texts(predicted)

# A line to follow: short enough to see, with a doubled letter, and read without a mistake where there is such a one.
doubled = [any(a == b for a, b in pairwise(text)) for text in true_texts]
chosen = max(
    range(len(true_texts)),
    key=lambda i: (true_texts[i] == read_texts[i], doubled[i], 6 <= len(true_texts[i]) <= 9),
)
image, label, text = images[chosen], labels[chosen], true_texts[chosen]
width = int((image[0].amax(dim=0) > 0).nonzero().max()) + 20  # pixels that we show: the rest is blank paper
shown = (width - WIDTH) // STRIDE + 1  # windows that we show

_, axes = plt.subplots(figsize=(11, 2.2))
axes.imshow(image[0, :, :width])
for window, colour in ((0, BLUE), (1, ORANGE), (2, GREEN)):
    axes.add_patch(Rectangle((window * STRIDE, -1 - window), WIDTH, 30, fill=False, edgecolor=colour, linewidth=2.5))
axes.set(
    ylim=(30, -5),
    xlabel="pixel",
    yticks=[],
    title=f"The first three windows on '{text}': one character shows up in several",
)
axes.grid(False)
plt.show()
print(f"(448 - {WIDTH}) / {STRIDE}, rounded down, + 1 = {network.num_windows} windows")

# %% [markdown]
# ## Logits
#
# For each window the network answers with a number for each of the 83 classes: the logits, (classes, windows). With
# softmax they become probabilities. Here are those classes that matter on this line:

# %%
mapping = data.config().mapping
blank, padding = mapping.index(BLANK), mapping.index(PADDING)
probabilities = logits[chosen].softmax(dim=0)  # (classes, windows)
best = probabilities.argmax(dim=0)  # (windows,)

classes = list(dict.fromkeys([blank, *best[:shown].tolist(), *label[label != padding].tolist()]))
names = ["blank" if index == blank else "space" if mapping[index] == " " else mapping[index] for index in classes]
_, (top, bottom) = plt.subplots(2, 1, figsize=(11, 5.2), height_ratios=[1, 3], sharex=True)
left, right = (
    -WIDTH / 2 / STRIDE,
    (width - WIDTH / 2) / STRIDE,
)  # edges of the picture, in windows: 0 is the first one's middle
top.imshow(image[0, :, :width], aspect="auto", extent=(left, right, 28, 0))
top.set_axis_off()
heat = bottom.imshow(probabilities[classes][:, :shown], cmap="cividis", vmin=0, vmax=1, aspect="auto")
bottom.set(xlabel="window", ylabel="class", title="What each window says: mostly nothing, and a character now and then")
bottom.set_yticks(range(len(names)), names)
bottom.grid(False)
bottom.set_xlim(left, right)
plt.colorbar(heat, ax=bottom, label="probability", location="bottom", shrink=0.4)
plt.show()

# %% [markdown]
# ## The blank
#
# Most windows answer `blank`: "no character here". It is a class like the others, and was never shown to the network in
# any label. CTC made it up, for two reasons:
#
# - between two characters, and on empty paper, there must be something to say;
# - with equal neighbours merged, `l l` would always be one `l`. A blank between them keeps them apart: `l - l` is two.
#
# So a path is decoded in two steps: **merge equal neighbours, then drop the blanks.** In this order. By hand:


# %%
def collapse(path, blank="-"):
    merged = [here for before, here in zip(["", *path], path, strict=False) if here != before]
    return "".join(character for character in merged if character != blank)


for path in ("hheel-lloo", "h-e-l-l-o-", "-hello", "hhhee--l-lllo"):
    print(f"{path:>14}  becomes  {collapse(path)}")

# %% [markdown]
# **Which one lost a letter, and why?**
#
# Many paths give the same text. The CTC loss adds up the probabilities of *all* paths that do. That is why nobody has
# to say where a character stands.
#
# ## Greedy decoding, step by step
#
# Take the most probable class of each window: the **argmax path**. Then merge, then drop the blanks. Watch it happen
# under the picture:

# %%
marks = ["·" if index == blank else mapping[index].replace(" ", "␣") for index in best[:shown].tolist()]
merged = [mark if mark != before else "" for before, mark in zip(["", *marks], marks, strict=False)]
kept = ["" if mark == "·" else mark for mark in merged]

_, axes = plt.subplots(figsize=(11, 3.6))
axes.imshow(image[0, :, :width], extent=(0, width, 28, 0))
rows = {
    "argmax path": (40, marks, GRAY),
    "equal neighbours merged": (54, merged, BLUE),
    "blanks dropped": (68, kept, RED),
}
for name, (height, row, colour) in rows.items():
    axes.text(-4, height, name, ha="right", va="center", color=colour)
    for window, mark in enumerate(row):
        place = window * STRIDE + WIDTH / 2  # the middle of the window
        axes.text(place, height, mark, ha="center", va="center", color=colour, fontweight="bold")
axes.set(
    xlim=(0, width),
    ylim=(76, 0),
    title=f"Greedy decoding reads '{''.join(kept).replace('␣', ' ')}'; the truth is '{text}'",
)
axes.set_axis_off()
plt.show()

# %% [markdown]
# (`·` is the blank, `␣` is a space.) A character shows up about in the middle of its picture: there the window sees all
# of it.
#
# The lab's `greedy_decode` does the same for a whole batch at once, and agrees with our `collapse`:

# %%
from_library = to_texts(greedy_decode(best[None], blank, padding))[0]
by_hand = collapse([BLANK if index == blank else mapping[index] for index in best.tolist()], BLANK)
print(f"by hand: '{by_hand}'   library: '{from_library}'")
assert by_hand == from_library

# %% [markdown]
# ## The character error rate
#
# How wrong is a reading? Count the **edits** that turn it into the truth: insert a character, delete one, replace one.
# The least number of edits is the Levenshtein distance. Divided by the number of true characters, it is the character
# error rate, CER.
#
# By hand, it is a table. Each place says: so many edits turn the first so many characters of one text into the first so
# many of the other.


# %%
def edit_table(true, read):
    table = torch.zeros(len(true) + 1, len(read) + 1, dtype=torch.int64)
    table[:, 0], table[0, :] = torch.arange(len(true) + 1), torch.arange(len(read) + 1)
    for i in range(1, len(true) + 1):
        for j in range(1, len(read) + 1):
            replaced = table[i - 1, j - 1] + (true[i - 1] != read[j - 1])
            table[i, j] = min(replaced, table[i - 1, j] + 1, table[i, j - 1] + 1)
    return table


true, read = "kitten", "sitting"
table = edit_table(true, read)
_, axes = plt.subplots(figsize=(5, 4.2))
axes.imshow(table, cmap="Blues", vmax=9)
for i, row in enumerate(table.tolist()):
    for j, value in enumerate(row):
        axes.text(j, i, value, ha="center", va="center")
axes.set(xlabel="read", ylabel="true", title=f"{table[-1, -1]} edits turn '{read}' into '{true}'")
axes.set_xticks(range(len(read) + 1), ["", *read])
axes.set_yticks(range(len(true) + 1), ["", *true])
axes.grid(False)
plt.show()
# alt: A table of numbers: how many edits turn each beginning of one word into each beginning of the other; the
#      number in the last corner is the answer

# %% [markdown]
# Now for the whole test set, three times: with our table, with `rapidfuzz`, with `torchmetrics`. **All edits divided by
# all characters**, not the average over the lines: else a mistake in a short line would count for more.

# %%
pairs = list(zip(true_texts, read_texts, strict=True))


def error_rate(pairs, distance):
    return sum(distance(*pair) for pair in pairs) / sum(len(true) for true, _ in pairs)


few = pairs[:50]  # our table is slow
print(f"by hand, 50 lines:       {error_rate(few, lambda *pair: int(edit_table(*pair)[-1, -1])):.4f}")
print(f"rapidfuzz, 50 lines:     {error_rate(few, Levenshtein.distance):.4f}")
print(f"rapidfuzz, all lines:    {error_rate(pairs, Levenshtein.distance):.4f}")
print(f"torchmetrics, all lines: {char_error_rate(read_texts, true_texts):.4f}")

# %% [markdown]
# ## Where does the reader fail?
#
# The lines with the most mistakes. **What makes them hard?**

# %%
worst = sorted(range(len(pairs)), key=lambda i: -Levenshtein.distance(*pairs[i]))[:5]
_, column = plt.subplots(5, 1, figsize=(10, 6.5))
for axes, index in zip(column, worst, strict=True):
    axes.imshow(images[index, 0])
    axes.set_title(
        f"true: {true_texts[index]}    read: {read_texts[index]}", loc="left", fontsize=11, family="monospace"
    )
    axes.set_axis_off()
plt.suptitle("The five lines with the most mistakes")
plt.show()

# %% [markdown]
# Which characters are mixed up? We put each reading beside its truth, with as few edits as possible, and count.

# %%
mistakes = Counter(column for pair in pairs for column in align(*pair) if column[0] != column[1])


def in_words(true, read):
    true, read = (character.replace(" ", "␣") for character in (true, read))
    return f"{true} read as {read}" if true and read else f"{true} left out" if true else f"{read} made up"


commonest = mistakes.most_common(15)[::-1]
_, axes = plt.subplots(figsize=(7, 4.8))
axes.barh([in_words(*column) for column, _ in commonest], [count for _, count in commonest], color=RED)
axes.set(xlabel="mistakes", title="The commonest mistakes are characters that look alike, again")
axes.grid(axis="y", visible=False)
plt.show()

# %% [markdown]
# S and s, 0 and o, a and o: one window shows one shape, and the shape has two names, or nearly. A person reads them by
# the word around them. This network cannot: what it says of a window depends on the 28 pixels of that window alone.
#
# And overlap? The network was trained on lines whose characters overlap by up to a third. **Predict before you run:**
# what happens to the error rate with no overlap at all, and with a half?

# %%
shares = [0.0, 0.33] if FAST else [0.0, 0.1, 0.2, 0.33, 0.4, 0.5]
rates = []
for share in shares:
    size = {"num_train": 1, "num_val": 1, "num_test": 32 if FAST else 400}
    lines = EMNISTLines(
        16,
        min_overlap=share,
        max_overlap=share,
        source=SOURCE,
        seed=7,
        **size,
    )
    lines.prepare_data()
    lines.setup()
    pictures, truth = lines.splits["test"].__getitems__(range(size["num_test"]))
    with torch.no_grad():
        read = to_texts(model.read(model(pictures))[0])
    rates.append(float(char_error_rate(read, to_texts(truth))))

_, axes = plt.subplots(figsize=(7, 4))
axes.axvspan(0, 0.33, color=GREEN, alpha=0.12, label="what it was trained on")
axes.plot(shares, [100 * rate for rate in rates], "o-", color=RED)
axes.set(
    xlabel="overlap of neighbours (share of a character's width)",
    ylabel="character error rate (%)",
    title="Beyond the overlap that it has seen, the reader is lost",
)
axes.set_ylim(bottom=0)
axes.legend(loc="upper left")
plt.show()

# %% [markdown]
# There are two reasons, and for each something helps:
#
# - **characters that look alike need context**: an LSTM on top of the windows (`--model_class LineCNNLSTM`) lets a
#   window know what its neighbours have seen;
# - **a network knows what it was shown**: train on more overlap (`--max_overlap 0.5`), and it reads more overlap.
#
# ## Try it
#
# 1. Set the stride to 16. How many windows are there now? Which texts can then no longer be spelt?
# 2. How many different paths of 4 windows become `to`? And `oo`? Count them with `collapse`.
# 3. Greedy decoding takes the best path, not the best text. Invent probabilities for two windows where the best path is
#    blank, blank, and yet the most probable text is `a`.
# 4. Does the reader make more mistakes at the beginning of a line, or at its end? Measure.
