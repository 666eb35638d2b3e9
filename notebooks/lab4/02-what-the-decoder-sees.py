# %% [markdown]
# # What the decoder sees
#
# A decoder writes one character after the other. For each, it looks at the picture. Attention is made of shares, so we
# can see where it looked: for a line, for a page, and for a reader that does not need to look, because it knows its
# texts by heart.
#
# At the end you will be able to
# - read an attention map, of a line and of a page;
# - say what each of several heads looks at;
# - say when a map walks along the line, when it does not, and why;
# - say what such a reader does with a text that it has never seen.

# %%
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pytorch_lightning as pl
import torch
from IPython.display import Image, display

from lab_kit.handwriting import pen_set
from lab_kit.handwriting.pen_lines import write_lines
from lab_kit.notebooks import notebook
from lab_kit.notebooks.player import play
from lab_kit.plots.attention_plots import animate, plot_attention
from text_recognizer.data import BaseDataModule, DataConfig
from text_recognizer.data.character_mapping import MAPPING, PAGE_MAPPING, encode
from text_recognizer.data.dataset import ImageDataset
from text_recognizer.data.line_pictures import LinePictures, to_arrays
from text_recognizer.lit_models import ParagraphLitModel, TransformerLitModel
from text_recognizer.lit_models.line import to_texts
from text_recognizer.models import LineCNNTransformer, ResNetTransformer

FAST = "COURSE_FAST" in os.environ  # set: little work, only to see that every cell runs
pl.seed_everything(42, verbose=False)
notebook.set_up()


def show(glances):
    """Show where a decoder looked, as `attention.png` in a run's folder does."""
    with TemporaryDirectory() as folder:
        plot_attention(glances, Path(folder) / "attention.png")
        display(Image((Path(folder) / "attention.png").read_bytes(), width=700))


# %% [markdown]
# ## Lines that nobody can guess
#
# The reader of this lab's README learns for a quarter of an hour. For this notebook a smaller task is enough: imaginary
# writers write numbers of two to six digits. The digits are random, so no digit says which one comes next. To write
# them, the decoder has to look.

# %%
HEIGHT, MOST = 32, 8  # pixels of a line, and characters in the longest


class Lines(BaseDataModule):
    """Lines by imaginary writers, written in memory; `draw(random)` says what is in one."""

    task = "line"

    def __init__(self, draw, num_train=3_000):
        super().__init__(batch_size=32)
        self.draw, self.sizes = draw, {"train": 96 if FAST else num_train, "val": 32, "test": 32 if FAST else 200}

    def config(self):
        return DataConfig((1, HEIGHT, 32 * MOST), (MOST, 1), MAPPING)

    def _load(self, real):
        return {split: self.write(split, np.random.default_rng(number)) for number, split in enumerate(self.sizes)}

    def write(self, split, random):
        texts = [self.draw(random) for _ in range(self.sizes[split])]
        writers = torch.from_numpy(random.choice(pen_set.WRITERS[split], len(texts)))
        pictures = write_lines(texts, writers, torch.Generator().manual_seed(int(random.integers(1 << 62))), HEIGHT)
        return LinePictures(**to_arrays(pictures, texts, MOST))


def draw_number(random):
    return "".join(random.choice(list("0123456789"), random.integers(2, 7)))


data = Lines(draw_number)
data.setup()
images, labels = data.splits["train"].__getitems__(range(0, 96 if FAST else 3_000, 32 if FAST else 375))
notebook.show_images(images, to_texts(labels), columns=4)
# alt: Eight written numbers of two to five digits, each with its text above it

# %% [markdown]
# The network is `LineCNNTransformer`, smaller than usual. On two CPU cores this takes less than a minute.

# %%
SMALL = {"conv_dim": 8, "tf_dim": 64, "tf_fc_dim": 128, "tf_layers": 2, "tf_nhead": 4, "tf_dropout": 0.0}


def train(model, data, epochs, name):
    trainer = pl.Trainer(
        max_epochs=1 if FAST else epochs, gradient_clip_val=1, callbacks=[notebook.Progress(name)], **notebook.QUIET
    )
    trainer.fit(model, datamodule=data)


model = TransformerLitModel(
    LineCNNTransformer(data.config(), **SMALL), data.config(), optimizer="AdamW", one_cycle_max_lr=3e-3
)
train(model, data, 6, "Numbers")

# %% [markdown]
# ## The map of a line
#
# Above is the picture. Below it, each row belongs to one character that was written, from top to bottom. The darker a
# place, the more the decoder looked there. (It is the last layer's attention to the picture, and the mean of its
# heads.) **Before you run it: what will the picture look like if the reader works as you think?** And where will it
# look when it writes `<E>`, the end?

# %%
test = data.splits["test"]
lines, labels = test.__getitems__(range(len(test)))
with torch.no_grad():
    read = to_texts(model.eval().read(model(lines))[0])
true = to_texts(labels)
chosen = max(range(len(true)), key=lambda i: (read[i] == true[i], len(set(true[i]))))
print(f"true: {true[chosen]}   read: {read[chosen]}")
print(f"test lines read without a mistake: {np.mean([a == b for a, b in zip(true, read, strict=True)]):.0%}")
glances = model.glances(test, chosen)
show(glances)
# alt: A written number, and below it a map with a row for each digit that was written: where the decoder looked
#      moves from left to right

# %% [markdown]
# The map goes down like stairs: the reader walks along the line, although nobody has told it where a digit stands, and
# nothing in the network says that one reads from left to right. A column sees some pixels around it, so the decoder may
# look a little beside the digit.
#
# The same, step by step. Press play, or go forward with `›`:

# %%
play(animate(glances), frames_per_second=2)
# alt: The written number again, one digit after the other: where the decoder looks is marked, and moves to the right

# %% [markdown]
# ## Each head has its own map
#
# The map above is a mean. Here are the four heads of both layers. We ask each layer's attention for its shares while
# the network reads the line.


# %%
def maps_of_heads(model, image):
    """Return the shares of all heads, (layers, heads, characters, places), for one picture (1, 1, H, W)."""
    shares = []
    hooks = [
        layer.cross_attention.register_forward_hook(lambda module, inputs, outputs: shares.append(outputs[1]))
        for layer in model.model.decoder.layers
    ]
    model.eval().model.look(image)
    for hook in hooks:
        hook.remove()
    return torch.stack([share for share in shares if share is not None])[:, 0]


def show_heads(model, image, names):
    maps = maps_of_heads(model, image)[:, :, : len(names)]
    figure, places = plt.subplots(len(maps), maps.shape[1], figsize=(11, 2.2 * len(maps)), sharex=True, sharey=True)
    for layer, row in enumerate(places):
        for head, axes in enumerate(row):
            axes.imshow(maps[layer, head], cmap="Blues", aspect="auto", vmin=0)
            axes.set_title(f"layer {layer + 1}, head {head + 1}", fontsize=10)
            axes.set_yticks(range(len(names)), names, fontsize=8)
            axes.grid(False)
    figure.supxlabel("column of the picture", fontsize=10)
    plt.show()


show_heads(model, test.__getitems__([chosen])[0], glances.characters)
# alt: Eight maps, of four heads in two layers: some walk along the line, others look at few places

# %% [markdown]
# **Which of them walk, and which do not?** A head of the first layer works with what it knows at the start: which
# character was written last, and how many there are so far. It may look where such a character usually is, or at many
# places at once. The second layer knows what the first one has found.
#
# ## A map that does not walk
#
# Now a reader that sees ten words only. It learns without the CTC loss, which would ask each column for its letter, and
# is given no wrong characters. So nothing asks it to look at every letter. **Predict:** where will it look for the last
# letters of `orange`?

# %%
WORDS = ["winter", "window", "number", "summer", "spring", "silver", "orange", "garden", "island", "autumn"]
few = Lines(lambda random: str(random.choice(WORDS)), num_train=1_600)
few.setup()
by_heart = TransformerLitModel(
    LineCNNTransformer(few.config(), **SMALL), few.config(), optimizer="AdamW", one_cycle_max_lr=2e-3,
    ctc_weight=0, wrong_tokens=0,
)  # fmt: skip
train(by_heart, few, 5, "Ten words")

# %%
lines, labels = few.splits["test"].__getitems__(range(len(few.splits["test"])))
with torch.no_grad():
    read = to_texts(by_heart.eval().read(by_heart(lines))[0])
true = to_texts(labels)
print(f"test lines read without a mistake: {np.mean([a == b for a, b in zip(true, read, strict=True)]):.0%}")
chosen = max(range(len(true)), key=lambda i: (read[i] == true[i], true[i] == "orange"))
show(by_heart.glances(few.splits["test"], chosen))
# alt: The written word orange, and below it a map in which the decoder looks at the right edge or nowhere, whatever
#      it writes

# %% [markdown]
# It reads well, and its map does not walk. There are no stairs: it looks everywhere a little, or at the same place for
# several letters. Once it knows which of the ten words it is, it knows all other letters, too. One good look is enough,
# at any part that tells the words apart; and where it looks after that has no effect, so training leaves it as it is.
#
# Is that reading? Give it words that it has not learned.


# %%
class Some(Lines):
    """Given texts, each in one line of the test split."""

    def __init__(self, texts):
        super().__init__(None)
        self.texts = texts

    def _load(self, real):
        generator = torch.Generator().manual_seed(5)
        writers = torch.full((len(self.texts),), int(pen_set.WRITERS["test"][3]))
        return {
            "test": LinePictures(**to_arrays(write_lines(self.texts, writers, generator, HEIGHT), self.texts, MOST))
        }


strange = Some(["retniw", "egnaro", "hand", "wonder", "2026"])
strange.setup()
lines, labels = strange.splits["test"].__getitems__(range(5))
with torch.no_grad():
    read = to_texts(by_heart.read(by_heart(lines))[0])
notebook.show_images(lines, [f"{a}, read as\n{b}" for a, b in zip(to_texts(labels), read, strict=True)], columns=5)
# alt: Five written words that the reader was not trained on, each read as another word, such as hand as island

# %% [markdown]
# It writes words that it knows, whatever is there. A CTC reader would have made spelling mistakes; this one makes up a
# text that looks right, and nothing in the text tells you so. The map does: **if a map does not walk, the text does not
# come from the picture.** That is why readers of this lab are trained with digits and random letters among the
# sentences, with wrong characters (`--wrong_tokens`) and with a part of the CTC loss (`--ctc_weight`).
#
# ## The map of a page
#
# A page is a grid of places. Nobody cuts it into lines. Here are small pages: two or three numbers below each other. On
# two CPU cores this takes about two minutes.

# %%
SIDE, ROWS = 128, 3  # pixels of a page, and numbers on it
LONGEST = ROWS * 5 - 1  # characters, new lines included


class Pages(BaseDataModule):
    """Small pages by imaginary writers: numbers of two to four digits below each other."""

    task = "paragraph"

    def __init__(self, num_train=4_000):
        super().__init__(batch_size=32)
        self.sizes = {"train": 64 if FAST else num_train, "val": 32, "test": 32 if FAST else 200}

    def config(self):
        return DataConfig((1, SIDE, SIDE), (LONGEST, 1), PAGE_MAPPING)

    def _load(self, real):
        return {split: self.write(split, np.random.default_rng(number)) for number, split in enumerate(self.sizes)}

    def write(self, split, random):
        texts = [
            [draw_number(random)[:4] for _ in range(random.integers(2, ROWS + 1))] for _ in range(self.sizes[split])
        ]
        writers = torch.from_numpy(random.choice(pen_set.WRITERS[split], len(texts)))
        of_lines = writers.repeat_interleave(torch.tensor([len(text) for text in texts]))
        generator = torch.Generator().manual_seed(int(random.integers(1 << 62)))
        lines = iter(write_lines([number for text in texts for number in text], of_lines, generator, 28))
        pages = np.zeros((len(texts), SIDE, SIDE), np.uint8)
        for page, text in zip(pages, texts, strict=True):
            top, step = random.integers(0, 16), random.integers(32, 40)
            for row in range(len(text)):
                left = random.integers(0, 16)
                line = next(lines)[:, : SIDE - left]
                page[top + row * step :, left:][:28, : line.shape[1]] |= line
        labels = [encode("\n".join(text), LONGEST, PAGE_MAPPING) for text in texts]
        return ImageDataset(torch.from_numpy(pages), torch.from_numpy(np.stack(labels)))


pages = Pages()
pages.setup()
page_model = ParagraphLitModel(
    ResNetTransformer(pages.config(), **SMALL), pages.config(), optimizer="AdamW", one_cycle_max_lr=3e-3
)
train(page_model, pages, 8, "Pages")

# %% [markdown]
# On a page, the picture shows the way: each character that was written stands where the decoder looked for it, and the
# colour says when. `↵` is the new line. (The place is the mean of all that it looked at. If it looked at two places,
# the character stands between them: the player shows both.)

# %%
test = pages.splits["test"]
pictures, labels = test.__getitems__(range(len(test)))
with torch.no_grad():
    read = to_texts(page_model.eval().read(page_model(pictures))[0], PAGE_MAPPING)
true = to_texts(labels, PAGE_MAPPING)
print(f"test pages read without a mistake: {np.mean([a == b for a, b in zip(true, read, strict=True)]):.0%}")
chosen = max(range(len(true)), key=lambda i: (read[i] == true[i], len(true[i])))
glances = page_model.glances(test, chosen)
show(glances)
# alt: A page of three lines of digits, with a mark where the decoder looked for each, joined by a line that goes
#      from line to line

# %%
with plt.rc_context({"figure.dpi": 40}):  # small frames: a player holds all of them
    player = play(animate(glances), frames_per_second=2)
player
# alt: The page again, one digit after the other: the place where the decoder looks goes along each line, and then to
#      the next

# %% [markdown]
# Where does it look when it writes `↵`? It has to find out two things: that this line has ended, and that another one
# follows.
#
# ## Try it
#
# 1. Draw the map of a number that the first reader got wrong. Did it look at the wrong place, or misread the right one?
# 2. Train the reader of numbers with `ctc_weight=0`. How many epochs does it need until its map walks?
# 3. Let the reader of ten words learn with `ctc_weight=0.5`. Does its map walk now? Does it read `retniw`?
# 4. Write a number of eight digits. The first reader has seen at most six. What does it write, and what shows the map?
# 5. A run with `--loss transformer` writes `attention.png` into its folder. Compare those of 1 and of 6 epochs.
