# %% [markdown]
# # Your own data
#
# From a folder of pictures that nobody has checked to a classifier that you understand: verify, look, learn from what
# another network knows, look at the mistakes, clean with a person at the keyboard, and learn again.
#
# At the end you will be able to
# - say what a program can find wrong with a data set, and what only a person can;
# - say what a pretrained network carries over to your pictures, and what it needs in return;
# - tell a model's mistakes from mistakes in the labels;
# - say whether cleaning was worth it.
#
# Everything here works without a network. For your own pictures, put your folder in place of the practice set.

# %%
import csv
import importlib.util
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

if importlib.util.find_spec("imagehash") is None:  # on Colab, which has all the rest
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "imagehash"], check=True)

import matplotlib.pyplot as plt
import torch
from IPython.display import Image as Picture
from IPython.utils.capture import capture_output
from PIL import Image

from lab_kit.curation.apply_review import apply
from lab_kit.curation.practice.check import check
from lab_kit.curation.practice.make_set import draw_set, make_practice_set
from lab_kit.curation.quarantine import quarantine_folder
from lab_kit.curation.review_widget import review
from lab_kit.curation.verify import verify
from lab_kit.notebooks import notebook
from lab_kit.plots import picture_plots
from text_recognizer.data import ImageFolder
from training import load_run, run_experiment
from training.interpretation import most_confused, per_class, score
from training.review import queue_of

FAST = "COURSE_FAST" in os.environ  # set: little work, only to see that every cell runs
notebook.set_up()
place = Path.cwd() / "own-data"  # where everything in this notebook goes
shutil.rmtree(place, ignore_errors=True)


def train(name, table=True, **flags):
    """Run an experiment as on the command line; return its folder."""
    words = [word for flag, value in flags.items() for word in (f"--{flag}", str(value))]
    with capture_output() as shown:  # a line an epoch, and at the end a table, which says it all
        run_experiment.main([*words, "--log_dir", str(place / name)])
    if table:
        shown.outputs[-1].display()
    return next((place / name).glob("*/version_0"))


# %% [markdown]
# ## A collection, as it comes
#
# Six hundred drawings of six things, with planted trouble, and clean drawings by other hands to test with. This is what
# you get from the web, too, except that here the truth about each file is known. (The file `truth.csv` has it. Do not
# look yet.)

# %%
practice = place / "practice"
make_practice_set(practice, pictures_per_class=10 if FAST else 100, test_per_class=2 if FAST else 50)
collected = practice / "collected"

# %% [markdown]
# ## What a program can find
#
# Every file is decoded to its last pixel, and compared with all others. What is broken, tiny, animated, no picture at
# all, or there twice is moved *beside* the data. Nothing is deleted. **Predict: how many of 650 will it be?**

# %%
verify(collected)

# %%
reasons = [folder for folder in sorted(quarantine_folder(collected).iterdir()) if folder.is_dir()]
for folder in reasons:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    print(f"{folder.name:14} {len(files):3}  for example {files[0].relative_to(folder)}")

# %% [markdown]
# ## Look before you train
#
# Pictures of each class, as the network will get them. With `statistics="data"` they are pixels as they are; with
# `statistics="characters"` ink becomes 1 and paper 0, whatever they were. Soon you will see what for.

# %%
FLAGS = {"folder": collected, "test_folder": practice / "test", "image_size": 48}
data = ImageFolder(**FLAGS)
data.setup()
picture_plots.plot_grid(data, place / "grid.png")
Picture(place / "grid.png", width=760)
# alt: Eight pictures of each class, photos of drawings on coloured paper; the classes are fish, flower, leaf,
#      mushroom, sun and umbrella

# %%
data = ImageFolder(**FLAGS, statistics="characters")
data.setup()
picture_plots.plot_grid(data, place / "grid.png")
Picture(place / "grid.png", width=760)
# alt: The same pictures, each scaled to light lines on black: empty pictures and writing among the drawings now
#      stand out

# %%
data

# %% [markdown]
# **Why are the validation pictures always the same?** They are chosen at random, from the files' names, with a seed of
# their own. Whoever compares two models on different validation pictures does not know whether the model got better or
# the examination easier. That is why a picture stays on its side even when others are removed:

# %%
before = {picture.file for _, picture in data.pictures() if picture.split == "val"}
another = ImageFolder(**FLAGS, statistics="characters", seed=7)
after = {picture.file for _, picture in another.pictures() if picture.split == "val"}
print(f"another seed: {len(before & after)} of {len(before)} validation pictures are the same")

# %% [markdown]
# ## A network that knows something
#
# The residual network of lab 3 learns characters first. (Six epochs with augmentation make a better body; these three
# take two minutes.)

# %%
body = train(
    "body",
    data_class="EMNIST",
    model_class="ResNet",
    source="pen",
    max_epochs=1 if FAST else 3,
    optimizer="AdamW",
    one_cycle_max_lr=4e-3,
    **({"limit_train_batches": 2, "limit_val_batches": 1, "limit_test_batches": 1} if FAST else {}),
)

# %% [markdown]
# ## Transfer
#
# The same budget of twelve epochs twice, on the same pictures: from scratch, and with the body from above. There, the
# first two epochs train the new head alone; then all layers learn, the first ones a third as fast as the head.
# **Predict both test accuracies.**

# %%
BUDGET = {
    "data_class": "ImageFolder",
    "model_class": "TransferNet",
    **FLAGS,
    "statistics": "characters",
    "augment": True,
    "max_epochs": 2 if FAST else 12,
    "one_cycle_max_lr": 3e-3,
}
TRANSFER = {"pretrained": body, "frozen_epochs": 1 if FAST else 2, "lr_slice": "1e-3,3e-3"}
scratch = train("scratch", **BUDGET)

# %%
run = train("transfer", **BUDGET, **TRANSFER)

# %% [markdown]
# **What was carried over?** Not characters. The first layers find edges, bends and ends of strokes, and drawings have
# those, too. The first row below is what the first layer's channels make of a drawing, before it has seen one; the
# second, what they make of it now. Little has changed, and little had to.

# %%
found = load_run.load(run)
fresh = found.config.model_class(found.data.config(), **found.config.kwargs_for(found.config.model_class)).eval()
images, _ = found.data.splits["test"].__getitems__([0])
_, grid = plt.subplots(2, 8, figsize=(11, 3))
with torch.no_grad():
    for row, network in zip(grid, (fresh, found.model.model), strict=True):
        for axes, channel in zip(row, network.stem(images.float())[0], strict=False):
            axes.imshow(channel, cmap="gray")
            axes.set_axis_off()
grid[0, 0].set_title("body as it came", loc="left")
grid[1, 0].set_title("after training", loc="left")
plt.show()
# alt: Eight channels of the first layer for one picture, as the body came and after training: they hardly differ

# %% [markdown]
# ## Where is it wrong?
#
# The functions return data; the pictures are beside them.

# %%
scores = score(found.model, found.data, ["test"])
for report in per_class(scores):
    print(f"{report.name:9} precision {report.precision:4.0%}   recall {report.recall:4.0%}   of {report.count}")
print("\nmost confused (it was, it was taken for, how often):")
for pair in most_confused(scores, at_least=3):
    print("  ", pair)

# %% [markdown]
# One class is taken for another again and again, on *clean* test pictures. Is that the network's fault, or was it
# taught so? Look at the losses of all pictures that it learned from. A loss is high where the model is sure and wrong.
# Or where the label is.

# %%
scores = score(found.model, found.data, ["train", "val"])
picture_plots.plot_top_losses(scores, found.data, place / "losses.png", count=18)
Picture(place / "losses.png", width=900)
# alt: The eighteen pictures with the highest losses, each with the folder that it lies in and the answer of the
#      network; several lie in the wrong folder

# %% [markdown]
# ## Clean, with a person
#
# `python -m training.review RUN` opens the queue as a page in the browser, one picture at a time, a key for each. Here
# is the same queue as a widget: mark what is wrong, and keep the rest of the page with one click. Each choice is on
# disk, in `review.csv`, at once.

# %%
queue = queue_of(run)
widget = review(queue, columns=4, rows=2)
widget

# %% [markdown]
# You are welcome to do it all by hand. For the rest of this notebook, a program with patience presses the buttons: it
# looks at the first part of the queue, knows what each drawing shows, and does nothing about the rest. *(This is the
# one place where `truth.csv` is opened.)* The question is: does the queue show it what it needs to see?

# %%
with (practice / "truth.csv").open(newline="") as file:
    truth = {row["stem"]: row for row in csv.DictReader(file)}
trouble = [truth[Path(picture.file).stem]["trouble"] for picture in queue.pictures]
planted = trouble.count("wrong label")
for picture in list(queue.pictures[: 2 * planted]):
    about = truth[Path(picture.file).stem]
    if about["trouble"] == "nothing":
        queue.propose(picture.file, "delete")
    elif about["true_class"] != picture.label:
        queue.propose(picture.file, "relabel", about["true_class"])
    else:
        queue.propose(picture.file, "keep", grade=1)
print(f"{planted} wrong labels were planted among {len(queue.pictures)} pictures.")
print(f"{trouble[: 2 * planted].count('wrong label')} of them are among the first {2 * planted} of the queue.")

# %%
found_at = [place for place, what in enumerate(trouble) if what == "wrong label"]
_, axes = plt.subplots(figsize=(9, 3.2))
axes.plot([0, *found_at, len(trouble)], [0, *range(1, planted + 1), planted], label="by loss")
axes.plot([0, len(trouble)], [0, planted], "--", color=notebook.GRAY, label="in any order")
axes.axvline(2 * planted, color=notebook.ORANGE, linewidth=1.5)
axes.set(xlabel="pictures looked at", ylabel="wrong labels found", title="How much looking the queue saves")
axes.legend()
plt.show()

# %% [markdown]
# ## Apply, and learn again
#
# Until now, nothing has happened to the pictures. `apply` does what was proposed, in a *new* folder.

# %%
reviewed = place / "reviewed"
print(Counter(step.done for step in apply(queue, reviewed)))
check(practice, reviewed)

# %%
again = train("again", **BUDGET | {"folder": reviewed}, **TRANSFER)

# %%
cleaned = load_run.load(again)
scores = {name: score(model.model, model.data, ["test"]) for name, model in (("before", found), ("after", cleaned))}
for name, of in scores.items():
    accuracy = float((of.predicted == of.labels).float().mean())
    print(f"{name:7} {accuracy:.1%} of the clean test pictures; most confused: {most_confused(of)[:2]}")
picture_plots.plot_classes(per_class(scores["after"]), place / "classes.png")
Picture(place / "classes.png", width=620)
# alt: Precision and recall of each of the six classes, as bars; all are between 85% and 100%

# %% [markdown]
# **Noise or bias?** All wrong labels of this set say the same: drawings of one thing, filed under another. They teach
# something wrong, consistently; and because the network begins to believe them, some of their losses are low, and the
# queue shows them late. Draw another set with `noise="random", noise_share=0.06`, where as many drawings lie in any
# wrong folder. They contradict each other, and there are many more right labels than wrong ones. In your own data you
# do not know which it is, until you look.
#
# ## How many pictures are enough?
#
# You know afterwards. Here is how accuracy grows with the number of clean pictures of each class:

# %%
sizes = (4,) if FAST else (10, 20, 40, 80)
largest = place / "clean"
draw_set(largest, max(sizes), seed=1)
accuracies = []
for size in sizes:
    few = place / f"few-{size}"
    for folder in sorted(path for path in largest.iterdir() if path.is_dir()):
        (few / folder.name).mkdir(parents=True)
        for file in sorted(folder.iterdir())[:size]:
            Image.open(file).convert("RGB").save(few / folder.name / f"{file.stem}.png")
    model = load_run.load(train(f"size-{size}", table=False, **BUDGET | {"folder": few}, **TRANSFER))
    of = score(model.model, model.data, ["test"])
    accuracies.append(float((of.predicted == of.labels).float().mean()))

_, axes = plt.subplots(figsize=(7, 3.2))
axes.plot(sizes, accuracies, "o-")
axes.set(xscale="log", xlabel="pictures of each class", ylabel="test accuracy", title="More pictures help, ever less")
axes.set_xticks(sizes, sizes)
axes.minorticks_off()
plt.show()

# %% [markdown]
# ## What is saved with the weights
#
# A checkpoint knows the classes in their order, and what must be done to a picture before the network sees it. Without
# the first it would say *sun* and mean *leaf*; without the second it would see negatives.

# %%
kept = torch.load(again / "checkpoints" / "best.ckpt", weights_only=True)
print(kept["hyper_parameters"]["mapping"])
kept["ImageFolder"]["preprocessing"]

# %% [markdown]
# **Now you.** Put your own folder in place of `collected`, leave `test_folder` out, and look at the first twenty
# pictures of the queue. What did you find?

# %%
shutil.rmtree(place)  # leave this cell out to keep all that was made
