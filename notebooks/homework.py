# %% [markdown]
# # Homework of lab @NUMBER@, in the browser
#
# The exercises are in [homework/README.md](https://github.com/@REPOSITORY@/blob/main/@LAB@/homework/README.md). Here
# you can do them on Colab, with nothing to install. On your own machine, an editor and `python -m pytest homework` do
# the same.

# %%
from lab_kit.notebooks.homework import Homework

homework = Homework()

# %% [markdown]
# ## 1. Open a file
#
# The exercises say which one. On Colab it opens beside this notebook. Change it, and save it with Ctrl+S. For another
# file, write its name here:

# %%
homework.open("homework/README.md")

# %% [markdown]
# ## 2. Check
#
# Each requirement is a line with a box. Run this cell as often as you like. In a fresh copy all boxes are empty.
# `homework.check("name")` checks only what has that in its name.

# %%
homework.check()

# %% [markdown]
# ## 3. Take it home, and bring it back
#
# Colab's machine goes away when you close it, with all files on it. So download your work, and upload it next time:
# write `True` (or tick the box on Colab), and run the cell. On your own machine the files stay where they are.

# %%
TAKE_HOME = False  # @param {type:"boolean"}
if TAKE_HOME:
    homework.take_home()

# %%
BRING_BACK = False  # @param {type:"boolean"}
if BRING_BACK:
    homework.bring_back()
