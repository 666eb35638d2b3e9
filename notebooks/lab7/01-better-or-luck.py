# %% [markdown]
# # Better, or luck?
#
# Two runs of the same program, with the same settings, do not end alike. So when a change makes the accuracy better, it
# may be the change, or it may be chance. Here we look at chance until we know how large it is.
#
# At the end you will be able to
# - say how far runs that differ in nothing but the seed lie apart;
# - say what an interval and a t-test tell, and what they do not;
# - say why the best of many settings is a little worse than it looks;
# - say why random search beats a grid, and what is gained when hopeless trials end early.

# %%
import os
import warnings

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy import stats
from torch import nn
from torch.nn import functional

from lab_kit.handwriting import pen_set
from lab_kit.notebooks import notebook
from lab_kit.plots.figures import BLUE, ORANGE

FAST = "COURSE_FAST" in os.environ  # set: little work, only to see that every cell runs
notebook.set_up()

# %% [markdown]
# ## The same, forty times
#
# A small task, so that a run takes half a second: a thousand digits that imaginary writers drew, a network of two
# layers, six epochs. First the digits.

# %%
RUNS, FEW = (4, 2) if FAST else (40, 5)  # how often all is done; how many seeds somebody may have
drawn = pen_set.load(tuple("0123456789"), layout="mass")
splits = {
    name: (images[:count].flatten(1).float() / 255, labels[:count].long())
    for (name, (images, labels)), count in zip(drawn.items(), (1_000, 1_000, 4_000), strict=True)
}
print({name: tuple(images.shape) for name, (images, _) in splits.items()})


# %%
def train(seed, lr=0.003, hidden=64, epochs=6, batch_size=50):
    """Train a network of two layers; return its accuracy on the validation and the test set."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 10))
    optimizer = torch.optim.Adam(network.parameters(), lr)
    images, labels = splits["train"]
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(batch_size):
            loss = functional.cross_entropy(network(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return [(network(images).argmax(1) == labels).float().mean().item() for images, labels in
                (splits["val"], splits["test"])]  # fmt: skip


# %% [markdown]
# **Predict:** forty runs with forty seeds, and nothing else that differs. How many points lie between the best and the
# worst?

# %%
same = np.array([train(seed) for seed in range(RUNS)])
figure, axes = plt.subplots(figsize=(8, 2.6))
axes.plot(100 * same[:, 0], np.random.default_rng(0).uniform(-1, 1, RUNS), "o", alpha=0.6)
axes.set_yticks([])
axes.set_ylim(-3, 3)
axes.set_xlabel("validation accuracy of each run, in %")
plt.show()
low, high = 100 * same[:, 0].min(), 100 * same[:, 0].max()
print(f"from {low:.1f}% to {high:.1f}%: {high - low:.1f} points, and nothing was changed")
# alt: Forty dots, the validation accuracies of forty equal runs, spread over three points

# %% [markdown]
# Somebody who tries one thing after the other, once each, and keeps what is better, climbs this cloud, and learns
# nothing.
#
# ## An interval
#
# The mean of several runs varies less than a single run. How much less? Take five of the forty, again and again, and
# look at their means. The bar is *Student's 95% interval*, calculated from those five alone: they do not know the
# other thirty-five. **Predict:** of twenty such intervals, how many miss the true mean (the line)?

# %%
chance = np.random.default_rng(1)
figure, axes = plt.subplots(figsize=(8, 3.6))
truth, missed = 100 * same[:, 0].mean(), 0
for row in range(20):
    values = 100 * chance.choice(same[:, 0], FEW)
    margin = stats.t.ppf(0.975, FEW - 1) * stats.sem(values)
    misses = abs(values.mean() - truth) > margin
    missed += misses
    axes.errorbar([values.mean()], [row], xerr=margin, fmt="o", color=ORANGE if misses else BLUE, capsize=3)
axes.axvline(truth, color="black", linewidth=1)
axes.set_yticks([])
axes.set_xlabel("validation accuracy in %: means of five runs, and their intervals")
plt.show()
print(f"{missed} of 20 intervals miss the mean of all {RUNS} runs")
# alt: Twenty intervals of five runs each around a line, the mean of all runs: they differ in place and length, and
#      most of them cross it

# %% [markdown]
# One of twenty is what "95%" promises, in the long run. Such an interval is honest: where five runs happen to lie far
# apart, it is wide.
#
# ## Is the difference real?
#
# Now two settings: a learning rate of 0.003, and one of 0.006. And for comparison, two that are the same. We do what
# people do: train each once, and say "better" where the figure is higher. Then what they should do: train each with
# five seeds, and ask the t-test. **Predict:** how often does the first way find a difference between two settings that
# are the same?

# %%
other = np.array([train(seed, lr=0.006) for seed in range(RUNS)])


def verdicts(a, b, repeats=2_000):
    """Return how often one run each says "b is better", and how often five each do, at 99%."""
    once = np.mean(chance.choice(b, repeats) > chance.choice(a, repeats))
    rows = chance.integers(0, len(a), (2, repeats, FEW))
    with warnings.catch_warnings():  # five draws may all be the same run
        warnings.simplefilter("ignore", RuntimeWarning)
        test = stats.ttest_ind(b[rows[0]], a[rows[1]], axis=1, equal_var=False)
    return once, np.mean((test.pvalue < 0.01) & (test.statistic > 0))


for name, b in (("the same setting", same[:, 0]), ("a learning rate of 0.006", other[:, 0])):
    once, five = verdicts(same[:, 0], b)
    difference = 100 * (b.mean() - same[:, 0].mean())
    print(f"{name:26} {difference:+.2f} points   one run each says better: {once:4.0%}   five, tested: {five:4.1%}")

# %% [markdown]
# With one run each, a difference is seen nearly always, whether there is one or not: it is a coin. The test hardly ever
# sees what is not there. The price: it also misses small differences that *are* there, because five runs are too few.
# Then it says "cannot tell", and that is the truth.
#
# `python training/compare_runs.py` does this with run folders. Runs with the same seed are pairs there, which helps
# where chance does the same to both.
#
# ## The winner's curse
#
# Forty settings are tried, and the best is chosen by its validation accuracy. Let all forty be the *same* setting: then
# the best is just the luckiest. **Predict:** how good is it on the test set, compared with the others?

# %%
best = same[:, 0].argmax()
ranks = same[:, 1].argsort()[::-1].argsort()
print(f"the best of {RUNS} on the validation set: {same[best, 0]:.1%}, on the test set {same[best, 1]:.1%}")
print(f"the mean of all on the validation set:  {same[:, 0].mean():.1%}, on the test set {same[:, 1].mean():.1%}")
print(f"on the test set, the winner is number {ranks[best] + 1} of {RUNS}")

# %% [markdown]
# The winner was lucky on the pictures by which it was chosen. Luck does not come again. So the figure by which you
# choose is always a little too good, the more so the more you have tried. That is why there is a test set, and why it
# is used once.
#
# ## Where to look
#
# Two settings, nine trials. One of them matters (the learning rate), the other hardly does (here: a number that is not
# used at all, which students will have met). A grid tries three learning rates. Nine random points try nine.

# %%
count = 4 if FAST else 9
side = round(count**0.5)
grid = [(x, y) for x in np.linspace(-4, -1, side) for y in np.linspace(0, 1, side)]
points = [(chance.uniform(-4, -1), chance.uniform(0, 1)) for _ in range(count)]
figure, places = plt.subplots(1, 2, figsize=(10, 3.4), sharey=True, sharex=True)
for axes, name, trials in zip(places, ("grid", "random"), (grid, points), strict=True):
    found = [train(0, lr=10**x)[0] for x, _ in trials]
    axes.scatter([10**x for x, _ in trials], [y for _, y in trials], c=found, cmap="viridis", s=140)
    axes.set_xscale("log")
    axes.set_xlabel("learning rate: it matters")
    axes.set_title(f"{name}: the best has {max(found):.1%}")
places[0].set_ylabel("a setting that does not")
plt.show()
# alt: Nine trials each. The grid tries three learning rates, each three times; random search tries nine, and comes
#      nearer to the best

# %% [markdown]
# The brighter, the better. Run the cell again with other random points: now and then they are unlucky. But the grid
# wastes six of nine trials each time, as soon as one of two settings does not matter; with four settings of which one
# matters, it wastes nearly all.
#
# ## Stop what is hopeless
#
# Twenty-seven random learning rates. All train for one epoch; the better third goes on to three; of those the better
# third goes on to nine. (This is *successive halving*, with a third in place of a half.) **Predict:** how many epochs
# are saved, and is the best still found?

# %%
rates = 10 ** chance.uniform(-4.5, -0.5, 6 if FAST else 27)
alive, epochs, spent = list(rates), 1, 0
while epochs <= 9:
    results = sorted(((train(0, lr, epochs=epochs)[0], lr) for lr in alive), reverse=True)
    spent += len(alive) * (epochs - epochs // 3)  # what is new: a trial goes on from where it was
    print(f"after {epochs} epochs: {len(alive):2} trials, the best has {results[0][0]:.1%} at {results[0][1]:.4f}")
    alive, epochs = [lr for _, lr in results[: max(1, len(alive) // 3)]], 3 * epochs
whole = max((train(0, lr, epochs=9)[0], lr) for lr in rates)
print(f"{spent} epochs, in place of {9 * len(rates)}. All of them for nine epochs: {whole[0]:.1%} at {whole[1]:.4f}")

# %% [markdown]
# What is the danger? A setting that learns slowly and ends well looks hopeless at first: a small learning rate, strong
# regularisation, a long warm-up. Successive halving prefers sprinters.
#
# ## Try it
#
# 1. Let the forty runs differ in the order of the pictures alone, or in the first weights alone. Which of the two is
#    more of the chance?
# 2. How many points lie between runs if there are 10,000 training pictures? And why?
# 3. Change `verdicts` so that runs are pairs with the same seed (`scipy.stats.ttest_rel`). Does it find the difference
#    more often?
# 4. Choose the best of forty by its *test* accuracy, and look at its validation accuracy.
