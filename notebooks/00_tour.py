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
# # 0 · The tour: the main job in 15 cells
#
# **Goal**: see all of it once. A *world-action model* proposes what a robot could do, imagines where each proposal
# leads, says what that is worth, and the best proposal is executed.<br>
# **Minutes**: 15 to read and do; about two to run. **Needs**: the workbench and the small model that ships with it;
# no GPU, no network. The second half executes plans in the LIBERO simulator; without a renderer (`workbench doctor`
# says) it shows what was recorded.
#
# [all notebooks](index.ipynb) · [1 The latent sequence →](01_latent_sequence.ipynb)

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
import mediapy
import numpy as np
from IPython.display import HTML, display

from workbench import course, moments, views
from workbench.models import checkpoints
from workbench.planning import run

score = course.Score()
policy, planner = checkpoints.load_pair("mini")
moment = moments.load(moments.available()[0]).plan.moment
print(moment.instruction)

# %% [markdown]
# ## 1. One imagined future
#
# The picture on the left is what the camera sees. The one on the right exists only in the model: what it expects
# to see when its next few actions (a *chunk*) have been carried out.

# %%
from workbench.policy import predict
from workbench.views.words import reading

now = views.observation_as_seen(moment.observation, policy.spec).images["primary"]
said = predict(policy, moment.observation, moment.instruction, seed=0, pictures=True)
mediapy.show_images({"now": now, "imagined": said.images["primary"]}, height=240)
print("value", reading(said.value, policy.spec.gamma))

# %% [markdown]
# ## 2. How it does that
#
# Everything is one "video" of nine latent frames. Some are pictures; actions, robot state and value are numbers
# written into frames of their own (*latent frame injection*; paper, section 4.1). Frames that are known stay; the
# others are denoised.
#
# A *latent frame* is a small tensor that stands for a picture, as an autoencoder makes it, or carries numbers. To
# *denoise* is to begin with random noise and let the network take it away, call by call; the *noise level* says how
# much is left.

# %%
from workbench.steps import decode, denoise, encode, extract

for index, (frame, known) in enumerate(zip(policy.layout.frames, policy.layout.known("policy"), strict=True)):
    print(f"frame {index}: {frame.name:15} {'known' if known else 'to be denoised'}")

# %% [markdown]
# Five network calls take the unknown frames from pure noise to a prediction. The noise comes from a seed: another
# seed is another plan.

# %%
from workbench.diffusion import noise
from workbench.diffusion.samplers import schedule

sigmas = schedule(5, bounds=policy.spec.sigmas)
latents = encode(policy, moment.observation, moment.instruction)
sample = denoise(policy.denoiser, latents, noise.draw([0], policy.layout), sigmas=sigmas)
said = extract(sample, policy.stats)
print("first action (motion, rotation, gripper; in the robot's units):", np.round(said.actions[0, 0], 2))
print("network sees noise levels", np.round(sigmas, 1))

# %% [markdown]
# ## 3. The same network, asked another question
#
# Mark the actions as known and it is a *world model*: what happens if the robot does this? Here: what if it did
# the opposite? (The workbench ships two checkpoints of one network: `policy` proposes; `planner`, trained further on
# rollouts, imagines and values.)

# %%
from workbench.steps import inject

opposite = said.actions.copy()
opposite[..., :3] *= -1
both = np.concatenate([said.actions, opposite])
asked = inject(sample.repeat(2), policy.stats, actions=both).ask("world_model")
futures = denoise(planner.denoiser, asked, noise.draw([0, 0], policy.layout), sigmas=sigmas)
seen = decode(policy.tokenizer, futures)["primary"]
mediapy.show_images({"its own actions": seen[0], "the opposite": seen[1]}, height=240)

# %% [markdown]
# Look closely, they differ little: a chunk moves the hand by about a centimetre. Section 4 has a button *what differs*.
#
# ### Exercise 1 · ★☆☆ · What a world model is given
#
# The list in section 2 says what the *policy* is given. Which frames are known when the same network is asked as a
# world model? Answer with a set of their numbers, such as `{1, 2}`.

# %%
answer = ...
course.check("given_to_the_world_model", answer)

# %% [markdown]
# ## 4. Eight plans, side by side
#
# Eight seeds, eight plans; three imagined futures each, five value samples a future. The one with the best value,
# put together from its samples, is chosen.
#
# **Predict**: eight plans are made now. Which number will the model choose?

# %%
chosen_guess = None  # one of 1 to 8

# %%
from workbench.planning.best_of_n import plan_events
from workbench.planning.settings import PlanSettings

plan = run(plan_events(policy, planner, moment, settings=PlanSettings(seed=0)))
seen = views.as_seen(plan, policy.spec)
display(HTML(views.fragment(views.cards_html(seen))), views.values_figure(plan))
score.reveal("It chose number", chosen_guess, plan.best + 1)

# %% [markdown]
# How sure is it? Every dot in the figure is one value sample.
#
# ### Exercise 2 · ★☆☆ · The choice, by hand
#
# The simplest rule takes the candidate with the highest *mean*. Write `answer(samples)` for a numpy array of value
# samples, a row a candidate: the index of the chosen one, counted from 0.

# %%
answer = ...  # def answer(samples): ...
course.check("choose_by_the_mean", answer)

# %% [markdown]
# ## 5. Was it right?
#
# **Predict**: which of the eight will really succeed? Numbers as on the cards.

# %%
guess = None  # a set of numbers, such as {1, 4}

# %% [markdown]
# A simulator can be rewound. Each of the eight is executed from the same moment, then the policy goes on alone, on
# the same luck for all. (This is the step that needs a renderer.)

# %%
from contextlib import closing

from workbench import runtime

problem = runtime.renderer_problem()
if problem is None:
    from workbench.envs.process import ProcessEnv
    from workbench.rollout import execute_candidates

    with closing(ProcessEnv(moment.address.split("/")[0], image_size=policy.spec.render_size)) as env:
        truth = run(execute_candidates(env, policy, plan, range(8), seed=0))
else:
    print("recorded, because", problem)
    truth = moments.load(moments.available()[0]).plan

# %%
display(HTML(views.fragment(views.cards_html(views.as_seen(truth, policy.spec)))))
score.reveal("These really succeed:", guess, {c.index + 1 for c in truth.candidates if c.outcome.success})

# %% [markdown]
# ### Exercise 3 · ★★☆ · Do the values know?
#
# Take every pair of a candidate that succeeds and one that fails. In which share of the pairs has the success the
# higher value? Write `answer(values, won)` for two numpy arrays, the second of `True` and `False`. (0.5 is a coin
# toss, 1 knows it all; it is called AUC.)

# %%
answer = ...  # def answer(values, won): ...
course.check("values_in_order", answer)

# %% [markdown]
# The imagined future of the chosen plan beside what really happened, with the error map, and how well you predicted:

# %%
display(HTML(views.fragment(views.truth_html(views.as_seen(truth, policy.spec), truth.best))), score)

# %% [markdown]
# ## Now break it
#
# Change one thing and run again: in section 4 `PlanSettings(seed=1)`, or `PlanSettings(seed=0, aggregation="lcb")`,
# which distrusts a plan whose value samples disagree; in section 1 the instruction, as in
# `predict(policy, moment.observation, "put the blue cube in the bin", pictures=True)`; or another moment from
# `moments.available()`. When does the choice change, and when is it wrong?
#
# What to do next: notebook 1 looks into the frames one by one; notebook 5 is about the choice.
#
# [all notebooks](index.ipynb) · [1 The latent sequence →](01_latent_sequence.ipynb)
