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
# # 1 · The latent sequence
#
# **Goal**: know what each frame of the model's "video" holds, for three robots, and how numbers get into a frame.<br>
# **Minutes**: 25 to read and do; about one to run. **Needs**: the workbench; no GPU, no network.
#
# [← 0 The tour](00_tour.ipynb) · [all notebooks](index.ipynb) · [2 Encode and inject →](02_encode_and_inject.ipynb)

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
from workbench import course, moments, widgets
from workbench.course import show
from workbench.models import checkpoints
from workbench.policy import ask
from workbench.steps import encode
from workbench.views.sequence import sequence_html

score = course.Score()
bundle = checkpoints.load("mini")
moment = moments.load(moments.available()[0]).plan.moment
present = encode(bundle, moment.observation, moment.instruction)
story = ask(bundle, present, "policy", seed=0, calls=bundle.spec.calls)
print(moment.instruction)
show(sequence_html(widgets.frame_cells(bundle, story, known=story.known[0].tolist())))

# %% [markdown]
# ## One moment, nine frames
#
# That is everything the model was told and everything it said about one moment, in one row. A video model knows only
# videos, so a robot's question is made into a very short one. The frames with a green edge were **known**; the others
# were **sampled**: the model made them up out of noise, all at once, so that they fit together.
#
# Pictures you recognise. The chequered frames are not pictures at all: they are numbers, written into a frame as if
# it were one (shown in false colours, and so is the blank frame, a black picture). The paper calls it *latent frame
# injection* (its section 4.1), and it is why the network needs no new layers: no action head, no value head,
# nothing.

# %% [markdown]
# ## Three robots
#
# A frame here is a *latent* frame: not pixels but a small tensor with channels, height and width, which the tokenizer
# (notebook 2) makes of a picture. Which frame holds what is the **layout**. It depends on the robot: its cameras, and
# nothing else, decide how many frames there are.

# %%
from workbench.platforms import PLATFORMS
from workbench.views.sequence import layouts_html

show(layouts_html({name: spec.layout() for name, spec in PLATFORMS.items()}))

# %% [markdown]
# Read a row from left to right: **now** (proprio is what the robot feels of itself: gripper, position, angles), then
# the **actions**, then what the world looks like **after** them, then how good that is. Cause before effect, as in a
# video.
#
# ### Exercise 1 · ★☆☆ · The imagined table
#
# In ALOHA's layout, what is the index of the frame that holds the *imagined* picture of the camera above the table
# (`primary`)? Count from 0.

# %%
answer = ...
course.check("imagined_table", answer)

# %% [markdown]
# No line of the library knows such an index: they ask the layout. A new robot is a new layout, and its cameras' order
# is the order of their frames.
#
# A *control step* is one command to the robot. A *chunk* is the actions of several control steps, decided at once:
# `chunk_size` of them, `action_dim` numbers each. The state is the proprio. Cameras are a tuple of names.
#
# ### Exercise 2 · ★☆☆ · A new robot
#
# Build the `LatentLayout` of a robot with two arms of 7 numbers each and the cameras `left_wrist`, `right_wrist`,
# `head` (in that order), which decides on 20 control steps at a time and whose state has 16 numbers.

# %%
from workbench.layout import LatentLayout

print("LatentLayout wants", ", ".join(list(LatentLayout.__dataclass_fields__)[:4]))
answer = ...
course.check("new_robot", answer)

# %% [markdown]
# ## A frame is a tensor
#
# Move the sliders: choose a frame, then a channel. A camera's frame has structure; a frame of numbers repeats itself,
# nearly: the model made these, and no copy is quite clean; the value's frame is nearly one number everywhere.

# %%
widgets.explore_strip(bundle, story)

# %%
c, t, h, w = bundle.layout.shape
assert story.x.shape == (1, c, t, h, w), "batch, channels, frames, height, width"
print(f"this model: {t} frames of {c} x {h} x {w} = {c * h * w} numbers each; the published one: 16 x 28 x 28 = 12544")

# %% [markdown]
# ## A picture becomes a tensor and comes back
#
# `encode` has made the camera's picture into a latent frame; the decoder makes a picture of it again. What got lost
# on the way is what the model cannot see.

# %%
import numpy as np

from workbench.views import observation_as_seen
from workbench.views.pictures import error_map, psnr
from workbench.views.sequence import false_colours, row_html

camera = bundle.spec.primary
index = bundle.layout.index("camera", camera)
seen = observation_as_seen(moment.observation, bundle.spec).images[camera]
latent = story.x[0, :, index].numpy()
back = widgets.decoded(bundle, story)[index]
pictures = {"what the camera sees": seen, f"latent frame {index}": false_colours(latent), "decoded again": back}
show(row_html({**pictures, "lost": error_map(back, seen)}, width=170))
assert latent.size == np.prod(bundle.layout.shape) / len(bundle.layout)
print(f"{seen.size} numbers became {latent.size}; what came back is {psnr(back, seen):.1f} dB from the original")

# %% [markdown]
# (*dB*: the higher the closer; 20 is rough, 30 is good, 40 you would not notice. Latent frames are shown in false
# colours: three of their channels as red, green and blue.)
#
# ## A vector becomes a tensor and comes back
#
# Before you read on, **predict**: LIBERO's chunk is 16 actions of 7 numbers, and the published model's frame has
# 12544 numbers. How many times is the chunk written into its frame?

# %%
guess = None  # your prediction, a number

# %%
layout = PLATFORMS["libero"].layout()
elements = layout.channels * layout.height * layout.width
numbers = layout.chunk_size * layout.action_dim
score.reveal("The copies of the chunk in its frame:", guess, elements // numbers, within=0.1)

# %% [markdown]
# The rule (paper, section 4.1): flatten the vector, repeat it until the frame is full, cut off the rest. With $n$
# numbers $v_0 \dots v_{n-1}$ in a frame $z$ of $C$ channels, height $H$ and width $W$:
#
# $$z[c, y, x] = v_{(c\,H\,W + y\,W + x) \bmod n}$$
#
# `steps.inject.tile` is that formula, and `read` its inverse.

# %%
import torch

from workbench.steps.inject import read, tile

state = torch.linspace(-1, 1, bundle.layout.proprio_dim)[None]
frame = tile(state, bundle.layout)
show(row_html({f"{state.shape[1]} numbers in a frame": false_colours(frame[0].numpy(), scale=1)}))
c, y, x = 1, 2, 3
assert frame[0, c, y, x] == state[0, (c * h * w + y * w + x) % state.shape[1]]

# %% [markdown]
# ### Exercise 3 · ★★☆ · Complete copies
#
# ALOHA's chunk is 50 actions of 14 numbers; a frame has 16 x 28 x 28 numbers. How many *complete* copies fit in?

# %%
answer = ...
course.check("complete_copies", answer)

# %% [markdown]
# ### Exercise 4 · ★★☆ · Fill a frame
#
# Write `answer(vector, shape)`: a numpy array of that shape, filled with copies of the vector, the last one cut off.

# %%
answer = ...  # def answer(vector, shape): ...
course.check("tile", answer)

# %% [markdown]
# ### Exercise 5 · ★★★ · Read it back
#
# Write `answer(frame, n)`: the vector of `n` numbers that is written into `frame`. The frame comes out of a
# generative model, so no copy is quite clean: average all complete ones, and leave out the cut-off one.

# %%
answer = ...  # def answer(frame, n): ...
course.check("read_back", answer)

# %% [markdown]
# ## What the copies are for
#
# **Predict**: somebody adds noise as large as the numbers themselves (standard deviation 1) to every element of the
# action frame. How large is the error of what is read, about? (This model decides on 8 actions of 7 numbers at a
# time; the size of its frames is printed above. Independent noise: averaging $m$ copies divides it by $\sqrt{m}$.)

# %%
guess = None  # your prediction for this model, a number such as 0.3

# %%
from dataclasses import replace

chunk = torch.rand(1, bundle.layout.chunk_size * bundle.layout.action_dim) * 2 - 1
noisy = story.x.clone()
noisy[:, :, bundle.layout.index("actions")] = tile(chunk, bundle.layout) + torch.randn(1, *frame.shape[1:])
error = float((read(replace(story, x=noisy), "actions", chunk.shape[1]) - chunk).std())
copies = frame[0].numel() // chunk.shape[1]
assert abs(error * copies**0.5 - 1) < 0.4, "averaging m copies divides the noise by the root of m"
score.reveal(f"With {copies} copies the error is", guess, error, within=0.3)

# %% [markdown]
# So copies protect a number: 20 of them leave 0.22 of a noise of 1, the published 112 leave 0.09. Keep that in mind
# for notebook 3, where noise is all there is.
#
# ## Now break it
#
# Change one thing, run the notebook again, and explain what you see:
#
# - swap two cameras: `observation = replace(moment.observation, images={"wrist": ..., "primary": ...})`, then
#   `encode`;
# - ask with the instruction of another task: `encode(bundle, moment.observation, "put the blue cube on the plate")`;
# - in `noisy`, overwrite half of the channels with zeros instead of adding noise: what does `read` say now, and why
#   is that worse than noise?

# %%
score

# %% [markdown]
# [← 0 The tour](00_tour.ipynb) · [all notebooks](index.ipynb) · [2 Encode and inject →](02_encode_and_inject.ipynb)
