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
# # 6 · Train the mini model
#
# **Goal**: follow training from recorded episodes to a checkpoint: samples, noise levels, loss, and a network that
# begins to work.<br>
# **Minutes**: 45 to read and do; two to three to run. **Needs**: the workbench; no GPU, no network. With a simulator
# one demonstration is made live, and the trained model is let loose.
#
# [← 5 Best of N](05_best_of_n.ipynb) · [all notebooks](index.ipynb) ·
# [7 Learn from experience →](07_learn_from_experience.ipynb)

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
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from workbench import course, runtime, widgets
from workbench.course import show
from workbench.models import checkpoints
from workbench.planning import run

room, score = TemporaryDirectory(), course.Score()  # what is trained here is gone when the notebook is closed
shipped, here = checkpoints.load("mini"), Path(room.name)
spec, layout = shipped.spec, shipped.layout

# %%
from workbench.training.chain import demonstrations_and_rollouts

demos, rollouts = demonstrations_and_rollouts([runtime.assets() / "episodes"])
widgets.scrub_episode(demos[0], spec)

# %% [markdown]
# ## The data
#
# Above is a *demonstration*: pictures, proprio and actions of every control step of an episode that succeeded,
# recorded from a scripted expert. *Rollouts* are recorded in the same way while a policy acts, so that some of them
# fail. A handful of both ship with the workbench; the shipped model saw a hundred times as many. If this machine can
# simulate, here is one more demonstration, made now:

# %%
from contextlib import closing

problem = runtime.renderer_problem()
if problem is None:
    from workbench.collect import filmed, perform
    from workbench.envs.libero import make_env

    with closing(make_env("libero_mini", image_size=spec.render_size)) as env:
        fresh = filmed(env, perform(env, task=0, kind="expert", seed=7), address="made now")
    demos += [fresh] if fresh.success else []
for kind, episodes in {"demonstrations": demos, "rollouts": rollouts}.items():
    print(f"{len(episodes)} {kind}, {sum(map(len, episodes))} steps, {sum(e.success for e in episodes)} succeed")
print(problem or f"made now: {fresh.address}")

# %% [markdown]
# ## One step, one sample
#
# A training sample is one step of an episode: what is seen now, the *chunk* of actions that follows, what is seen
# when it is over, and what that is worth. Nobody labels anything; the recording is the teacher.

# %%
from workbench.data.samples import make_sample
from workbench.views.sequence import row_html

sample = make_sample(demos[0], 20, kind="policy", chunk_size=spec.chunk_size, gamma=spec.gamma)
camera = spec.primary
show(row_html({"now": sample.images[camera], "a chunk later": sample.future_images[camera]}))
print(f"{sample.instruction}: {sample.actions.shape} actions, value {sample.value:.3f}")
assert sample.actions.shape == (spec.chunk_size, spec.action_dim) and 0 <= sample.value <= 1

# %% [markdown]
# The value is $\gamma^k$, with $k$ steps from the *future* picture to success. In its latent frame it is stretched to
# $2 \gamma^k - 1$, as every number there lies in $[-1, 1]$.
#
# ### Exercise 1 · ★★★ · What the value is trained towards
#
# Write `answer(length, step, chunk, gamma)`: the number in the value frame, for a successful episode of `length`
# steps (numbered from 0; the last one is the success). Beyond the end, the future is the last step.

# %%
answer = ...  # def answer(length, step, chunk, gamma): ...
course.check("future_value", answer)

# %% [markdown]
# ## Three kinds of samples, one network
#
# What a sample teaches depends on which frames are given (the masks of notebook 4). Demonstrations are *policy*
# samples: given the present, say everything else. A rollout's step becomes, by the toss of a coin, a *world model*
# sample (given the actions too) or a *value* sample (given the future; here only that, in the published LIBERO model
# the present and the actions too): what a poor policy did is no example to follow, but its consequences are true
# (paper, section 4.2).

# %%
from workbench.views.sequence import masks_html

kinds = {"policy": "policy", "world model": "world_model", "value": "v"}
show(masks_html(layout, {name: layout.known(mode) for name, mode in kinds.items()}))

# %% [markdown]
# The published LIBERO model takes half of its samples from demonstrations, a quarter each for world model and value.
# The published planning model takes a tenth from demonstrations: its work is to imagine and to value.
#
# ### Exercise 2 · ★☆☆ · How many value samples?
#
# A tenth of the samples are demonstrations, the coin is fair. Which share of all samples are value samples?

# %%
answer = ...
course.check("value_share", answer)

# %% [markdown]
# Pictures are encoded once, before training (the *bank*), because the tokenizer does not change any more. `Batches`
# puts samples together: latents from the bank, numbers injected as in a query (notebook 2).

# %%
from workbench.training.bank import LatentBank
from workbench.training.batches import Batches
from workbench.training.denoiser import samples
from workbench.training.recipes import DenoiserRecipe

ITERATIONS, BATCH = 40, 8  # 40 take seconds. Raise it to 800: some minutes, and it starts to work
mix = {"policy": 0.6, "world_model": 0.25, "value": 0.15}  # more policy than published: there is little time
held_out, learnt = demos[1], [demos[0], *demos[2:]]
recipe = DenoiserRecipe(ITERATIONS, BATCH, learning_rate=1e-3, mix=mix)
bank = LatentBank(here / "bank", shipped.tokenizer, spec)
run(bank.fill([*demos, *rollouts]))

# %%
where = {"size": BATCH, "value_mode": "v", "start_share": 0.0, "seed": 0}  # start_share: samples moved to the start
parts = samples(learnt, rollouts, shipped, recipe)
batches = Batches(parts, bank, layout, shipped.stats, shipped.text, **where)
batch = batches.at(0)
print(f"an epoch has {len(parts)} items; a batch is {tuple(batch.x0.shape)}: samples, channels, frames, height, width")
print(batch.modes)
numbers = batch.x0[:, :, list(layout.indices("actions", "value"))]
assert batch.x0.shape == (BATCH, *layout.shape) and numbers.abs().max() < 1.5, "injected numbers are about 1"

# %% [markdown]
# ## How much noise?
#
# Every sample gets one noise level, for all of its frames. Seven times of ten $\ln \sigma$ is normal with mean
# $\ln 4$ and standard deviation 1.2; three times of ten $\sigma$ is even from 1 to 85. Then everything is multiplied
# by $\sqrt{T'}$, with $T'$ the number of latent frames (paper, appendix): a long sequence repeats itself, and takes
# more noise to hide.
#
# ### Exercise 3 · ★☆☆ · The middle noise level
#
# What is the median of the log-normal part, for the nine frames of LIBERO?

# %%
answer = ...
course.check("median_level", answer)

# %% [markdown]
# **Predict**: the sampler of the published model stops at $\sigma = 4$ (notebook 3). Which share of the training
# levels lies above that? (Right if you are off by less than 0.1.)

# %%
guess = None  # a share, such as 0.5

# %%
from workbench.views.plot import plot_html

drawn = recipe.sigmas.sample(20_000, len(layout), generator=torch.Generator().manual_seed(0)).numpy()
edges = np.geomspace(0.2, 400, 40)
middles = np.sqrt(edges[1:] * edges[:-1])
plain = replace(recipe.sigmas, uniform_share=0.0).sample(20_000, len(layout), generator=torch.Generator())
lines = {"hybrid, as trained": drawn, "log-normal part alone": plain.numpy()}
lines = {name: (middles, np.histogram(levels, edges)[0] / len(levels)) for name, levels in lines.items()}
show(plot_html(lines, x="noise level σ", y="share of the samples", log="x", marks={"sampler stops": 4}))
score.reveal("Above 4 lies a share of", guess, float((drawn > 4).mean()), about=0.1)

# %% [markdown]
# So the network hardly ever practises the low levels where pictures get their details, and nearly always those where
# only numbers can be read. That is on purpose: the policy has to be right in the first calls.
#
# ## The loss, by hand
#
# Add noise, denoise, compare. $D$ is the answer (notebook 3), and only frames that were asked for count:
#
# $$\mathrm{loss} = 10 \cdot \mathrm{mean}\left(w(\sigma)\,(D(x_0 + \sigma \varepsilon, \sigma) - x_0)^2\right)$$
#
# The weight $w$ makes it the error of the *velocity* $\varepsilon - x_0$, the thing that the network itself puts out.
# With $t = \sigma / (1 + \sigma)$:
#
# $$D - x_0 = -t\,(\mathrm{net} - (\varepsilon - x_0))$$

# %% [markdown]
# ### Exercise 4 · ★★☆ · The weight of an error
#
# Write `answer(sigma)`: the weight $w$ with which the squared error of $D$ becomes that of the velocity.

# %%
answer = ...  # def answer(sigma): ...
course.check("loss_weight", answer)

# %%
from workbench.training.losses import LossSettings, denoising_loss, frame_weights, known_frames

random = torch.Generator().manual_seed(0)
epsilon = torch.randn(batch.x0.shape, generator=random)
sigma = recipe.sigmas.sample(BATCH, len(layout), generator=random)
wide, known = sigma.view(-1, 1, 1, 1, 1), known_frames(layout, batch.modes)
scored = torch.tensor([layout.wanted(mode) for mode in batch.modes])
with torch.no_grad():
    text, x = shipped.text(batch.tokens), batch.x0 + wide * epsilon
    denoised = shipped.denoiser(x, sigma, known=known, given=batch.x0, text=text)
error = (denoised - batch.x0).square().mean((1, 3, 4))  # sample by frame
by_hand = 10 * (((1 + sigma) / sigma)[:, None] ** 2 * error * scored).mean()
print(f"by hand {by_hand:.4f}")

# %%
asked = {"modes": batch.modes, "layout": layout, "sigma": sigma, "noise": epsilon}
with torch.no_grad():
    total, frames = denoising_loss(shipped.denoiser, batch.x0, text, **asked, settings=LossSettings())
time = wide / (1 + wide)
velocity = ((1 - time) * x - denoised) / time  # what the network put out
apart = (velocity - (epsilon - batch.x0)).square().mean((1, 3, 4))
print(f"the library {total:.4f}, as velocities {10 * (apart * scored).mean():.4f}")
assert torch.allclose(by_hand, total, rtol=1e-4) and torch.allclose(10 * (apart * scored).mean(), total, rtol=1e-3)

# %% [markdown]
# The same number three times. Note the mean: it divides by *all* frames of all samples, given ones too.
#
# ### Exercise 5 · ★★☆ · One frame of nine
#
# Say every frame that counts has the same error. How much does a value sample weigh, compared with a policy sample
# (both with LIBERO's nine frames)?

# %%
answer = ...
course.check("weighs_less", answer)

# %% [markdown]
# ## Auxiliary targets
#
# A policy sample is scored on the future and the value too, although only its actions are executed. In the paper's
# ablation on LIBERO the success rate without these *auxiliary* targets is 97.0 % instead of 98.5 %. Which frames
# count is a setting; these are the weights of a policy sample's frames:

# %%
variants = {
    "as published": LossSettings(),
    "no auxiliary targets": LossSettings(auxiliary=False),
    "no joint value": LossSettings(joint_value=False),
    "actions six times": LossSettings(frame_weights={"actions": 6.0}),
}
for name, settings in variants.items():
    print(f"{name:22}", frame_weights(layout, "policy", settings))
assert sum(frame_weights(layout, "policy", variants["no auxiliary targets"])) == 1, "the actions' frame alone"

# %% [markdown]
# ## A network that knows nothing
#
# The same shape as the shipped network and its tokenizer, but fresh weights. To go on from the shipped weights
# instead, set `FRESH = False`: that is *fine-tuning*.

# %%
from diffusers import CosmosTransformer3DModel

from workbench.models.denoiser import Denoiser
from workbench.models.text import WordEmbedding

FRESH = True


# %%
def beginner(seed=0):
    """A bundle to train: the shipped tokenizer and statistics, and a network of the shipped shape."""
    torch.manual_seed(seed)
    net = CosmosTransformer3DModel.from_config(dict(shipped.denoiser.net.config))
    torch.nn.init.zeros_(net.proj_out.weight)  # the first answer is then (1 - t) x, and not nonsense
    positions, words = shipped.denoiser.text_positions, shipped.text
    text = WordEmbedding(words.vocabulary, words.words.embedding_dim, words.positions.num_embeddings)
    denoiser = Denoiser(net, shipped.denoiser.precondition, text_positions=positions)
    if not FRESH:
        denoiser.load_state_dict(shipped.denoiser.state_dict())
        text.load_state_dict(words.state_dict())
    return replace(shipped, name="mine", planner=None, denoiser=denoiser, text=text)


# %% [markdown]
# ## The loop
#
# The loop wants a function from an iteration's number to a loss, and nothing else. Batch, noise and level follow from
# that number, so that a run can be stopped and taken up again.

# %%
from torch import nn

from workbench.training import schedule
from workbench.training.denoiser import per_kind
from workbench.training.loop import LoopSettings, train
from workbench.training.precision import autocast
from workbench.training.workers import Team


# %%
def loss_of(modules, curve):
    def loss(iteration, generator, team):
        batch = batches.at(iteration)
        noise = torch.randn(batch.x0.shape, generator=generator)
        sigma = recipe.sigmas.sample(BATCH, len(layout), generator=generator)
        asked = {"modes": batch.modes, "layout": layout, "sigma": sigma, "noise": noise}
        with autocast():
            text = modules["text"](batch.tokens)
            total, frames = denoising_loss(modules["denoiser"], batch.x0, text, **asked, settings=recipe.loss)
        curve.append(per_kind(frames.detach(), shipped))
        return total, {}

    return loss


# %% [markdown]
# **Predict**: of `actions`, `future_proprio`, `future_camera` and `value`, which will have the lowest loss at the
# end? (At the beginning the loss is 1, for the noise, plus the mean square of the data: about 1 more for pictures,
# 0.2 to 0.3 for numbers.)

# %%
guess = None  # one of the four, in quotes


# %%
def modules_of(bundle):
    return nn.ModuleDict({"denoiser": bundle.denoiser, "text": bundle.text}).train()


steps = LoopSettings(
    iterations=ITERATIONS,
    learning_rate=recipe.learning_rate,
    rate=lambda i: schedule.cosine(i, total=ITERATIONS, warmup=ITERATIONS // 10),
    ema=1 - 4 / ITERATIONS,  # the averaged weights look back over a quarter of the run
)
mine, curve = beginner(), []
untouched = beginner()
average = run(train(modules_of(mine), loss_of(modules_of(mine), curve), out=here / "run", settings=steps, team=Team()))

# %%
lines, ends = {}, {}
for kind in ("actions", "future_proprio", "future_camera", "value"):
    points = [(i + 1, row[f"loss_{kind}"]) for i, row in enumerate(curve) if f"loss_{kind}" in row]
    lines[kind] = tuple(zip(*points, strict=True))
    ends[kind] = float(np.mean([loss for _, loss in points[-max(len(points) // 4, 1) :]]))
show(plot_html(lines, x="iteration", y="velocity error of the frames asked for", log="y"))
assert len(curve) == ITERATIONS and all(np.isfinite(end) for end in ends.values())
score.reveal("The lowest loss at the end has", guess, min(ends, key=ends.get))

# %% [markdown]
# A network that puts out nothing has a loss of 1 for the noise plus the mean square of the data: about 2 for
# pictures, about 1.2 for actions, proprio and value, whose numbers lie well inside -1 ... 1. The noise is the easy
# part, it can be seen in $x$; what falls after that is knowledge of the data.
#
# ## Does it work?
#
# Held-out numbers, from a demonstration that was not trained on: the mean error of normalised actions, and how near
# imagined pictures come to the true ones. The weights are the *averaged* ones (EMA).

# %%
from workbench.training.denoiser import with_weights
from workbench.training.measure import Measurement

mine = with_weights(mine, average)
measure = Measurement(shipped, batches, [held_out], [held_out])
found = {"untrained": untouched, f"after {ITERATIONS} iterations": mine, "shipped": shipped}
with torch.no_grad():
    found = {name: measure(modules_of(bundle)) for name, bundle in found.items()}
for name, row in found.items():
    print(f"{name:22} action L1 {row['action_l1']:.3f}, picture {row[f'future_psnr_{camera}']:.1f} dB")
print(f"{'copying the present':22} {'':15} picture {row[f'copy_psnr_{camera}']:.1f} dB")
assert all(0 < row["action_l1"] < 5 for row in found.values())

# %% [markdown]
# Forty iterations are a beginning: the loss falls, the plan is an average of all plans. The shipped model's row is
# where some thousand iterations on a hundred times the data lead. Look at what is imagined:

# %%
from workbench.policy import ask
from workbench.steps import encode
from workbench.types import Observation

at, future = 20, layout.index("future_camera", camera)
seen = Observation({name: np.asarray(images[at]) for name, images in held_out.images.items()}, held_out.proprio[at])
pictures = {"now": seen.images[camera]}
for name, bundle in {"untrained": untouched, "mine": mine, "shipped": shipped}.items():
    bundle.denoiser.eval(), bundle.text.eval()
    with torch.no_grad():
        said = ask(bundle, encode(bundle, seen, held_out.instruction), "policy", seed=0, calls=spec.calls)
    pictures[f"imagined: {name}"] = widgets.decoded(bundle, said)[future]
pictures["what came"] = np.asarray(held_out.images[camera][at + spec.chunk_size])
show(row_html(pictures, width=150))

# %% [markdown]
# ## Stop and go on
#
# A run that is stopped goes on from its last saved state with the same numbers it would have had. Four iterations in
# one go, and two, a stop, and the rest:


# %%
def few(folder, stop=None):
    modules = modules_of(beginner(seed=1))
    short = replace(steps, iterations=4, rate=lambda i: 1.0, save_every=2)
    work = train(modules, loss_of(modules, []), out=here / folder, settings=short, team=Team())
    for event in work:
        if event.iteration == stop:
            work.close()  # as Ctrl-C does
    return modules.state_dict()


whole, first_half, resumed = few("whole"), few("halves", stop=2), few("halves")
assert all(torch.equal(whole[name], resumed[name]) for name in whole), "the same to the last bit"
changed = sum(not torch.equal(whole[name], first_half[name]) for name in whole)
print(f"{changed} of {len(whole)} tensors changed after the stop, and ended as without one")

# %% [markdown]
# ## The checkpoint
#
# A checkpoint is a folder: weights, the statistics of the demonstrations, and a `config.json` that says what they
# belong to. No pickle. Loaded again, it answers with the same numbers.

# %%
from workbench.policy import predict

checkpoints.save(mine, here / "mine", readme="Trained in notebook 6.\n", dtype=torch.float32)
again = checkpoints.load(here / "mine")
before, after = (predict(bundle, seen, held_out.instruction, seed=0) for bundle in (mine, again))
print(*sorted(file.name for file in (here / "mine").iterdir()))
assert np.allclose(before.actions, after.actions, atol=1e-4) and abs(before.value - after.value) < 1e-4

# %% [markdown]
# (By default the weights are stored in bfloat16, half as large; then the third digit differs.)
#
# ## Let it loose
#
# One episode, if this machine can simulate. Expect nothing of forty iterations; look at *how* it fails.

# %%
if problem is None:
    from workbench.control import alone
    from workbench.envs.process import ProcessEnv
    from workbench.rollout import Start, run_episode

    with closing(ProcessEnv("libero_mini", image_size=spec.render_size)) as env:
        start = Start(task=0, init=0, seed=0)
        ended = run(run_episode(env, spec, alone(mine, calls=spec.calls), start, record=True))
print(problem or f"{ended.steps} steps, {'success' if ended.success else 'no success'}")

# %%
widgets.scrub_episode(ended.episode, spec) if problem is None else problem

# %% [markdown]
# ## The whole thing
#
# ```
# workbench collect --suite libero_mini --demos 240 --failures 80 --out data
# workbench collect --suite libero_mini_hard --demos 240 --failures 80 --out data
# workbench train --preset mini --data data --out run
# ```
#
# That trains the tokenizer, the policy and the planning model, one after another, with the same functions that you
# have used here. `--set policy.iterations=1500` changes a number of the recipe; `--resume` goes on.

# %% [markdown]
# ## Now break it
#
# - Leave out the factor: `recipe = replace(recipe, sigmas=replace(recipe.sigmas, scale_by_frames=False))`. Which
#   loss falls faster, and does the action error follow?
# - Train on actions alone: before *The loop* run `recipe = replace(recipe, loss=LossSettings(auxiliary=False))`. What
#   becomes of the imagined picture?
# - Set `FRESH = False` and train for 40 iterations on these few demonstrations. Is the shipped model better or worse
#   afterwards?

# %%
score

# %% [markdown]
# [← 5 Best of N](05_best_of_n.ipynb) · [all notebooks](index.ipynb) ·
# [7 Learn from experience →](07_learn_from_experience.ipynb)
