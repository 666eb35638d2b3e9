# %% [markdown]
# # Lines as people write
#
# `EMNISTLines` puts pictures of single characters side by side, each made as tall as all others. Nobody writes so.
# Here imaginary writers write whole lines, as people do; a network learns from them; and then it reads a line that
# **you** wrote.
#
# At the end you will be able to
# - say in what ways lines that people write differ from characters in boxes;
# - feed pictures of any width to a network, in batches;
# - say what a language model adds to a reader, and when it does harm;
# - read a photo of your own lines, and say what the network needs them to look like.

# %%
import os
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytorch_lightning as pl
import torch

from lab_kit.decoding.beam_search import beam_search
from lab_kit.decoding.character_model import CharacterModel
from lab_kit.experiment import hardware
from lab_kit.experiment.checkpoint import load_weights
from lab_kit.handwriting.pen_line_style import line_style
from lab_kit.handwriting.pen_lines import write_lines
from lab_kit.handwriting.pen_pages import write_page
from lab_kit.notebooks import notebook
from lab_kit.photo.fit_line import fit_line
from lab_kit.photo.line import written_lines
from lab_kit.photo.open_picture import OWN_WRITING, open_picture
from lab_kit.photo.simulation import LOOKS, photograph
from text_recognizer.data import EMNISTLines, IAMLines
from text_recognizer.data.character_mapping import ALPHANUMERIC, MAPPING, MARKS
from text_recognizer.data.iam_lines import HEIGHT
from text_recognizer.data.line_augmentation import augment_lines
from text_recognizer.data.line_pictures import side_by_side
from text_recognizer.lit_models import CTCLitModel
from text_recognizer.lit_models.line import to_texts
from text_recognizer.models import CRNN

FAST = "COURSE_FAST" in os.environ  # set: little work, only to see that every cell runs
pl.seed_everything(42, verbose=False)
notebook.set_up()


def show_lines(lines: list[np.ndarray], titles: list[str]) -> None:
    """Show lines below each other, all at the same scale."""
    width = max(line.shape[1] for line in lines)
    _, places = plt.subplots(len(lines), 1, figsize=(11, 0.85 * len(lines)), squeeze=False, layout="constrained")
    for axes, line, title in zip(places.flat, lines, titles, strict=True):
        axes.imshow(np.pad(line, ((0, 0), (0, width - line.shape[1]))), cmap="gray_r", vmin=0, vmax=255)
        axes.set_title(title, loc="left", fontsize=10, parse_math=False)
        axes.set_axis_off()
    plt.show()


# %% [markdown]
# ## Characters in boxes, and a line in one go
#
# The same kind of text twice. **Before you go on: in what do the first two differ from the others?** Find five things.

# %%
boxes = EMNISTLines(max_length=24, source="pen", num_train=2, num_val=2, num_test=2)
boxes.prepare_data()
boxes.setup()
boxed = [boxes.splits["train"].picture(index).numpy() for index in range(2)]
text = "jumping fully, he said"
written = write_lines([text] * 4, torch.tensor([3, 14, 8, 40]), torch.Generator().manual_seed(0), 28)
show_lines([*boxed, *written], ["characters in boxes"] * 2 + ["an imaginary writer"] * 4)
# alt: Two lines whose characters stand in boxes, wide apart, and four lines by imaginary writers, whose letters
#      stand close and are partly joined

# %% [markdown]
# Natural lines have letters of different widths and heights; some letters reach below the line (`j`, `p`, `y`); a comma
# is small and low; letters lean, and are joined by some writers; the writing line is not straight.
#
# ## What makes a writer
#
# Each writer is a number. From it come the numbers that describe this writer's handwriting: how far it leans, how wide
# its gaps are. They are always the same for the same writer. The random numbers of a single letter come on top, so that
# nobody writes twice the same.

# %%
style = line_style(torch.tensor([3, 14, 8, 40]))
for name in ("slant", "small", "gap", "join", "nib"):
    print(f"{name:8}", "  ".join(f"{value:5.2f}" for value in style[name].tolist()))
same_writer = write_lines([text] * 3, torch.tensor([14, 14, 14]), torch.Generator().manual_seed(1), 28)
show_lines(same_writer, ["writer 14"] * 3)
# alt: The same line three times, by one imaginary writer: much alike, and no letter twice the same

# %% [markdown]
# ## Batches of lines of any width
#
# The pictures of a batch must be of one size. So a batch has lines of similar lengths, and blank paper fills up the
# rest. To CTC, paper is nothing special: the network says "blank" there.

# %%
sizes = {"num_train": 64, "num_val": 32, "num_test": 32} if FAST else {"num_train": 8_000, "num_val": 200}
data = IAMLines(max_length=24, source="pen", **sizes)
data.prepare_data()
data.setup()
images, labels = data.splits["train"].__getitems__(range(32, 64))
print(f"pictures {tuple(images.shape)}, labels {tuple(labels.shape)}")
show_lines([255 * image[0].numpy() for image in images[:4]], to_texts(labels[:4]))
# alt: Four written lines of different length, each with its text above it

# %% [markdown]
# Augmentation changes each line a little more, differently in every epoch:

# %%
show_lines([255 * image[0].numpy() for image in augment_lines(images[:1].repeat(4, 1, 1, 1))], ["augmented"] * 4)
# alt: One line four times, augmented: bent, thicker or thinner, with grey and with grain

# %% [markdown]
# ## Train
#
# Convolutions shrink a line to columns, a step every 4 pixels, and two LSTMs read the columns in both directions. On
# two CPU cores this takes some five minutes. The command in lab 3's README trains with three times as many lines, which
# are longer, for 20 minutes, and reads far better. Give the path of its `best.ckpt` here to read with that network. No
# line of a real person is ever seen.

# %%
checkpoint = None  # or the path of a run's best.ckpt
model = CTCLitModel(CRNN(data.config()), data.config(), optimizer="AdamW", one_cycle_max_lr=3e-3)
hardware.tune(model.model)
if checkpoint:
    load_weights(model, checkpoint, "CRNN", MAPPING)
else:
    trainer = pl.Trainer(
        max_epochs=1 if FAST else 6,
        precision=hardware.fast_precision("auto"),
        gradient_clip_val=5,
        callbacks=[notebook.Progress()],
        **notebook.QUIET,
    )
    trainer.fit(model, datamodule=data)

# %%
model.eval()


def read(line: np.ndarray) -> str:
    """Read one line (48, any width) uint8, ink 255 on paper 0."""
    with torch.no_grad():
        classes, _ = model.read(model(side_by_side([line]).to(model.device)))
    return to_texts(classes)[0]


test = data.splits["test"]
chosen = np.linspace(0, len(test) - 1, 6).astype(int)
lines = [test.picture(index).numpy() for index in chosen]
truth = to_texts(test.__getitems__(chosen)[1])
show_lines(lines, [f"true: {true}      read: {read(line)}" for line, true in zip(lines, truth, strict=True)])
# alt: Six written lines, each with the true text and with what the network read

# %% [markdown]
# ## What comes next in English
#
# The network knows shapes. Is this `rn` or `m`, `cl` or `d`? Often the shape does not say, but English does. So count
# in a text how often each character follows those before it: a **language model** of characters. Then search for the
# text whose shapes *and* characters are most probable together: a **beam search** follows the best beginnings of texts
# from column to column.

# %%
language = CharacterModel(data.texts.corpus(2_000 if FAST else 50_000, np.random.default_rng(0)), ALPHANUMERIC + MARKS)
for context in (" th", " q", "rea"):
    probability = np.exp(language.log_probabilities(context))
    best = np.argsort(-probability)[:4]
    print(f"after {context!r}:", ", ".join(f"{language.characters[k]!r} {probability[k]:.0%}" for k in best))

# %%
classes = np.array([MAPPING.index(character) for character in language.characters])


def read_english(line: np.ndarray, weight: float = 0.5) -> str:
    """Read one line, with a language model of this weight."""
    with torch.no_grad():
        columns = model(side_by_side([line]).to(model.device))[0].T.log_softmax(dim=1).cpu().numpy()
    return beam_search(columns, classes, model.blank, language, weight, bonus=1.2)


torch.manual_seed(0)
hard, labels = test.__getitems__(np.linspace(20, len(test) - 1, 10).astype(int))
for _ in range(4):  # lines that are hard to read: bent, blurred, dirty
    hard = augment_lines(hard)
for image, true in zip(hard, to_texts(labels), strict=True):
    line = (255 * image[0]).numpy().astype(np.uint8)
    print(f"true     {true}\nalone    {read(line)}\nEnglish  {read_english(line)}\n")

# %% [markdown]
# **Which errors are gone, and which are new?** The language model makes rare words into frequent ones. Some lines here
# are no English at all, but random digits or letters: is it of use there? Try other weights, up to 2.
#
# ## Your own lines
#
# Write a line, or a few, with a dark pen on any paper, take a photo, and save it beside this notebook as `my_lines.jpg`
# (on Colab: the folder symbol on the left). Until there is such a file, two lines by an imaginary writer are read, whom
# the network has not learned from: on squared paper, photographed in a simulation.
#
# The network reads only pictures that look like those it has learned from. These steps make yours so: **ink** is told
# from **paper**, from shadows and from ruled lines; each **line of writing** is found, turned level, **cropped** to its
# ink and scaled to 48 pixels; and narrow hands are **stretched**, wide ones squeezed, so that strokes stand as close as
# in training. In the photo you see where a line was found, and below it what the network sees of it.

# %%
own = Path("my_lines.jpg")
if own.is_file():
    picture = open_picture(own, OWN_WRITING)
else:
    page = write_page(
        ["this could be yours", "or your grandmother's"], 21_012, torch.Generator().manual_seed(5), (260, 760)
    )
    picture = photograph(page, replace(LOOKS["ballpoint on squares"], rules=0.15, margin=0.1), np.random.default_rng(5))
found = written_lines(picture)
figure, (top, *below) = plt.subplots(
    1 + len(found), 1, figsize=(11, 4 + 1.3 * len(found)), height_ratios=[4] + [1.3] * len(found), layout="constrained"
)
top.imshow(picture, cmap="gray")
top.set_title("your picture", loc="left")
for axes, line in zip(below, found, strict=True):
    top.add_patch(plt.Polygon(line.corners, fill=False, edgecolor="tab:orange", linewidth=2))
    seen = fit_line(line.ink, HEIGHT)
    axes.imshow(255 - seen, cmap="gray")
    axes.set_title(f"alone: {read(seen)}      with English: {read_english(seen)}", loc="left", parse_math=False)
for axes in (top, *below):
    axes.set_axis_off()
plt.show()
# alt: A photo of two written lines on squared paper, with a frame around each; below, each line alone, with what was
#      read alone and with English

# %% [markdown]
# ## What next?
#
# - Write the same line twice: as you always do, and as your teacher would like it. Which is read better?
# - Leave something out: train with `augment=False`, and read the same hard lines.
# - Collect lines that people wrote: a folder of pictures with a `labels.json`, as the start of
#   `benchmarks/pen_to_people.py` describes. That program trains on imaginary writers alone and says how well it reads
#   your people, and `--without joins` (or writers, widths, fresh, augmentation) says what each part is worth.
# - `IAMLines` with `--source download` trains on IAM's lines by 657 people. Its owners ask you to register with them
#   first, and to use it for research only.
