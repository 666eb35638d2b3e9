# %% [markdown]
# # Gradient descent from scratch
#
# Every network in this course learns in the same way: it makes a guess, measures how wrong the guess is, and makes it a
# little better. Again and again. Here you do that by hand, with the smallest model there is: a line.
#
# At the end you will be able to
# - say what a loss is, what a gradient is, and what `backward()` does;
# - write the training loop yourself;
# - tell from a plot whether the learning rate is too small, right, or too large;
# - say why networks learn from mini-batches.
#
# The notebook follows the second lecture of fast.ai's *Practical Deep Learning for Coders* (2019).

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.animation import FuncAnimation

from lab_kit.notebooks import notebook
from lab_kit.notebooks.notebook import BLUE, GRAY, GREEN, ORANGE, RED
from lab_kit.notebooks.player import play

FAST = "COURSE_FAST" in os.environ  # set: little work, only to see that every cell runs
torch.manual_seed(1)
notebook.set_up()

# %% [markdown]
# ## The data: points along a line
#
# Think of ice cream: `x` is the temperature, `y` is how much ice cream was sold. We make up the data ourselves, so that
# we know the truth: each `y` is `3 x + 2`, plus some noise.
#
# Each row of `x` holds two numbers: one drawn from -1 to 1, and a one. Why the column of ones? You will see in a
# moment.

# %%
n = 100
x = torch.ones(n, 2)
x[:, 0].uniform_(-1, 1)
x[:5]

# %%
true_a = torch.tensor([3.0, 2.0])
y = x @ true_a + 0.3 * torch.randn(n)

_, axes = plt.subplots(figsize=(6, 4))
axes.scatter(x[:, 0], y, color=BLUE, s=18)
axes.set(xlabel="x (temperature)", ylabel="y (ice cream sold)", title="100 points, made up: y = 3 x + 2 + noise")
plt.show()

# %% [markdown]
# `x @ a` is a **matrix product**: each row of `x` times `a`, number by number, added up. The column of ones lets the
# second coefficient in as it is. So all 100 points need one line of code, and no loop. Check it for the first point:

# %%
by_hand = x[0, 0] * 3 + x[0, 1] * 2
by_hand, (x @ true_a)[0]

# %% [markdown]
# ## The loss: how wrong is a guess?
#
# Now forget the truth. You have the points, and you look for the two coefficients `a`. Start with any guess, say `(-1,
# 1)`.
#
# To make a guess better, you first have to say how good it is, in one number: the **loss**. We take the **mean squared
# error**: the distance from the guess to the truth, squared, on average over all points.


# %%
def mse(y_hat, y):
    return ((y_hat - y) ** 2).mean()


a = torch.tensor([-1.0, 1.0])
y_hat = x @ a
loss = mse(y_hat, y)

_, axes = plt.subplots(figsize=(6, 4))
axes.scatter(x[:, 0], y, color=BLUE, s=18, label="truth")
axes.scatter(x[:, 0], y_hat, color=ORANGE, s=18, label="guess")
axes.set(xlabel="x", ylabel="y", title=f"The guess (-1, 1) is far off: its loss is {loss:.2f}")
axes.legend()
plt.show()

# %% [markdown]
# ## The gradient: which way is better?
#
# **Predict before you run:** the orange points must tilt the other way, and move up. Should the first coefficient grow
# or shrink, to make the loss smaller? And the second?
#
# You could try: make one coefficient a little larger, and see what the loss does.

# %%
small = 0.001
for index, name in enumerate(["slope", "intercept"]):
    changed = a.clone()
    changed[index] += small
    change = mse(x @ changed, y) - mse(x @ a, y)
    print(
        f"{name} + {small}: the loss changes by {change:+.5f}, which is {change / small:+.2f} for each unit of change"
    )

# %% [markdown]
# These two numbers are the **gradient**: how fast the loss grows with each coefficient. Both are negative: larger
# coefficients make the loss smaller.
#
# A network has millions of coefficients. To try this with each of them would take far too long. PyTorch calculates all
# of the gradient at once, and exactly:

# %%
a.requires_grad_()  # from here on, PyTorch keeps a record of everything that is calculated with a
loss = mse(x @ a, y)
loss.backward()
a.grad

# %% [markdown]
# The same numbers.
#
# ### Where does `backward` come from?
#
# Nobody wrote a derivative for `mse`. But `mse` consists of steps that PyTorch knows: a matrix product, a difference, a
# square, a mean. While it calculates, it writes down the steps, in `grad_fn`. `backward()` walks the record from its
# end to its start, and takes each step's derivative: the chain rule from school.

# %%
step = loss.grad_fn
while step:
    print(step.name())
    step = next((earlier for earlier, _ in step.next_functions if earlier), None)

# %% [markdown]
# The last one, `AccumulateGrad`, puts the result into `a.grad`. *Accumulate*: it adds to what is there. Remember that.
#
# With pencil and paper you find for this loss: gradient = 2/n · xᵀ(x a − y). PyTorch agrees:

# %%
with torch.no_grad():
    on_paper = 2 / n * x.T @ (x @ a - y)
on_paper, a.grad

# %% [markdown]
# ## The update: one small step downhill
#
# The gradient points to where the loss grows. So subtract it, times a small number: the **learning rate** `lr`. Two
# details matter:
#
# - **`torch.no_grad()`**: the update is no part of the calculation that we want derivatives of. Do not record it.
# - **`a.grad.zero_()`**: `backward()` adds to `a.grad`. Without this, you would also walk along all earlier gradients.


# %%
def update(a, x, y, lr):
    loss = mse(x @ a, y)
    loss.backward()
    with torch.no_grad():
        a.sub_(lr * a.grad)  # the underscore: change a itself
        a.grad.zero_()
    return loss.item()


# %% [markdown]
# **Predict before you run:** how close to (3, 2) will 100 steps bring us?

# %%
a = torch.tensor([-1.0, 1.0], requires_grad=True)
path, losses = [a.detach().clone()], []
for step in range(100):
    losses.append(update(a, x, y, lr=0.1))
    path.append(a.detach().clone())
    if step % 10 == 0:
        print(f"step {step:3}: loss {losses[-1]:.4f}")
path = torch.stack(path)
print(f"found ({a[0]:.2f}, {a[1]:.2f}); the truth is (3, 2)")

# %% [markdown]
# Not exactly (3, 2): the noise moves the best line a little. And the loss does not reach zero, because no line goes
# through all points. What is left is the noise, about 0.3² = 0.09.
#
# Watch it happen: press ▶.

# %%
xs = torch.tensor([[-1.0, 1.0], [1.0, 1.0]])  # where a line begins and ends
shown_steps = range(0, 6, 2) if FAST else range(0, 60, 2)

figure, axes = plt.subplots(figsize=(5, 3.6), dpi=64)
axes.scatter(x[:, 0], y, color=BLUE, s=12)
(line,) = axes.plot(xs[:, 0], xs @ path[0], color=ORANGE, linewidth=3)
axes.set(xlabel="x", ylabel="y", ylim=(-2.5, 6.5))


def draw(step):
    line.set_ydata(xs @ path[step])
    axes.set_title(f"step {step}: loss {losses[step]:.2f}")


animation = FuncAnimation(figure, draw, frames=shown_steps)
plt.close(figure)
play(animation)
# alt: The line turns and moves, step by step, until it lies in the middle of the points; the loss falls

# %% [markdown]
# The same without animation, for those who read this on GitHub:

# %%
_, axes = plt.subplots(figsize=(6, 4))
axes.scatter(x[:, 0], y, color=BLUE, s=12)
for step, shade in ((0, 0.35), (5, 0.5), (15, 0.75), (100, 1.0)):
    axes.plot(xs[:, 0], xs @ path[step], color=ORANGE, linewidth=3, alpha=shade)
    axes.annotate(
        f"step {step}", (-1, xs[0] @ path[step]), xytext=(-6, 0), textcoords="offset points", ha="right", va="center"
    )
axes.set(xlabel="x", ylabel="y", xlim=(-1.5, 1.1), title="Step by step, the line finds the points")
plt.show()

# %% [markdown]
# ## The loss as a surface
#
# Draw the two coefficients to the right and to the back, and the loss upwards: all possible guesses together are a
# surface. Gradient descent walks down on it. It never sees the whole surface, only how steep it is where it stands.


# %%
def loss_surface(slopes, intercepts):
    """Return the loss for every pair of a slope (S,) and an intercept (I,), as (I, S)."""
    b, a = torch.meshgrid(intercepts, slopes, indexing="ij")
    guesses = a[..., None] * x[:, 0] + b[..., None]  # (I, S, n)
    return ((guesses - y) ** 2).mean(dim=-1)


slopes, intercepts = torch.linspace(-2, 7, 60), torch.linspace(-1.5, 5.5, 60)
heights = loss_surface(slopes, intercepts)

figure = plt.figure(figsize=(7.5, 6))
axes = figure.add_subplot(projection="3d", computed_zorder=False)
axes.plot_surface(*np.meshgrid(slopes, intercepts), heights.numpy(), cmap="cividis", alpha=0.75, zorder=1)
on_path = [mse(x @ place, y).item() for place in path]
axes.plot(path[:, 0], path[:, 1], on_path, "o-", color=RED, markersize=4, zorder=2)
axes.text(-1.6, 0.9, on_path[0] + 2.5, "the guess", zorder=3)
axes.text(2.4, 2, on_path[-1] + 4, "the best line", zorder=3)
axes.set(
    xlabel="slope",
    ylabel="intercept",
    zlabel="loss",
    title="The walk goes straight down, in ever smaller steps",
)
axes.view_init(elev=55, azim=-70)
axes.set_zticks([0, 5, 10, 15, 20])
axes.set_box_aspect(None, zoom=0.88)
plt.show()

# %% [markdown]
# Why do the steps become smaller, though the learning rate stays the same? Because the gradient does: near its
# lowest point the surface is flat.
#
# ## The learning rate
#
# **Predict before you run:** what does the walk look like with a learning rate of 0.005? Of 0.97? Of 1.04?


# %%
def walk(lr, steps=30):
    a = torch.tensor([-1.0, 1.0], requires_grad=True)
    places, losses = [a.detach().clone()], []
    for _ in range(steps):
        losses.append(update(a, x, y, lr))
        places.append(a.detach().clone())
    return torch.stack(places), losses


walks = {"too small": 0.005, "right": 0.3, "too large": 0.97, "diverging": 1.04}
colours = {"too small": ORANGE, "right": GREEN, "too large": BLUE, "diverging": RED}
paths = {name: walk(lr) for name, lr in walks.items()}

_, grid = plt.subplots(2, 2, figsize=(10, 7.5), sharex=True, sharey=True)
for axes, (name, lr) in zip(grid.flat, walks.items(), strict=True):
    places, _ = paths[name]
    axes.contour(slopes, intercepts, heights, levels=12, colors=GRAY, linewidths=0.7)
    axes.plot(places[:, 0], places[:, 1], "o-", color=colours[name], markersize=5, linewidth=1.5)
    axes.plot(3, 2, "*", color="black", markersize=14)
    axes.set(title=f"{name}: lr = {lr}", xlim=(-2, 7), ylim=(-1.5, 5.5))
for axes in grid[1]:
    axes.set_xlabel("slope")
for axes in grid[:, 0]:
    axes.set_ylabel("intercept")
plt.show()
# alt: Four walks over the contours of the loss: a rate too small hardly moves, the right one goes straight to the
#      minimum, one too large jumps to and fro across it, and the largest jumps ever further away

# %% [markdown]
# You look at the surface from above; along each ring the loss is the same, and the star is the truth. After 30 steps,
# the first walk has hardly begun. The third jumps from one side to the other, and gets there in spite of it. The fourth
# jumps a little higher each time, and never comes back.
#
# A network's loss has millions of coefficients, and you cannot draw its surface. But you can always look at the loss:

# %%
_, axes = plt.subplots(figsize=(7, 4.2))
for name, lr in walks.items():
    axes.plot(paths[name][1], color=colours[name], label=f"{name}: {lr}")
axes.set(xlabel="step", ylabel="loss", yscale="log", title="The loss tells which learning rate is right")
axes.legend(title="learning rate", loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()
# alt: Loss by step for four learning rates: it falls slowly, fast, in zigzags, or rises. The loss tells which
#      learning rate is right

# %% [markdown]
# ## From the whole set to mini-batches
#
# Each step so far looked at all 100 points. With 55,000 pictures, a step like that takes long, and it is only one step.
# A **mini-batch** is a few points, picked at random. Its gradient is a rough estimate of the true one, but it
# costs a tenth, and so you get ten steps for the price of one. This is **stochastic gradient descent**, SGD.
#
# **Predict before you run:** after each walk has seen all points the same number of times, which one is closer?


# %%
def walk_in_batches(batch_size, epochs, lr=0.1):
    a = torch.tensor([-1.0, 1.0], requires_grad=True)
    places, losses = [a.detach().clone()], [mse(x @ a, y).item()]
    for _ in range(epochs):
        for batch in torch.randperm(n).split(batch_size):  # every point once, in random order
            update(a, x[batch], y[batch], lr)
            places.append(a.detach().clone())
        losses.append(mse(x @ a, y).item())
    return torch.stack(places), losses


batches = {
    "the whole set: 1 step an epoch": (ORANGE, walk_in_batches(batch_size=100, epochs=8)),
    "mini-batches of 10: 10 steps an epoch": (BLUE, walk_in_batches(batch_size=10, epochs=8)),
}
_, axes = plt.subplots(figsize=(7, 4.2))
for name, (colour, (_, losses_after)) in batches.items():
    axes.plot(losses_after, "o-", color=colour, label=name)
axes.set(
    xlabel="epoch (every point seen once more)",
    ylabel="loss on all points",
    title="For the same work, mini-batches get further",
)
axes.set_ylim(bottom=0)
axes.legend()
plt.show()

# %% [markdown]
# The price is a path that wobbles, also at the end, when it has arrived:

# %%
_, axes = plt.subplots(figsize=(7, 4.8))
axes.contour(slopes, intercepts, heights, levels=24, colors=GRAY, linewidths=0.6)
for name, (colour, (places, _)) in batches.items():
    axes.plot(places[:, 0], places[:, 1], "o-", color=colour, markersize=4, linewidth=1.5, label=name)
axes.plot(3, 2, "*", color="black", markersize=14)
axes.set(xlabel="slope", ylabel="intercept", title="Mini-batches wobble, and arrive", xlim=(-1.5, 4), ylim=(0.5, 3))
axes.legend(loc="lower right")
plt.show()

# %% [markdown]
# ## The vocabulary
#
# | word | what it means | here |
# | --- | --- | --- |
# | **model**, architecture | the function whose coefficients are looked for | `x @ a` |
# | **parameters**, weights, coefficients | the numbers that learning changes | `a` |
# | **loss** | how wrong the model is, in one number | mean squared error |
# | **gradient** | how fast the loss grows with each parameter | `a.grad` |
# | **learning rate** | how far to step against the gradient | `lr` |
# | **mini-batch** | the few examples, picked at random, that one step looks at | 10 points |
# | **epoch** | every example seen once | 10 mini-batches of 10 |
# | **SGD** | stochastic gradient descent: steps from mini-batches | `walk_in_batches` |
#
# Nothing else happens in the networks that you train from here on. The model has more layers, and `a` more numbers.
#
# ## Try it
#
# 1. Delete `a.grad.zero_()` and run the 100 steps again. What happens to the loss, and why?
# 2. Take the absolute value instead of the square in the loss. Does it still find (3, 2)? Is the learning rate still
#    right?
# 3. At which learning rate does the walk begin to diverge? Find it to two decimals.
# 4. Take mini-batches of a single point. What must you do to the learning rate?
