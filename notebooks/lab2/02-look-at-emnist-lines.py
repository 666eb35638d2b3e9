# %% [markdown]
# # Look at EMNIST lines
#
# Nobody writes single characters. We want to read lines, so we need pictures of lines, with their texts, by the
# thousand. Nobody will write them for us, so we make them: take an English sentence, and for each of its characters a
# picture from EMNIST, and put the pictures side by side.
#
# At the end you will be able to
# - say how a synthetic line is made;
# - read a label with padding;
# - say what overlap changes, for you and for a network.

# %%
import os
from collections import Counter

import matplotlib.pyplot as plt

from lab_kit.notebooks import notebook
from lab_kit.notebooks.notebook import BLUE, GREEN, ORANGE, RED
from text_recognizer.data import EMNISTLines, SentenceGenerator
from text_recognizer.data.character_mapping import decode
from text_recognizer.data.line_images import SIDE

FAST = "COURSE_FAST" in os.environ  # set: little work, only to see that every cell runs
notebook.set_up()

# %% [markdown]
# ## Sentences
#
# The texts come from the Brown corpus: a million words from American books and newspapers of 1961. The generator takes
# a piece that starts and ends with a whole word.
#
# The corpus has 3 MB. Where it is not on disk and cannot be downloaded, the documentation of Python is used in its
# place, and you are told so.

# %%
sentences = SentenceGenerator(max_length=16)
for _ in range(8):
    text = sentences.generate()
    print(f"{len(text):2} characters: {text}")
print("\nfrom:", sentences.source_used)

# %% [markdown]
# **Predict before you run:** are most pieces 16 characters long, or shorter?

# %%
lengths = Counter(len(sentences.generate()) for _ in range(200 if FAST else 5_000))

_, axes = plt.subplots(figsize=(6.5, 3.4))
axes.bar(range(1, 17), [lengths[length] for length in range(1, 17)], color=BLUE)
axes.set(xlabel="characters in the piece", ylabel="pieces", title="Pieces have all lengths, up to the longest allowed")
plt.show()

# %% [markdown]
# ## Lines without overlap
#
# Each character has its full 28 pixels: a line of 16 characters is 448 pixels wide. Again the characters are drawn by
# a program, so that you need no download of 562 MB, and the sentences are from Python's documentation. **With `SOURCE =
# "auto"` you get EMNIST's characters and Brown's sentences.**


# %%
SOURCE = "pen"  # "auto": EMNIST from disk, else from the network


def make(max_length, overlap):
    """Return lines whose characters all overlap by this share of their width."""
    few = (
        {"num_train": 200, "num_val": 20, "num_test": 20}
        if FAST
        else {"num_train": 2_000, "num_val": 200, "num_test": 200}
    )
    lines = EMNISTLines(max_length, min_overlap=overlap, max_overlap=overlap, source=SOURCE, **few)
    lines.prepare_data()
    lines.setup()
    return lines


apart = make(max_length=16, overlap=0)
apart

# %%
images, labels = next(iter(apart.test_dataloader()))
for name, batch in {"images": images, "labels": labels}.items():
    print(f"{name}: {tuple(batch.shape)} {batch.dtype}, from {batch.min():.0f} to {batch.max():.0f}")

# %% [markdown]
# A label is as long as the longest line. What is left over is filled with `<P>`, the padding:

# %%
print(labels[0].tolist())
print(decode(labels[0].tolist(), keep_special=True))
print(decode(labels[0].tolist()))


# %%
def show_lines(lines, count=6, title=""):
    images, labels = lines.splits["test"].__getitems__(range(count))
    _, column = plt.subplots(count, 1, figsize=(10, 0.85 * count + 0.5))
    for axes, image, label in zip(column, images, labels, strict=True):
        axes.imshow(image[0])
        axes.set_title(decode(label.tolist()), loc="left", fontsize=11)
        axes.set_axis_off()
    plt.suptitle(title)
    plt.show()


show_lines(apart, title="Without overlap: every character has its own 28 pixels")

# %% [markdown]
# Look closely: within a line, each `e` is the same `e`. A line has one writer, at least a little.
#
# To read this, you could cut every 28 pixels and use the network that reads characters.
#
# ## A third of overlap
#
# Real characters stand closer. Now each covers a third of its neighbour, and up to 34 of them fit on a line.
#
# **Predict before you look:** can you still cut the line into characters?

# %%
closer = make(max_length=34, overlap=0.33)
show_lines(closer, title="A third of overlap: it begins to look like handwriting")

# %% [markdown]
# Where strokes cross, their ink adds up and stops at black. A character still takes the same number of pixels
# everywhere in a line: 19. If you knew the overlap, you could still cut. But each line may have another one.
#
# ## More

# %%
close = make(max_length=34, overlap=0.5)
show_lines(close, title="Half: every pixel belongs to two characters")

# %% [markdown]
# **Can you read these?** Where you can, how do you do it? Not character by character. You use the words.
#
# ## What overlap does to a cut
#
# Take one text with ever more overlap, and mark where a reader would cut who believes in 28 pixels:

# %%
texts = [decode(label) for label in apart.splits["test"].labels.tolist()]
long_one = next(index for index, text in enumerate(texts) if len(text) >= 12)
shares = {"none": (0.0, GREEN), "a third": (0.33, ORANGE), "half": (0.5, RED)}
_, column = plt.subplots(3, 1, figsize=(10, 4.2))
for axes, (name, (overlap, colour)) in zip(column, shares.items(), strict=True):
    lines = apart if overlap == 0 else make(16, overlap)
    image, label = lines.splits["test"][long_one]
    axes.imshow(image[0])
    text = decode(label.tolist())
    for cut in range(SIDE, SIDE * len(text), SIDE):
        axes.axvline(cut, color=colour, linewidth=1.5)
    axes.set_title(f"overlap: {name}", loc="left")
    axes.set_xlim(0, SIDE * len(text))
    axes.set_axis_off()
plt.suptitle("Cuts every 28 pixels part characters only where nothing overlaps")
plt.show()

# %% [markdown]
# With overlap, the pieces between two cuts hold parts of several characters. So to read lines, it is not enough to
# cut them into pieces and to read each piece as a character. That is what the next lab is about.
#
# ## Start and end
#
# Some readers want to be told where a text begins and ends. `with_start_end_tokens` puts `<B>` and `<E>` on blank paper
# around it:

# %%
marked = EMNISTLines(16, with_start_end_tokens=True, source=SOURCE, num_train=50, num_val=20, num_test=20)
marked.prepare_data()
marked.setup()
_, labels = marked.splits["test"].__getitems__(range(3))
for label in labels:
    print(decode(label.tolist(), keep_special=True))

# %% [markdown]
# ## Try it
#
# 1. Make lines with `keep_marks=True`. Which characters are new, and where do their pictures come from?
# 2. With how much overlap can you yourself no longer read? Measure: hide the titles, and count your mistakes.
# 3. Which character of English text is the most frequent? Count over a thousand labels. What does a reader get right
#    that always answers with it?
# 4. Make the same lines with another `seed`. What changes: the texts, the pictures, or both?
