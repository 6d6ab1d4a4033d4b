# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Cosmos Policy Workbench: the course
#
# One video diffusion model that is at once a robot policy, a world model and a value function, taken apart in
# notebooks. You need PyTorch, and nothing of world models; a laptop without a GPU and without a network is enough.
#
# | | notebook | you will | minutes |
# |---|---|---|---|
# | 0 | [The tour](00_tour.ipynb) | do everything once, in 15 cells | 15 |
# | 1 | [The latent sequence](01_latent_sequence.ipynb) | see what each frame of the model's "video" holds | 25 |
# | 2 | [Encode and inject](02_encode_and_inject.ipynb) | follow pictures and numbers into the model | 30 |
# | 3 | [Denoise](03_denoise.ipynb) | watch noise become a plan, call by call | 40 |
# | 4 | [Policy, world model, value](04_policy_world_model_value.ipynb) | ask one network five questions | 40 |
# | 5 | [Best of N](05_best_of_n.ipynb) | choose among plans, and find out whether that helps | 45 |
# | 6 | [Train the mini model](06_train_mini.ipynb) | train a network from recorded episodes to a checkpoint | 45 |
# | 7 | [Learn from experience](07_learn_from_experience.ipynb) | let its own rollouts teach the planner | 40 |
# | 8 | [Rollouts and statistics](08_rollouts_and_statistics.ipynb) | say what an evaluation has shown | 35 |
# | 9 | [The 2B model](09_the_2b_model.ipynb) | count what the published model sees, weighs and costs | 30 |

# %% [markdown]
# ## How to work with it
#
# - Open a notebook and go through it cell by cell (Shift+Enter). Each works alone; the order above is the easiest.
# - **Predict before you look.** Where a cell says `guess = None`, write what you expect and run it, then the next
#   cell. The notebook keeps score.
# - **Exercises** have one to three stars. Replace the dots and run the cell: it says what is right, or what is wrong
#   with it in words. Hint and solution are folded away below.
# - **Figures with controls** can be moved; what they show last stays in the saved notebook.
# - Every notebook ends with *Now break it*: change one thing, run again, explain. An `assert` in a cell says what
#   should hold. If you break something, one may stop you: read its last words, that is your result; delete the line
#   to go on.
# - The numbers you see come from the small model that ships with the workbench. Where they differ from the paper's,
#   the text says how to read that; a model is not a theorem.
#
# `make course` builds all of this, executed, as web pages.

# %% [markdown]
# ## Words that come up everywhere
#
# | word | meaning |
# |---|---|
# | control step | one command to the robot |
# | latent frame | a small tensor (channels, height, width) that stands for a picture, or carries numbers |
# | proprio | what the robot feels of itself: gripper, position, angles |
# | chunk | the actions of several control steps, decided at once |
# | noise level $\sigma$ | how much noise there is, in units of the data |
# | network call | one run of the big network; what a decision costs |
# | seed | what the noise is drawn from: another seed, another plan |
# | value | $\gamma^k$, with $k$ steps to success and the discount $\gamma$; 0 for failure. Not a probability |
# | candidate | one of the plans to choose from |
# | regret | what the best candidate was worth, less what the chosen one was |
