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
# # 2 · Encode and inject
#
# **Goal**: follow a picture and a handful of numbers into the latent sequence, and know what survives.<br>
# **Minutes**: 30 to read and do; about one to run. **Needs**: the workbench; no GPU, no network.
#
# [← 1 The latent sequence](01_latent_sequence.ipynb) · [all notebooks](index.ipynb) · [3 Denoise →](03_denoise.ipynb)

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
from workbench import course, images, moments, widgets
from workbench.course import show
from workbench.models import checkpoints
from workbench.steps import encode
from workbench.views import observation_as_seen
from workbench.views.sequence import false_colours, row_html

bundle = checkpoints.load("mini")
moment = moments.load(moments.available()[0]).plan.moment
spec, layout = bundle.spec, bundle.layout
rendered = moment.observation.images[spec.primary]
prepared = observation_as_seen(moment.observation, spec).images[spec.primary]
present = encode(bundle, moment.observation, moment.instruction)

# %%
index = layout.index("camera", spec.primary)
back = widgets.decoded(bundle, present)[index]
latent = false_colours(present.x[0, :, index].numpy())
score = course.Score()
show(row_html({"camera": rendered, "prepared": prepared, "latent": latent, "decoded": back}, width=170))

# %% [markdown]
# ## The way of a picture
#
# From left to right: what the camera delivers, what the model is given of it, the latent frame, and what can be made
# of that again. All that the model gets from this camera is in the third frame (shown are three
# of its channels).
#
# ### Step one: prepare
#
# A model sees the world well only if it looks as in training. The published LIBERO model was trained on pictures
# that had been stored as JPEG, squashed to 224 x 224, and cropped at random; so a query goes through JPEG, is
# resized, and the middle 90 % of the area is cut out. What a robot needs is data in its `PlatformSpec`.

# %%
published = {"size": 224, "jpeg": True, "center_crop": True}
ways = {
    "this model's way": prepared,
    "the published way": images.prepare(rendered, **published),
    "without the crop": images.prepare(rendered, **{**published, "center_crop": False}),
    "upside down": images.prepare(rendered[::-1].copy(), **published),
}
show(row_html(ways, width=170))

# %% [markdown]
# The last one is no joke: simulators deliver pictures upside down, and whoever forgets to turn them gets a policy
# that fails without an error message. Here every `Observation` is upright by agreement.
#
# ### Step two: encode
#
# The tokenizer is a *causal video* autoencoder. Its first latent frame stands for one picture, each further one for
# four; a sequence of $T'$ latent frames therefore is a video of
#
# $$T = 1 + 4\,(T' - 1)$$
#
# pictures. A camera's picture is simply shown four times, and a frame that will hold numbers starts as four black
# pictures (paper, section 4.1).

# %% [markdown]
# ### Exercise 1 · ★☆☆ · Pictures of a video
#
# RoboCasa and ALOHA have 11 latent frames. How many pictures does the published tokenizer see?

# %%
answer = ...
course.check("pictures_of_a_video", answer)

# %% [markdown]
# *Causal* means: a latent frame depends on the pictures before it, never on those after it.
#
# ### Exercise 2 · ★★☆ · Who changes?
#
# LIBERO's nine frames go through the published tokenizer. Now the picture of frame 3 is exchanged. Which latent
# frames change? Answer with a set of numbers, such as `{1, 2}`.

# %%
answer = ...
course.check("who_changes", answer)

# %% [markdown]
# Let us look. The shipped small model has a tokenizer that takes every frame by itself, which is easier to train. To
# see the published behaviour we build a causal one with random weights: who depends on whom needs no training.

# %%
import torch

from workbench.models.bundle import tiny
from workbench.platforms import PLATFORMS

causal = tiny(PLATFORMS["libero"], causal=True).plain().tokenizer  # plain: nothing remembered, nothing skipped
pictures = [torch.rand(1, 3, 64, 64) * 2 - 1 for _ in range(9)]
changed = [*pictures[:3], -pictures[3], *pictures[4:]]
one, other = (causal.encode(video, size=64) for video in (pictures, changed))
different = {t for t in range(9) if not torch.equal(one[:, :, t], other[:, :, t])}
print("causal: these latent frames changed:", different)
assert different == set(range(3, 9)), "nothing before the change, everything from it on"
print("the shipped tokenizer is", "causal" if bundle.tokenizer.causal else "not causal: only frame 3 would change")

# %% [markdown]
# Causality is useful: the frames after the last camera are not needed to encode the ones before it, so a query
# encodes less than half of the video, with exactly the same result.
#
# ## The way of a number
#
# ### Step three: normalise
#
# Metres, radians and gripper widths are of very different size; a latent's numbers are about 1. So every dimension is
# mapped to -1 ... 1 with the minimum and maximum of the *training demonstrations*:
#
# $$x' = 2\,\frac{x - x_{\min}}{x_{\max} - x_{\min}} - 1$$
#
# The statistics belong to the checkpoint. Never take those of the data at hand: the same number would then mean
# another place.

# %% [markdown]
# ### Exercise 3 · ★☆☆ · From metres to -1 ... 1
#
# Write `answer(x, low, high)` that does it for a numpy array whose last axis are the dimensions. Nothing is clipped.

# %%
answer = ...  # def answer(x, low, high): ...
course.check("normalise", answer)

# %%
import numpy as np

from workbench.normalize import normalize_proprio

proprio = moment.observation.proprio
names = [f"gripper {i}" for i in (1, 2)] + list("xyz") + [f"quaternion {i}" for i in range(1, 5)]
for name, raw, small in zip(names, proprio, normalize_proprio(proprio, bundle.stats), strict=False):
    print(f"{name:13} {raw:8.4f}  ->  {small:6.2f}")
low, high = bundle.stats.proprio_min, bundle.stats.proprio_max
assert np.allclose(normalize_proprio(low, bundle.stats)[low < high], -1)

# %% [markdown]
# ### Step four: inject, and read again
#
# The normalised vector fills its frame with copies (notebook 1); reading averages them. `inject` and `extract` are
# the only two functions in which units change: before the one and after the other everything is in metres, radians
# and whatever else the robot uses.
#
# **Predict**: which of the three is hurt *most* by the same noise on its frame: `"proprio"`, `"actions"` or
# `"value"`?

# %%
guess = None  # "proprio", "actions" or "value"

# %%
from workbench.steps import extract, inject
from workbench.views.plot import plot_html

sizes = {"proprio": layout.proprio_dim, "actions": layout.chunk_size * layout.action_dim, "value": 1}
elements = layout.channels * layout.height * layout.width
levels = np.geomspace(0.01, 10, 12)
random, lines = np.random.default_rng(0), {}
for name, n in sizes.items():
    copies = elements // n
    errors = [(sigma * random.standard_normal((100, copies, n))).mean(1).std() for sigma in levels]
    lines[f"{name}: {copies} copies"] = levels, errors
    assert np.allclose(errors, levels / copies**0.5, rtol=0.3), "noise / root of the number of copies"
show(plot_html(lines, x="noise on the frame", y="error of the number that is read (in units of -1 ... 1)", log="xy"))
score.reveal("Hurt most is what has the fewest copies:", guess, "actions")

# %% [markdown]
# The error is the noise divided by the root of the number of copies: straight lines, one below the other. The
# published model's frames are larger (12544 numbers), its copies more, its numbers safer still.
#
# ### What precision survives
#
# The published model computes in *bfloat16*, a 16-bit number with 8 significant bits, and everything that is injected
# is rounded to it, in training and at the query.
#
# ### Exercise 4 · ★★★ · What rounding costs
#
# A position spans 400 mm in the demonstrations, mapped to -1 ... 1. Between 0.5 and 1 neighbouring bfloat16 numbers
# are 1/256 apart. By how many **millimetres** can rounding move the position there, at most?

# %%
answer = ...
course.check("what_rounding_costs", answer)

# %%
low, high = bundle.stats.proprio_min, bundle.stats.proprio_max
places = np.random.default_rng(0).uniform(low, high, (512, len(low)))
told = present.repeat(len(places))


def moved(rounding):
    """Millimetres by which rounding moves each position, through the frame and back."""
    read_back = extract(inject(told, bundle.stats, future_proprio=places, rounding=rounding), bundle.stats)
    return 1000 * abs(read_back.future_proprio - places)[:, 2:5]


print(f"rounded to bfloat16: at most {moved(torch.bfloat16).max():.2f} mm; in float32: {moved(None).max():.6f} mm")
assert moved(None).max() < 0.01 < moved(torch.bfloat16).max() < 5

# %% [markdown]
# Fractions of a millimetre, where objects are centimetres large. Precision is not the bottleneck here.
#
# ## What the value frame says
#
# In training, the value of a state is the *discounted return*: $\gamma^{k}$ if the episode succeeds $k$ steps later
# ($\gamma$, the discount, is a little below 1), and 0 if it fails. It is asked about the state **after** the chunk.
# In the latent it becomes $2V - 1$.
#
# ### Exercise 5 · ★★☆ · What the value should say
#
# An episode of 60 steps (0 to 59) succeeds at its last step. $\gamma = 0.98$, chunks have 8 steps. A decision is made
# at step 20. What should its value frame say, as a value in 0 ... 1?

# %%
answer = ...
course.check("value_target", answer)

# %% [markdown]
# ## Now break it
#
# The picture upside down, as a simulator delivers it. **Predict**: by how many millimetres does the end of the
# planned path move? (This chunk moves the hand about one centimetre.)

# %%
guess = None  # millimetres

# %%
from dataclasses import replace

from workbench.policy import predict

flipped = {camera: image[::-1].copy() for camera, image in moment.observation.images.items()}
wrong = replace(moment.observation, images=flipped)
upright, turned = (predict(bundle, seen, moment.instruction, seed=0) for seen in (moment.observation, wrong))
ends = [spec.path(said.actions, proprio)[-1] for said in (upright, turned)]
off = 1000 * float(np.linalg.norm(ends[0] - ends[1]))
print(f"value upright {upright.value:.2f}, upside down {turned.value:.2f}: no error message anywhere")
score.reveal("The end of the path moved by (mm)", guess, off, within=0.5)

# %% [markdown]
# More to break, each with one line:
#
# - inject with wrong statistics: `replace(bundle.stats, proprio_max=bundle.stats.proprio_max * 2)`;
# - make JPEG worse before the query: `images.jpeg_round_trip(rendered, quality=5)`. At which quality does the plan
#   move by a centimetre?
# - put the proprio of another moment into this one's picture: whom does the model believe?

# %%
score

# %% [markdown]
# [← 1 The latent sequence](01_latent_sequence.ipynb) · [all notebooks](index.ipynb) · [3 Denoise →](03_denoise.ipynb)
