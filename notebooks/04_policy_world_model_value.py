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
# # 4 · Policy, world model, value
#
# **Goal**: ask one network five different questions by saying which frames are known, and judge the answers.<br>
# **Minutes**: 40 to read and do; about two to run. **Needs**: the workbench; no GPU, no network.
#
# [← 3 Denoise](03_denoise.ipynb) · [all notebooks](index.ipynb) · [5 Best of N →](05_best_of_n.ipynb)

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
CHECKPOINT, SUITE = "mini", None  # another model: its name or folder, and a suite of its robot, such as "aloha_sim"

import math

import numpy as np

from workbench import course, opening, widgets
from workbench.course import show
from workbench.diffusion import noise
from workbench.diffusion.samplers import schedule
from workbench.models import checkpoints
from workbench.policy import predict
from workbench.steps import decode, denoise, encode, extract, inject
from workbench.views import observation_as_seen
from workbench.views.sequence import masks_html, row_html

# %%
score = course.Score()
policy, planner = checkpoints.load_pair(CHECKPOINT)  # one proposes, the other imagines and values
records = [one.plan for one in course.watch(opening.recorded(CHECKPOINT, suite=SUITE)).values()]
plan, spec, layout = records[0], planner.spec, planner.layout
moment = plan.moment
sigmas = schedule(spec.calls, bounds=spec.sigmas)


def ask(latents, mode):
    """A question about every row of `latents`: what `mode` does not know is sampled, all rows from seed 0."""
    start = noise.draw([0] * len(latents), layout)
    return denoise(planner.denoiser, latents.ask(mode), start, sigmas=sigmas)


# %%
present = encode(planner, moment.observation, moment.instruction)
own = predict(policy, moment.observation, moment.instruction, seed=0).actions
still = moment.observation.proprio if spec.absolute else 0.0  # LIBERO's actions are motions, ALOHA's are places
opposite = np.where(["gripper" in name for name in spec.action_names], own, 2 * still - own)
both = np.stack([own, opposite])
futures = ask(inject(present.repeat(2), planner.stats, actions=both), "world_model")
now = observation_as_seen(moment.observation, spec).images[spec.primary]
seen = decode(planner.tokenizer, futures)[spec.primary]
show(row_html({"now": now, "imagined: its own plan": seen[0], "imagined: the opposite": seen[1]}, width=210))

# %% [markdown]
# ## The same network, two questions
#
# First it was asked "what would you do?", then "what would happen if the robot did *this*?", with its own plan and
# with the opposite (every motion turned round, the gripper as planned). The second and third picture exist only in
# the model. No other head was used, no layer is different: the actions' frame was marked as **known**, that is all.
# (The workbench ships two checkpoints of the same network: one that proposes, and one trained further on rollouts,
# the *planner*, that imagines and values, as in the paper.)
#
# ## Five masks
#
# A question is a mask: which frames are given, which are asked for (paper, section 4.2). $s$ is the present state,
# $a$ the actions, $s'$ the state after them, $V$ its value; $p(\cdot \mid \cdot)$ reads "how likely, given".

# %%
from workbench.layout import MODES

show(masks_html(layout, {text: layout.known(mode) for mode, text in MODES.items()}))

# %% [markdown]
# Training mixes three of these questions: the policy (demonstrations), the world model and *one* form of the value
# (recorded rollouts, also failed ones). The published LIBERO model takes half, a quarter and a quarter, with
# $V(s, a, s')$; the planning models, also the one here, $V(s')$. $Q(s, a)$ has the world model's mask, so the planner
# here has learnt it too. One set of weights learns all of them.
#
# ### Exercise 1 · ★☆☆ · The mask of V(s')
#
# Without looking up: write the mask of $V(s')$ for LIBERO's nine frames, as a list of nine `True` (known) and
# `False`.

# %%
answer = ...
course.check("mask_of_the_value", answer)

# %% [markdown]
# ## What is not known is noise
#
# A frame that is not known is not left out: it is sampled along, from noise. Whatever was in it before has no
# influence.
#
# **Predict**: we ask for $V(s')$ twice with the same noise; the second time everything of the *present* (proprio and
# pictures) is overwritten with -1. Does the value change?

# %%
guess = None  # "yes" or "no"

# %%
from dataclasses import replace

future = futures.row(0)
x = future.x.clone()
x[:, :, list(layout.current)] = -1.0
values = [float(extract(ask(one, "v"), planner.stats).value[0]) for one in (future, replace(future, x=x))]
assert values[0] == values[1], "V(s') cannot see the present: not to the last bit"
print("V(s') with the present:", values[0], " overwritten:", values[1])
score.reveal("Does the value change?", guess, "no")

# %% [markdown]
# ## Imagined beside real
#
# The moments that ship with the workbench were recorded with the truth: every candidate's actions were carried out in
# the simulator. So we can ask the world model about the *same* actions and compare with what the camera really saw.
# The honest opponent is a world model that says "nothing will move": the present picture.
#
# **Predict**: over the eight candidates, which is closer to the real picture on average: `"imagined"` or `"copy"`?

# %%
guess = None  # "imagined" or "copy"

# %%
from workbench.views.pictures import error_map, psnr

actions = np.stack([c.actions for c in plan.candidates])
told = inject(present.repeat(len(actions)), planner.stats, actions=actions)
imagined = decode(planner.tokenizer, ask(told, "world_model"))[spec.primary]
real = [observation_as_seen(c.outcome.after_chunk, spec).images[spec.primary] for c in plan.candidates]
pair = {"now": now, "imagined": imagined[0], "real": real[0], "error": error_map(imagined[0], real[0])}
show(row_html(pair, width=170))

# %%
quality = {
    "imagined": float(np.mean([psnr(a, b) for a, b in zip(imagined, real, strict=True)])),
    "copy": float(np.mean([psnr(now, b) for b in real])),
}
print(f"imagined {quality['imagined']:.1f} dB, copying the present {quality['copy']:.1f} dB (higher is closer)")
score.reveal("Closer to the truth:", guess, max(quality, key=quality.get))

# %% [markdown]
# One moment is one moment. If copying wins, it may be that little moves, or that the model blurs what it is unsure
# of; the error map says which. The figures over many episodes are in the README.
#
# ## What a value means
#
# $V$ predicts $\gamma^k$: the discount $\gamma$ to the power of the steps to success, and 0 for failure. It is
# **not** a probability. 0.5 may mean "surely, in $\log 0.5 / \log\gamma$ steps" or "in few steps, every second time".
#
# ### Exercise 2 · ★★☆ · How far is success?
#
# Write `answer(value, gamma)`: the steps to success, if it comes. (`math.log` is imported.)

# %%
half = math.log(0.5) / math.log(planner.spec.gamma)
print(f"at this model's discount of {planner.spec.gamma}, a value of 0.5 is {half:.0f} steps")
answer = ...  # def answer(value, gamma): ...
course.check("steps_from_value", answer)

# %% [markdown]
# The *worth* of a recorded outcome is $\gamma^n$ with $n$ counted from the moment of the decision. The value is asked
# one chunk later. So a perfect value is not equal to the worth:
#
# ### Exercise 3 · ★★★ · What a perfect value would say
#
# Write `answer(worth, gamma, chunk_size)`: what a perfect value function says at the end of the chunk. Mind success
# within the chunk.

# %%
answer = ...  # def answer(worth, gamma, chunk_size): ...
course.check("perfect_value", answer)

# %% [markdown]
# ## V(s') against Q(s, a)
#
# One may value the imagined future, $V(s')$, or the actions directly, $Q(s, a)$, which imagines nothing and saves the
# calls for it. In the paper's experiments on a real robot planning with $V(s')$ gains more. We ask both about all
# candidates of all shipped moments, and compare with what came true.
#
# **Predict**: whose mean absolute error is smaller: `"V"` or `"Q"`?

# %%
guess = None  # "V" or "Q"


# %%
def q_values(record):
    """Q(s, a) of every candidate: the actions given, only the value asked for, one sample each."""
    here = encode(planner, record.moment.observation, record.moment.instruction, decodable=False)
    told = inject(
        here.repeat(len(record.candidates)), planner.stats, actions=np.stack([c.actions for c in record.candidates])
    )
    return extract(ask(told, "q"), planner.stats).value.tolist()


# %%
perfect = [min(c.outcome.worth / r.gamma ** len(c.actions), 1.0) for r in records for c in r.candidates]
said = {"V": [c.value for r in records for c in r.candidates], "Q": [q for r in records for q in q_values(r)]}
assert all(0 <= value <= 1 for values in said.values() for value in values), "values are in 0 ... 1"

# %%
from workbench.statistics import auc
from workbench.views.plot import plot_html

dots = {f"{name} of a candidate": (perfect, values) for name, values in said.items()}
show(plot_html(dots, x="what came true, from the chunk's end", y="what it said", dots=True))
errors = {name: float(np.abs(np.subtract(values, perfect)).mean()) for name, values in said.items()}
succeeded = np.array([c.outcome.success for r in records for c in r.candidates])
places = np.repeat(range(len(records)), [len(r.candidates) for r in records])
for name, values in said.items():
    won = auc(values, succeeded, strata=places)
    better = "no moment has both" if won is None else f"{won:.2f}"
    print(f"{name}: mean error {errors[name]:.2f}; ranks a success above a failure of the same moment: {better}")
score.reveal("Smaller error:", guess, min(errors, key=errors.get))

# %% [markdown]
# The second number is the one that planning needs: does a candidate that succeeds get a higher value than one *of
# the same moment* that fails? 0.5 is a coin toss. (V is the majority mean of fifteen samples, notebook 5, and Q is
# one sample: mostly in V's favour, but where few samples see success it says 0; and these moments were picked
# because candidates end differently, so do not take them for an average.) If your model's answer differs from the
# paper's, you have found something that depends on data and size.
#
# ## A sixth question
#
# Nobody trained this one, but it can be asked: *which actions lead from here to there?*
#
# ### Exercise 4 · ★★☆ · A sixth question
#
# Write its mask for LIBERO's nine frames. The value of the future is not given.

# %%
answer = ...
course.check("sixth_question", answer)

# %%
import torch

from workbench.course.policy_world_model_value import inverse

asked = replace(future, known=torch.tensor(inverse(layout))[None])
said = denoise(planner.denoiser, asked, noise.draw([0], layout), sigmas=sigmas)
guessed = extract(said, planner.stats).actions[0]
for name, actions in {"the plan behind this future": own, "its opposite": opposite}.items():
    off = np.sqrt(np.mean((guessed - actions) ** 2))
    print(f"root mean square of the guessed actions less {name}: {off:.3f}")
assert guessed.shape == own.shape

# %% [markdown]
# (In the robot's own units; LIBERO's actions go from -1 to 1.) If the guess is not nearer to the plan than to its
# opposite, it has not read the motion out of the two states. Was it trained for this? No: every mask it has seen in
# training is in the table above. That it answers at all, and how well, is up to what the other questions have taught
# it. (The published model was not trained on it either.)
#
# ## Now break it
#
# Choose yourself what is known (hold Ctrl to choose several). Everything else is dreamt up to fit. The value frame
# holds 1 here, a success, until you let it be dreamt up:

# %%
widgets.edit_mask(planner, inject(future, planner.stats, value=np.array([1.0])))

# %% [markdown]
# And push the plan aside. At which push does the imagined picture stop being plausible? What does the value say then?

# %%
widgets.edit_actions(policy, planner, moment)

# %% [markdown]
# - Mark only the blank frame and the value as known: what does the model think a good end looks like?
# - Let the *policy* checkpoint imagine: use `policy.denoiser` in `ask`, and `encode(policy, ...)`. What did the
#   planner learn from failed rollouts that the policy has not seen?
# - Push all three axes to the end (ten centimetres at most). Does the value notice?
# - Ask another robot: name a checkpoint for the two arms of ALOHA (`workbench train --preset mini-aloha` makes one)
#   in the line `CHECKPOINT, SUITE = ...` near the top, with the suite `"aloha_sim"`, and run everything again. Its
#   moments are made in the simulator then, minutes once. Which of the answers above were about LIBERO's arm only?

# %%
score

# %% [markdown]
# [← 3 Denoise](03_denoise.ipynb) · [all notebooks](index.ipynb) · [5 Best of N →](05_best_of_n.ipynb)
