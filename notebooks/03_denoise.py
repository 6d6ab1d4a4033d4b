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
# # 3 · Denoise
#
# **Goal**: understand how noise becomes a plan: preconditioning, noise levels, samplers, and what a call buys.<br>
# **Minutes**: 40 to read and do; about two to run. **Needs**: the workbench; no GPU, no network.
#
# [← 2 Encode and inject](02_encode_and_inject.ipynb) · [all notebooks](index.ipynb) ·
# [4 Policy, world model, value →](04_policy_world_model_value.ipynb)

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
from workbench import course, moments
from workbench.course import show
from workbench.denoising import Question, denoise_events
from workbench.models import checkpoints
from workbench.planning import run
from workbench.views import denoise_html, denoising_as_seen

bundle = checkpoints.load("mini")
moment = moments.load(moments.available()[0]).plan.moment
score = course.Score()


def watch(**question):
    """One question to the model, every network call kept."""
    return run(denoise_events(bundle, moment.observation, moment.instruction, question=Question(**question)))


# %%
seen = watch(calls=8, seeds=range(8))
show(denoise_html(denoising_as_seen(seen, bundle.spec), bundle.spec.action_names))

# %% [markdown]
# ## From noise to a plan
#
# Move the slider: it goes from network call to network call. In the upper row is what the network *sees*, below it
# what it *says* is behind the noise. The known frames never change. On the right are the plans of eight **seeds**,
# that is, of eight different noises to begin with: first they agree on a vague average, then they part.
#
# ## What noise does
#
# A noisy sample is the data $x_0$ plus noise $\varepsilon$ (normal, of size 1), scaled by the **noise level**
# $\sigma$:
#
# $$x = x_0 + \sigma\,\varepsilon$$
#
# A latent's numbers are about 1, so $\sigma$ counts in units of the data. The published model begins at
# $\sigma = 80$.

# %%
from dataclasses import replace

import numpy as np
import torch

from workbench import widgets
from workbench.diffusion import noise
from workbench.policy import ask
from workbench.steps import encode
from workbench.views.sequence import row_html

# %%
present = encode(bundle, moment.observation, moment.instruction)
story = ask(bundle, present, "policy", seed=0, calls=bundle.spec.calls)
index, epsilon = bundle.layout.index("camera", bundle.spec.primary), noise.draw([1], bundle.layout)
noisy = {}
for sigma in (0.0, 0.3, 1.0, 4.0, 80.0):
    noisy[f"σ = {sigma:g}"] = widgets.decoded(bundle, replace(story, x=story.x + sigma * epsilon))[index]
show(row_html(noisy, width=130))

# %% [markdown]
# At 4 nothing is left for the eye. Yet a *number*, which is written into its frame many times, can still be read
# out of that (notebook 2): averaging $m$ copies leaves $\sigma / \sqrt{m}$. So at a high noise level, where a
# picture is gone, the network can still say roughly what to do; what is particular about one plan comes at the
# lower ones, and the details of a picture lower still. The paper relies on it: it trains with more high noise than
# a video model usually gets, and stops early (appendix, on noise levels in training and inference).
#
# ## How a network becomes a denoiser
#
# Asking a network for $x_0$ directly would be asking for the impossible at high noise and for the trivial at low
# noise. So it is wrapped (*preconditioned*). With the time $t = \sigma / (1 + \sigma)$, from 0 (clean) to 1 (noise
# only):
#
# $$D(x, \sigma) = (1 - t)\,x - t\;\mathrm{net}((1 - t)\,x,\; t)$$
#
# The factor of $x$ is called `c_skip`, that of net `c_out`.

# %% [markdown]
# ### Exercise 1 · ★☆☆ · How late is it?
#
# What time $t$ does the network see at $\sigma = 4$?

# %%
answer = ...
course.check("time_input", answer)

# %%
from workbench.diffusion.precondition import PRECONDITIONS
from workbench.views.plot import plot_html

levels = torch.from_numpy(np.geomspace(0.01, 200, 60))
lines = {}
for name, form in PRECONDITIONS.items():
    lines[f"{name}: share of x kept (c_skip)"] = (levels.numpy(), form.c_skip(levels).numpy())
    lines[f"{name}: weight of the network (|c_out|)"] = (levels.numpy(), form.c_out(levels).abs().numpy())
show(plot_html(lines, x="noise level σ", y="coefficient", log="x", marks={"first call": 80, "last call": 4}))

# %% [markdown]
# `rectified_flow` is the published model's form, `edm` the classic one (Karras et al. 2022, table 1), for comparison.
# In both: at low noise trust the input, at high noise the network.
#
# ### Exercise 2 · ★★★ · What the network says
#
# What must the network put out so that $D$ is exactly the data? Write `answer(data, noise)`: `data` is $x_0$,
# `noise` is $\varepsilon$ (of size 1, not yet times $\sigma$). The result does not depend on $\sigma$, and that is
# why this form is popular.

# %%
answer = ...  # def answer(data, noise): ...
course.check("velocity", answer)

# %%
form, sigma = PRECONDITIONS["rectified_flow"], torch.tensor(20.0)
data, eps = torch.randn(2, 1000)
perfect = form.c_skip(sigma) * (data + sigma * eps) + form.c_out(sigma) * (eps - data)
assert torch.allclose(perfect, data, atol=1e-4), "with the velocity noise - data as output, D is the data"

# %% [markdown]
# ## The noise levels of the calls
#
# The levels go down so that their $\rho$-th roots are evenly spaced, with $\rho = 7$ (Karras et al. 2022, eq. 5):
#
# $$\sigma_i = \left(\sigma_{\max}^{1/\rho} + \frac{i}{n - 1}
# \,(\sigma_{\min}^{1/\rho} - \sigma_{\max}^{1/\rho})\right)^{\rho}$$
#
# with $n$ the number of network calls and $i$ from 0 to $n - 1$. Every level is one
# call (the published program silently makes one call of two steps; here two are two). A single call is made at
# $\sigma_{\max}$.
#
# ### Exercise 3 · ★★☆ · The noise levels
#
# Write `answer(calls, high, low, rho)`: that list, as a numpy array.

# %%
answer = ...  # def answer(calls, high, low, rho): ...
course.check("noise_levels", answer)

# %%
from workbench.diffusion.samplers import schedule

first, last = bundle.spec.sigmas
print("published: ", np.round(schedule(5), 1))
print("this model:", np.round(schedule(5, bounds=(first, last)), 2))
ways = {"ρ = 7": schedule(9), "even": np.linspace(80, 4, 9), "equal ratios": np.geomspace(80, 4, 9)}
show(plot_html({k: (range(1, 10), v) for k, v in ways.items()}, x="network call", y="noise level σ", log="y"))

# %% [markdown]
# (The shipped model keeps the published levels; another may have its own.)
#
# ## A sampler walks down the levels
#
# At each level the network says $D$, its best guess of the data. The simplest sampler, Euler's, walks straight
# towards that guess until the noise has the next level $\sigma'$:
#
# $$x \leftarrow x + (\sigma' - \sigma)\,\frac{x - D}{\sigma}$$
#
# ### Exercise 4 · ★★☆ · One step of Euler
#
# Write `answer(x, sigma, following, denoised)`; `following` is $\sigma'$, `denoised` is $D$.

# %%
answer = ...  # def answer(x, sigma, following, denoised): ...
course.check("euler_step", answer)

# %% [markdown]
# In the library a sampler is a *generator*: it hands out every call, and you may look at whatever you like.

# %%
from workbench.steps import trace

before, start = present.x, noise.draw([0], bundle.layout)
sigmas = schedule(5, bounds=(first, last))
for step in trace(bundle.denoiser, present.ask("policy"), start, sigmas=sigmas):
    change = float((step.denoised - before).std())
    print(f"call {step.i + 1}: sigma {float(step.sigma):6.2f}, the answer changed by {change:.3f}")
    before = step.denoised
    assert torch.equal(step.denoised[:, :, 0], present.x[:, :, 0]), "a known frame never changes"

# %% [markdown]
# Are there better ones than Euler? `heun` corrects every step by looking where it leads, and pays a second call for
# it; `ab2` (Adams-Bashforth) remembers the previous call instead. On a problem whose answer is known one can
# measure it. Let the data be normal with standard deviation $s$; then the best guess is $D(x, \sigma) =
# \frac{s^2}{s^2 + \sigma^2}\,x$, and the exact end of every path is known too.
#
# **Predict**: with 8 calls from $\sigma = 10$ to 0.1, which sampler is nearest to the truth: `"euler"`, `"heun"` or
# `"ab2"`?

# %%
guess = None  # "euler", "heun" or "ab2"

# %%
from workbench.diffusion.samplers import SAMPLERS, sample

spread, high, low = 1.0, 10.0, 0.1


def best_guess(x, sigma, rows):
    return x * spread**2 / (spread**2 + sigma.view(-1, 1) ** 2)


def error(sampler, calls):
    """Of the answer, against the exact path followed to the last level and guessed from there."""
    start = torch.full((1, 1), high)
    got = run(sample(best_guess, start, [schedule(calls, sampler=sampler, bounds=(high, low))], sampler=sampler))
    exact = start * ((spread**2 + low**2) / (spread**2 + high**2)) ** 0.5 * spread**2 / (spread**2 + low**2)
    return float((got - exact).abs() / exact)


# %%
counts = [3, 5, 9, 17, 33]
errors = {name: [error(name, n) for n in counts] for name in SAMPLERS}
show(plot_html({k: (counts, v) for k, v in errors.items()}, x="network calls", y="relative error", log="xy"))
assert errors["ab2"][-1] < errors["euler"][-1] / 4, "second order beats first order where there are enough calls"
score.reveal("Nearest with 8 calls:", guess, min(SAMPLERS, key=lambda name: error(name, 8)))

# %% [markdown]
# Twice the calls, half the error: that is Euler, a *first-order* sampler. For the other two it is a quarter, as
# soon as there are enough calls: *second order*. `ab2` has it for one call a level, and that is what the published
# model uses.
#
# ## Calls against quality
#
# How many calls does *this* model need? We take its own answer with 20 calls as the reference.
#
# **Predict**: with a single call, how many millimetres is the end of the path off? (This chunk moves the hand about
# one centimetre.)

# %%
guess = None  # millimetres

# %%
counts = [1, 2, 3, 5, 8, 12]
reference = watch(calls=20, seeds=range(4))
asked = {n: watch(calls=n, seeds=range(4)) for n in counts}
ends = {n: one.paths[:, -1, -1] for n, one in asked.items()}
off = [1000 * np.linalg.norm(ends[n] - reference.paths[:, -1, -1], axis=-1).mean() for n in counts]
values = [abs(one.values[:, -1] - reference.values[:, -1]).mean() for one in asked.values()]
show(
    plot_html({"": (counts, off)}, x="network calls", y="end of the path: millimetres from 20 calls", log="x"),
    plot_html({"": (counts, values)}, x="network calls", y="value: difference from 20 calls", log="x"),
)
score.reveal("With one call the end is off by (mm)", guess, float(off[0]), within=0.5)

# %% [markdown]
# One call gives the average plan, more of them a particular one. The paper reports that one denoising step costs
# little success on RoboCasa: 66.4 % against 67.1 % with five.
#
# ## Where to stop
#
# Other diffusion models go down to $\sigma = 0.002$. The published policy stops at **4** and takes what the network
# says there. Two reasons, both to be seen here. First: what was trained? Training draws noise levels from a mixture,
# seven tenths log-normal, three tenths uniform, all of it times $\sqrt{T'}$ with $T'$ latent frames:

# %%
from workbench.diffusion.noise import SigmaDistribution

trained = SigmaDistribution().sample(100_000, 9, generator=torch.Generator().manual_seed(0)).numpy()
grid, marks = np.geomspace(0.3, 300, 60), {"last call: 4": 4, "first call: 80": 80}
below = [(trained < level).mean() for level in grid]
show(plot_html({"": (grid, below)}, x="noise level σ", y="share of training below it", log="x", marks=marks))
four, one = (100 * (trained < level).mean() for level in (4, 1))
print(f"below 4: {four:.0f} % of the published training; below 1: {one:.1f} %")
assert 0.05 < (trained < 4).mean() < 0.2 and (trained < 1).mean() < 0.03

# %% [markdown]
# Far below 4 the published network has hardly ever been asked: it would answer from hearsay. Second: what would be
# gained? At noise 4 a number that is written $m$ times is known to $4/\sqrt{m}$ before the network has even begun.

# %%
elements = bundle.layout.channels * bundle.layout.height * bundle.layout.width
published = {"action": 12544 // 112, "state": 12544 // 9, "value": 12544}
ours = [bundle.layout.chunk_size * bundle.layout.action_dim, bundle.layout.proprio_dim, 1]
for (name, copies), n in zip(published.items(), ours, strict=True):
    mine = elements // n
    there, here = 4 / copies**0.5, last / mine**0.5
    print(f"{name:7} published: 4 / √{copies} = {there:.2f};  this model: {last:g} / √{mine} = {here:.2f}")

# %% [markdown]
# A smaller model with smaller frames has fewer copies, so the same level hides more of a number from it. It stops
# at 4 all the same; where to stop belongs to the checkpoint (`bundle.spec.sigma_min`). And stopping early has a
# price. The last call's guess is an *average* over all that is still possible, so plans of different seeds end up
# alike:

# %%
from workbench.views import spread as spread_of

stops = [last * factor for factor in (1 / 16, 1 / 4, 1, 2)]
wide = [1000 * spread_of(watch(calls=8, seeds=range(6), sigma_min=stop))[-1] for stop in stops]
label = "spread of six plans' ends (mm)"
show(plot_html({"": (stops, wide)}, x="last noise level", y=label, log="x", marks={"this model's": last}))

# %% [markdown]
# For one good plan an average is fine. For choosing among eight (notebook 5) one wants eight different ones.
#
# ## Every frame at its own pace
#
# How much did the answer in each frame change at each call? Do the curves rise or fall, and which frames move most?
# At high noise there is only one thing to say, the average; what is particular about this plan is decided later.

# %%
from workbench.views import change

moved = change(seen)
unknown = [t for t in range(len(seen.frames)) if not seen.known[t]]
paces = {seen.frames[t]: (range(2, len(moved) + 1), moved[1:, t]) for t in unknown}
show(plot_html(paces, x="network call", y="change of the answer (data = 1)"))
assert np.nanmax(moved[:, ~np.isin(range(len(seen.frames)), unknown)]) == 0, "what is given never moves"

# %% [markdown]
# ## Now break it
#
# Ask as you like, and look at the fan of plans, on the right. More calls, a lower last level, another sampler:

# %%
widgets.scrub_sigma(bundle, moment)

# %% [markdown]
# - Set the last level to its lowest value with 2 calls, then with 12. Why are many calls needed now?
# - In `best_guess`, make the network wrong by 5 % (`* 1.05`). Which sampler suffers most, and do more calls help?
#   (The cell's `assert` will stop you: say why, and delete it.)
# - Begin at the wrong noise: `noise.draw([0], bundle.layout) * 3` in the loop above. What does the model say?

# %%
score

# %% [markdown]
# [← 2 Encode and inject](02_encode_and_inject.ipynb) · [all notebooks](index.ipynb) ·
# [4 Policy, world model, value →](04_policy_world_model_value.ipynb)
