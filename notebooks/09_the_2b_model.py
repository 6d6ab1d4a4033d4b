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
# # 9 · The 2B model
#
# **Goal**: know what the published checkpoint sees, what it weighs and what a decision costs, before you fetch
# it.<br>
# **Minutes**: 30 to read and do; about one to run. **Needs**: the workbench; no GPU, no network, no weights: shapes
# are enough to count. With a GPU the times at the end are measured.
#
# [← 8 Rollouts and statistics](08_rollouts_and_statistics.ipynb) · [all notebooks](index.ipynb)

# %%
# Binder has the repository. On Colab clone it first and go to its notebooks folder (%cd); then this installs what is
# missing. Elsewhere it does nothing.
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("workbench") is None:
    wanted = ["--no-deps", "-r", "../constraints.txt", "-e", ".."]
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *wanted], check=True)
    sys.path.append("..")  # a kernel that runs already does not look for new packages elsewhere

# %%
import math

import numpy as np

from workbench import course, images, moments
from workbench.course import show
from workbench.platforms import PLATFORMS
from workbench.views.sequence import row_html

# %%
score = course.Score()
moment = moments.load(moments.available()[0]).plan.moment
camera = moment.observation.images["primary"]
sees = {
    f"{name}'s way": images.prepare(camera, size=spec.image_size, jpeg=spec.jpeg, center_crop=spec.center_crop)
    for name, spec in PLATFORMS.items()
}
show(row_html({"the camera's picture": camera, **sees}, width=170))

# %% [markdown]
# ## What it sees
#
# The same scene as the published checkpoints would be given it. All of them squash the picture to 224 x 224 and cut
# out the middle; LIBERO and RoboCasa send it through JPEG first, because their training pictures were stored so.
# Whoever leaves out a step shows the model a world that it has never seen.
#
# ### Exercise 1 · ★☆☆ · The side of the crop
#
# The crop at a query keeps 90 % of the *area* of a picture of 224 x 224, and decimals are cut off. How many pixels is
# its side? (`math` is imported.)

# %%
print(f"the root of 0.9 is {math.sqrt(0.9):.4f}")
answer = ...
course.check("side_of_the_crop", answer)

# %% [markdown]
# In training the crop was random, and so were rotation, brightness, contrast, saturation and hue, one draw for all
# pictures of a sample, present and future alike. That is what makes the middle crop the right thing at a query:

# %%
random, small = np.random.default_rng(1), images.resize(camera, 224)
drawn = {f"training draw {i}": images.Augmentation.draw(random)(small[None])[0] for i in range(1, 5)}
show(row_html(drawn, width=150))
assert all(picture.shape == (224, 224, 3) for picture in drawn.values())

# %% [markdown]
# ## What it weighs
#
# **Predict**: how many parameters has the network, in billions? (The name says "2B". To within 2 %.)

# %%
guess = None  # billions

# %%
from workbench.models import checkpoints

model = checkpoints.load("random:cosmos-2b", device="meta")  # shapes only: no weights, no memory
count = sum(p.numel() for p in model.denoiser.parameters())
tokenizer = sum(p.numel() for p in model.tokenizer.parameters())
print(f"denoiser {count:,} parameters, tokenizer {tokenizer:,}")
assert count == 1_956_413_440, "the published network, to the last parameter"
score.reveal("Parameters in billions:", guess, count / 1e9, within=0.02)

# %% [markdown]
# It is NVIDIA's video model Cosmos-Predict2 unchanged: 28 transformer blocks of width 2048, and **no** part for
# actions or values (paper, section 4.1). The small model that ships here is the same class with smaller numbers.
#
# ### Exercise 2 · ★☆☆ · Weights in memory
#
# How many gigabytes ($10^9$ bytes) do the denoiser's 1.956 billion parameters take in bfloat16?

# %%
answer = ...
course.check("weights_in_memory", answer)

# %% [markdown]
# ## What a call costs
#
# The transformer cuts each latent frame of 28 x 28 elements into patches of 2 x 2; every patch is a *token*, and
# every token looks at every other.
#
# ### Exercise 3 · ★★☆ · Tokens of a query
#
# How many tokens has a LIBERO query?

# %%
answer = ...
course.check("tokens_of_a_query", answer)

# %% [markdown]
# **Predict**: RoboCasa's query has eleven frames, LIBERO's nine. By what factor does a network call cost more (in
# operations)? To within 3 %.

# %%
guess = None  # a factor, such as 1.1

# %%
import torch
from torch.utils.flop_counter import FlopCounterMode


def operations(robot):
    """Floating-point operations of one network call of the policy, counted on shapes."""
    model = checkpoints.load(f"random:cosmos-2b@{robot}", device="meta")
    x = torch.zeros(1, *model.layout.shape, device="meta")
    known = torch.tensor(model.layout.known("policy"))[None]
    text = torch.zeros(1, 20, 1024, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.plain().denoiser(x, torch.tensor([80.0]), known=known, given=x, text=text)
    return counter.get_total_flops()


# %%
work = {robot: operations(robot) for robot in PLATFORMS}
for robot, count in work.items():
    print(f"{robot:9} {count / 1e12:5.2f} TFLOP a call, {PLATFORMS[robot].calls * count / 1e12:5.1f} a chunk")
assert 6e12 < work["libero"] < 9e12, "about 2 x 2 billion x 1764 tokens, and attention"
score.reveal("The factor is", guess, work["robocasa"] / work["libero"], within=0.03)

# %% [markdown]
# (TFLOP: $10^{12}$ operations. Most of it is matrix products, which grow with the number of tokens; attention grows
# with its square, but is a small part here.)
#
# ## What a decision costs
#
# ### Exercise 4 · ★★★ · Rounds of a decision
#
# Best of 8 as in the paper: 10 calls for the actions; futures of 1, 3 and 5 calls; for each future, values of 1, 2,
# 3, 4 and 5 calls. Everything that does not have to wait goes through the network *together*, as one batch. How many
# rounds (calls that follow one another) are left?

# %%
answer = ...
course.check("rounds_of_a_decision", answer)

# %%
from workbench.planning.settings import PlanSettings

settings = PlanSettings(candidates=8, calls=10)
print(f"{settings.network_calls} calls counted one by one, in {settings.rounds} rounds")
assert settings.rounds < settings.network_calls / 20

# %% [markdown]
# (The published program makes one call where two steps are asked for: 488 calls. Here two are two.)

# %% [markdown]
# ## Seconds
#
# Measured here if there is a GPU. If there is none, you see what **others have reported**, not what was measured
# here: the paper's times on one H100 for a chunk (with upstream's program), and upstream's README for memory. The
# paper's times are probably of RoboCasa's longer query, and include decoding pictures: ours should be lower.

# %%
import time

from workbench.policy import predict


def seconds(model, calls):
    """One chunk, asked for twice: the first time warms up."""
    for _ in range(2):
        begin = time.perf_counter()
        predict(model, moment.observation, model.text.names[0], calls=calls)
    return time.perf_counter() - begin


# %%
reported = {1: 0.16, 5: 0.61, 10: 0.95}  # network calls: seconds a chunk, paper, one H100
if torch.cuda.is_available():
    real = checkpoints.load("random:cosmos-2b")  # random weights take as long as trained ones
    for calls in reported:
        print(f"measured: {calls:2} calls {seconds(real, calls):.2f} s (the paper, H100: {reported[calls]} s)")
else:
    print(
        "reported, not measured:", ", ".join(f"{calls} calls {s} s" for calls, s in reported.items()), "(H100, paper)"
    )
    print("reported, not measured: 6.8 GB of GPU memory for LIBERO, 10.0 GB for planning on ALOHA (upstream's README)")

# %% [markdown]
# ## Fetch it
#
# ```
# workbench convert nvidia/Cosmos-Policy-LIBERO-Predict2-2B checkpoints/libero-2b
# workbench plan --checkpoint checkpoints/libero-2b --suite libero_spatial --task 0
# ```
#
# The first line needs a network once; the second runs what you have seen in notebook 5, with the same code. (Not
# yet run with the published files themselves: tests use upstream's recorded numbers, and random weights of the same
# names and shapes.) Notebook 4 asks it the five questions: make its line `CHECKPOINT, SUITE =
# "checkpoints/libero-2b", "libero_spatial"`, and its moments are made in LIBERO's simulator (with LIBERO's assets,
# as notebook 8 says). Elsewhere `checkpoints.load("mini")` may become `checkpoints.load("checkpoints/libero-2b")`;
# then a moment must come from LIBERO's own suites: its instruction and its cameras are what the model knows.

# %% [markdown]
# ## Now break it
#
# - Double the side of the pictures: `checkpoints.load(f"random:cosmos-2b@{robot}", device="meta").at(448)` in
#   `operations`. By what factor do the operations grow, and why by more than four? (The cell after it has an
#   `assert` that will stop you.)
# - Switch the shortcuts on: leave out `.plain()` in `operations`. Which work is saved, although the numbers stay the
#   same?
# - Ask with 8 rows instead of one. Eight times the operations: and eight times the seconds, on a GPU?

# %%
score

# %% [markdown]
# [← 8 Rollouts and statistics](08_rollouts_and_statistics.ipynb) · [all notebooks](index.ipynb)
