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
# # 7 · Learn from experience
#
# **Goal**: let rollouts of the policy teach the planning model: label them, see whether its values are honest,
# fine-tune it, and plan again.<br>
# **Minutes**: 40 to read and do; two to three to run. **Needs**: the workbench; no GPU, no network. With a simulator
# one rollout is made live.
#
# [← 6 Train the mini model](06_train_mini.ipynb) · [all notebooks](index.ipynb) ·
# [8 Rollouts and statistics →](08_rollouts_and_statistics.ipynb)

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
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from workbench import course, moments, runtime, widgets
from workbench.course import show
from workbench.models import checkpoints
from workbench.planning import run
from workbench.views.plot import plot_html

room, score = TemporaryDirectory(), course.Score()  # what is trained here is gone when the notebook is closed
policy, planner = checkpoints.load_pair("mini")
here, spec, layout = Path(room.name), policy.spec, policy.layout

# %%
from workbench.training.chain import demonstrations_and_rollouts

demos, rollouts = demonstrations_and_rollouts([runtime.assets() / "episodes"])
widgets.scrub_episode(next(episode for episode in rollouts if not episode.success), spec)

# %% [markdown]
# ## What a policy does when nobody helps
#
# Above is a *rollout* that failed: an earlier small policy acted, and this is what came of it. A demonstration never
# shows such a thing; a model that has only seen experts imagines every future as an expert's. The paper collects
# hundreds of rollouts of its policy, fine-tunes a copy of it on them as the *planning model* (world model and value),
# and leaves the policy as it was (sections 4.2 and 4.3). This notebook does the same, small.
#
# If this machine can simulate, one more rollout is made now, by the shipped policy on its hard suite:

# %%
from contextlib import closing

problem = runtime.renderer_problem()
if problem is None:
    from workbench.control import alone
    from workbench.envs.process import ProcessEnv
    from workbench.rollout import Start, run_episode

    start = Start(task=0, init=0, seed=0, address="libero_mini_hard/0/0")
    with closing(ProcessEnv("libero_mini_hard", image_size=spec.render_size)) as env:
        fresh = run(run_episode(env, spec, alone(policy, calls=5), start, record=True)).episode
    rollouts.append(fresh)
print(problem or f"a fresh rollout of {len(fresh)} steps")
print(f"{len(rollouts)} rollouts, {sum(episode.success for episode in rollouts)} succeed")

# %% [markdown]
# ## Labels that cost nothing
#
# Whether an episode succeeded is known when it ends; from there the *return* of every step follows backwards:
# $\gamma^k$ with $k$ steps to success, 0 for failures (paper, section 4.2).
#
# ### Exercise 1 · ★☆☆ · Label a rollout
#
# Write `answer(length, success, gamma)`: the returns of all steps, as a numpy array in $[0, 1]$. The last step of a
# success is worth 1.

# %%
answer = ...  # def answer(length, success, gamma): ...
course.check("label_returns", answer)

# %% [markdown]
# **Predict**: the shipped planning model sees the true pictures of these rollouts and says what they are worth. It
# was trained on other episodes. Will its values be too *hopeful*, too *gloomy*, or *fair* (their mean within 0.05 of
# the mean return)?

# %%
guess = None  # "hopeful", "gloomy" or "fair"

# %% [markdown]
# To value a state, its frames are given and the value frame is asked for: $V(s')$ (notebook 4). `Batches` of notebook
# 6 puts the rows together. A question at `step` is about the picture a chunk later.

# %%
from workbench.data import windows
from workbench.diffusion import noise
from workbench.diffusion.samplers import schedule
from workbench.latents import Latents
from workbench.steps import denoise, extract
from workbench.training.bank import LatentBank
from workbench.training.batches import Batches
from workbench.training.denoiser import samples
from workbench.training.recipes import PRESETS

bank = LatentBank(here / "bank", planner.tokenizer, spec)
run(bank.fill([*demos, *rollouts]))
where = {"size": 8, "value_mode": "v", "start_share": 0.0, "seed": 0}
parts = samples(demos, rollouts, planner, PRESETS["mini"].planner)
batches = Batches(parts, bank, layout, planner.stats, planner.text, **where)


# %%
import torch

EVERY = 4  # ask about every fourth step


def valued(bundle, episode, mode="v"):
    """Values of an episode's steps in [0, 1], as `bundle` sees them, and the true returns."""
    steps = range(0, len(episode), EVERY)
    batch = batches.assemble([(episode, step, mode) for step in steps])
    given = torch.zeros(len(steps), len(layout), dtype=torch.bool)
    latents = Latents(batch.x0, given, layout, bundle.text(batch.tokens), batch.x0).ask(mode)
    start = noise.draw([0] * len(steps), layout)  # the same noise for all: the pictures make the difference
    said = denoise(bundle.denoiser, latents, start, sigmas=schedule(spec.calls, bounds=spec.sigmas))
    futures = [windows.future_index(step, len(episode), spec.chunk_size) for step in steps]
    return extract(said, bundle.stats).value, windows.returns(len(episode), episode.success, spec.gamma)[futures]


# %%
def asked(bundle, episodes, mode="v"):
    with torch.no_grad():
        pairs = [valued(bundle, episode, mode) for episode in episodes]
    values, truth = (np.concatenate(part).astype(float) for part in zip(*pairs, strict=True))
    assert values.min() >= 0 and values.max() <= 1 and truth.min() >= 0 and truth.max() <= 1
    return values, truth


won = next(episode for episode in rollouts if episode.success)
lost = next(episode for episode in rollouts if not episode.success)
lines = {}
for name, episode in {"a success": won, "a failure": lost}.items():
    for what, numbers in zip(("said", "came true"), asked(planner, [episode]), strict=True):
        lines[f"{name}: {what}"] = (EVERY * np.arange(len(numbers)), numbers)

# %%
show(plot_html(lines, x="control step", y="value of the state a chunk later"))
values, truth = asked(planner, rollouts)
apart = values.mean() - truth.mean()
print(f"{len(values)} questions: said {values.mean():.3f} in the mean, came true {truth.mean():.3f}")
tone = "fair" if abs(apart) < 0.05 else "hopeful" if apart > 0 else "gloomy"
score.reveal("The planner's values were", guess, tone)

# %% [markdown]
# ## Honest values
#
# A value is *calibrated* if, of all states that it calls 0.5, the returns are 0.5 on average. The *reliability
# figure* sorts the questions by what was said, cuts them into bins, and holds the mean of each against what came
# true. On the diagonal is honesty; below it is hope.

# %%
BINS = 6


def reliability(values, truth):
    parts = np.array_split(np.argsort(values, kind="stable"), BINS)
    return [values[part].mean() for part in parts], [truth[part].mean() for part in parts]


show(
    plot_html(
        {"the shipped planner": reliability(values, truth), "honest": ([0, 1], [0, 1])},
        x="value said (mean of a bin)",
        y="return that came true",
    )
)

# %% [markdown]
# ### Exercise 2 · ★★☆ · The calibration error
#
# Write `answer(values, returns, bins)`: sort by value, cut into bins of (nearly) equal size, and average the distance
# of mean value and mean return, each bin weighted with its size.

# %%
answer = ...  # def answer(values, returns, bins): ...
course.check("calibration", answer)

# %%
from workbench.statistics import auc, calibration_error

ends = np.concatenate([[e.success] * len(range(0, len(e), EVERY)) for e in rollouts])
steps = np.concatenate([list(range(0, len(e), EVERY)) for e in rollouts])
print(f"calibration error {calibration_error(values, truth, bins=BINS):.3f}")
print(f"successes before failures, at equal step: AUC {auc(values, ends, strata=steps):.2f} (0.5 is chance)")
assert 0 <= calibration_error(values, truth, bins=BINS) <= 1

# %% [markdown]
# Two different things: *calibration* asks whether the numbers are right, the *AUC* whether they tell a good state
# from a bad one. A planner needs the second: it compares candidates. The first matters when the number itself is
# read, or held against a threshold (0.05 in the majority mean of notebook 5).
#
# ## What to learn from
#
# The published LIBERO model trains on demonstrations and rollouts half and half. The planning model takes 10 %
# demonstrations, 45 % successful and 45 % failed rollouts: parts that are too small for their share are *cycled* (in
# brackets: how often each of their steps comes).

# %%
from workbench.data.mixing import mix

have = {"demonstrations": sum(map(len, demos))}
for ending in (True, False):
    have["successes" if ending else "failures"] = sum(len(e) for e in rollouts if e.success is ending)
for name, share in {"half and half": 0.5, "planning model": 0.1}.items():
    epoch = mix(*have.values(), demonstration_probability=share)
    again = {part: round(epoch.items[part] / count, 1) for part, count in have.items()}
    print(f"{name:15}", "; ".join(f"{epoch.items[part]} {part} (x {again[part]})" for part in have))
    assert abs(epoch.items["demonstrations"] / len(epoch) - share) < 0.01

# %% [markdown]
# ### Exercise 3 · ★★★ · How often is a failure seen?
#
# 8000 steps of demonstrations, 6000 of successful rollouts and 500 of failed ones, mixed 10 : 45 : 45, so that each
# demonstration step is seen once in an epoch. How often is each failed step seen?

# %%
answer = ...
course.check("seen_again", answer)

# %% [markdown]
# That is why a handful of failures is not enough: their pictures are learnt by heart. The paper's planning model had
# 648 rollouts.
#
# ## Fine-tune the planner
#
# Two of the rollouts, one success and one failure, are held out. The planner goes on from its shipped weights, with
# the mix of its recipe and few iterations.
#
# **Predict**: after fine-tuning, on which rollouts will the calibration error have fallen: "seen" (those it was
# trained on), "both" or "none"? ("other" if only on the held-out ones.)

# %%
guess = None  # "seen", "both", "none" or "other"

# %%
from dataclasses import replace

from workbench.training.denoiser import train_denoiser
from workbench.training.workers import Team

ITERATIONS, BATCH = 30, 8  # 30 take seconds; raise it to 300 and more
held_out = [lost, won]
seen = [episode for episode in rollouts if episode not in held_out]
recipe = replace(PRESETS["mini"].planner, iterations=ITERATIONS, batch=BATCH, warmup=3, ema=0.9, learning_rate=2e-4)
tuned = replace(checkpoints.load(planner.name, share=policy), name="mine")  # weights of its own: these will change
how = {"recipe": recipe, "held_out": 0.0, "team": Team()}
losses = [event.loss for event in train_denoiser(tuned, (demos, seen), bank, here / "run", **how)]
tuned.denoiser.eval(), tuned.text.eval()
assert len(losses) == ITERATIONS and np.isfinite(losses).all()

# %%
found, lines = {}, {"honest": ([0, 1], [0, 1])}
for which, episodes in {"seen": seen, "held out": held_out}.items():
    for when, bundle in {"before": planner, "after": tuned}.items():
        values, truth = found[which, when] = asked(bundle, episodes)
        lines[f"{which}, {when}"] = reliability(values, truth)
        error = calibration_error(values, truth, bins=BINS)
        print(f"{which:8} {when:6}  calibration error {error:.3f}, mean error {np.abs(values - truth).mean():.3f}")
show(plot_html(lines, x="value said (mean of a bin)", y="return that came true"))

# %%
errors = {key: calibration_error(*pair, bins=BINS) for key, pair in found.items()}
fell = {which: errors[which, "after"] < errors[which, "before"] for which in ("seen", "held out")}
names = {(True, True): "both", (True, False): "seen", (False, True): "other", (False, False): "none"}
score.reveal("The calibration error fell on", guess, names[fell["seen"], fell["held out"]])

# %% [markdown]
# Two held-out episodes are no evaluation, and neighbouring steps of one episode are nearly the same question: count
# episodes, not steps (notebook 8). With more of both, `workbench bench foresight` measures the same with intervals.
#
# ## Calibrate
#
# The cheapest remedy for values that are all too hopeful, or all too gloomy, is one factor: $v' = a\,v$.
#
# ### Exercise 4 · ★★☆ · One factor
#
# Write `answer(values, returns)`: the factor $a$ with the smallest sum of $(r - a\,v)^2$ over all pairs.

# %%
answer = ...  # def answer(values, returns): ...
course.check("best_factor", answer)

# %% [markdown]
# It is fitted on the rollouts that were trained on, and judged on the others.

# %%
values, truth = found["seen", "after"]
factor = float((values * truth).sum() / (values**2).sum()) if values.any() else 1.0
others, came = found["held out", "after"]
calibrated = np.clip(factor * others, 0, 1)
print(f"factor {factor:.2f}: error on the held-out ones {calibration_error(others, came, bins=BINS):.3f}", end="")
print(f" -> {calibration_error(calibrated, came, bins=BINS):.3f}")
assert factor <= 0 or (np.argsort(others, kind="stable") == np.argsort(factor * others, kind="stable")).all()

# %% [markdown]
# The assertion is the point: a factor changes no order. Whoever only chooses the *best* candidate gains nothing from
# it, unless a rule has a threshold (0.05 in the majority mean). Fine-tuning can change the order.
#
# ## Plan again
#
# The same moment, the same candidates (they come from the policy, which has not changed), valued by the planner
# before and after.
#
# **Predict**: will both choose the same candidate?

# %%
guess = None  # "yes" or "no"

# %%
from workbench import views
from workbench.planning.best_of_n import plan_events
from workbench.planning.settings import PlanSettings
from workbench.views.words import name

moment = moments.load(moments.available()[0]).plan.moment
settings = PlanSettings(candidates=4, futures=2, values=2, future_calls=3, value_calls=3)
plans = {
    when: run(plan_events(policy, bundle, moment, settings=settings))
    for when, bundle in {"before": planner, "after": tuned}.items()
}
show(*(views.cards_html(views.as_seen(plan, spec)) for plan in plans.values()))
pairs = zip(*(plan.candidates for plan in plans.values()), strict=True)
assert all(np.array_equal(one.actions, other.actions) for one, other in pairs), "the same candidates"

# %%
for when, plan in plans.items():
    print(when, "chooses", name(plan.best), *(f"{c.value:.3f}" for c in plan.candidates))
same = plans["before"].best == plans["after"].best
score.reveal("Do both choose the same?", guess, "yes" if same else "no")

# %% [markdown]
# ## Futures or actions: $V(s')$ and $Q(s, a)$
#
# Experience can also be put into $Q(s, a)$: the value from the present and the actions, without imagining a future.
# It costs fewer network calls, and it has to know the dynamics without ever saying them. In the paper, on two hard
# tasks of a real robot, planning with $V(s')$ raises the score from 59.5 to 72.0, with $Q(s, a)$ to 61.3.

# %%
for mode, title in {"v": "V(s'), true future seen", "q": "Q(s, a), true actions seen"}.items():
    values, truth = asked(tuned, held_out, mode)
    error = calibration_error(values, truth, bins=BINS)
    print(f"{title:28} calibration error {error:.3f}, correlation {np.corrcoef(values, truth)[0, 1]:+.2f}")
q = replace(settings, value="q")
print(f"network calls of the plan above: {settings.network_calls} with V, {q.network_calls} with Q")
assert q.network_calls < settings.network_calls

# %% [markdown]
# Here $V$ was shown the *true* future, which a planner never has: its futures are imagined. What is lost by
# imagining is notebook 4's question.
#
# ## What more rollouts buy
#
# Say rollouts succeed as these did, and a value must be learnt for one kind of state. How well can its mean return be
# known at best, from $n$ rollouts? The standard error is $s / \sqrt{n}$, with $s$ the spread of the returns:

# %%
spread = np.std([spec.gamma ** (len(e) - 1) * e.success for e in rollouts], ddof=1)
counts = [3, 6, 12, 25, 50, 100, 200, 400, 650]
coin = np.sqrt(0.25 / np.array(counts))
lines = {"share of successes": (counts, coin), "return from the start": (counts, spread / np.sqrt(counts))}
show(plot_html(lines, x="rollouts", y="standard error", log="xy", marks={"the paper's": 648}))
assert np.isclose(coin[5], 0.05), "a hundred rollouts: five points"

# %% [markdown]
# A hundred rollouts tell a place where half succeed from one where 60 % do, just so. Differences between
# candidates of one decision are mostly smaller than that; so the model has to *share* what it learns among states.
#
# ## The whole thing
#
# ```
# workbench experience --data data --out run --round 2
# ```
#
# Round 2, because `workbench train` has trained a first planning model (notebook 6). That rolls out the policy (also
# *straying*, with a lower last noise level), fine-tunes the planning model, and evaluates what it foresees before and
# after.

# %% [markdown]
# ## Now break it
#
# - Overfit: set `ITERATIONS` to 600 and train on a single rollout (`seen = seen[:1]`). How small does the error on it
#   become, and what happens to the held-out ones?
# - Train on successes only (`seen = [e for e in seen if e.success]`). Are the values of the failure still low?
# - Ask `valued` with other noise (`noise.draw(range(len(steps)), layout)`). How much of the spread is luck?

# %%
score

# %% [markdown]
# [← 6 Train the mini model](06_train_mini.ipynb) · [all notebooks](index.ipynb) ·
# [8 Rollouts and statistics →](08_rollouts_and_statistics.ipynb)
