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
# # 5 · Best of N
#
# **Goal**: choose among plans, find out whether the choice was right, and say when planning can help at all.<br>
# **Minutes**: 45 to read and do; about two to run. **Needs**: the workbench; no GPU, no network. The last figure is
# live where there is a simulator.
#
# [← 4 Policy, world model, value](04_policy_world_model_value.ipynb) · [all notebooks](index.ipynb) ·
# [6 Train the mini model →](06_train_mini.ipynb)

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

import numpy as np

from workbench import course, moments, views, widgets
from workbench.course import show
from workbench.models import checkpoints
from workbench.planning import run
from workbench.planning.best_of_n import plan_events
from workbench.planning.settings import PlanSettings
from workbench.views.plot import plot_html
from workbench.views.words import name

# %%
score = course.Score()
policy, planner = checkpoints.load_pair("mini")
records = {title: moments.load(title).plan for title in moments.available()}
truth = views.as_seen(next(iter(records.values())), policy.spec)


# %%
def covered(plan, **hidden):
    """A plan whose candidates show less than is known."""
    return replace(plan, best=-1, choices={}, candidates=[replace(c, **hidden) for c in plan.candidates])


show(views.cards_html(covered(truth, value=None, values=None, rank=None, outcome=None)))

# %% [markdown]
# ## Eight plans
#
# The same network, the same question, eight seeds: eight plans. On the cards is what the model imagines will be seen
# after each (hold a card to see the present; "what differs" shows what sets a card apart).
#
# **Predict**, before anything is valued: which one will the model choose? And which will really succeed when they are
# carried out? Numbers as on the cards, #1 to #8.

# %%
chosen_guess = None  # one number, such as 3
success_guess = None  # a set of numbers, such as {1, 4}

# %%
show(views.cards_html(replace(truth, candidates=[replace(c, outcome=None) for c in truth.candidates])))
score.reveal("It chose number", chosen_guess, truth.best + 1)

# %% [markdown]
# ## How it came to that
#
# For every candidate the world model imagines several futures (an *ensemble*: other seeds, and 1, 3 and 5 network
# calls), and every future is valued several times (1 to 5 calls). That makes $3 \times 5 = 15$ value samples a
# candidate: the dots on the cards (paper, section 4.3 and appendix).
#
# ### Exercise 1 · ★☆☆ · What a decision costs
#
# Eight candidates of 5 calls; for each, futures of 1, 3 and 5 calls; for each future, values of 1, 2, 3, 4 and 5
# calls. How many network calls is that, counting every sample by itself?

# %%
answer = ...
course.check("cost_of_a_decision", answer)

# %% [markdown]
# (The published program makes one call where two steps are asked for. Here two are two.)

# %% [markdown]
# ### From fifteen numbers to one
#
# With samples $v_1 \dots v_m$, mean $\bar v$ and standard deviation $s$, there are four rules:
#
# - **average**: $\bar v$
# - **lower bound** (`lcb`): $\bar v - s$; who is unsure, loses
# - **success vote**: the share of samples above 0.05
# - **majority mean**, the paper's: if at least half are above 0.05, the mean of those, else 0
#
# ### Exercise 2 · ★☆☆ · The careful rule
#
# Write `answer(samples)` for the lower bound, with the standard deviation of a *sample* (divide by $m - 1$).

# %%
answer = ...  # def answer(samples): ...
course.check("lower_bound", answer)

# %% [markdown]
# ### Exercise 3 · ★★☆ · The majority's mean
#
# Write `answer(samples)` for the majority mean.

# %%
answer = ...  # def answer(samples): ...
course.check("majority_mean", answer)

# %% [markdown]
# Why not simply the mean? Look at three candidates that somebody made up. Who wins under which rule?

# %%
from workbench.planning.aggregate import AGGREGATIONS, aggregate

made_up = np.array([[0.5] * 15, [0.9] * 8 + [0.0] * 7, [0.95] * 6 + [0.0] * 9])
for rule in AGGREGATIONS:
    values = aggregate(made_up, rule)
    print(f"{rule:14}", *(f"{v:5.2f}" for v in values), "  winner:", name(int(values.argmax())))
assert aggregate(made_up, "lcb").argmax() == 0 and aggregate(made_up, "majority_mean").argmax() == 1

# %% [markdown]
# The sure one, the divided one, the hopeful one. The three means differ only where samples disagree. The success
# vote differs also where they agree: if all samples are above 0.05 everybody gets 1, and the lowest number wins the
# tie. How often do the rules agree in the shipped moments?

# %%
agree = sum(len(set(plan.choices.values())) == 1 for plan in records.values())
print(f"in {agree} of {len(records)} moments all four rules choose the same candidate")
for plan in records.values():
    rules = ", ".join(f"{rule} {name(index)}" for rule, index in plan.choices.items())
    print(f"{plan.moment.instruction:36} wins {100 * plan.margin:3.0f} % of resamplings   {rules}")
assert all(0 < plan.margin <= 1 for plan in records.values())

# %% [markdown]
# The percentage is the **margin**: draw the fifteen samples again with repetition (a *bootstrap*); how often does
# the same candidate win? Near $100/8$ per cent the choice is a lottery.
#
# ## Was it right?
#
# A simulator can be rewound. Each candidate was executed from the very same moment, then the policy went on alone,
# with the same luck for all.

# %%
show(views.cards_html(truth))
real = {c.index + 1 for c in truth.candidates if c.outcome.success}
score.reveal("These really succeed:", success_guess, real)

# %% [markdown]
# What a candidate was **worth** is $\gamma^n$ with $n$ steps to success, or 0. The *regret* of a decision is what was
# left lying: the worth of the best candidate less that of the chosen one.
#
# ### Exercise 4 · ★★☆ · Regret
#
# Write `answer(worths, chosen)` for a numpy array of worths and the index of the chosen candidate.

# %%
answer = ...  # def answer(worths, chosen): ...
course.check("regret", answer)

# %% [markdown]
# ## Does choosing help?
#
# The honest opponent of a planner is a *random* choice among the same candidates; the ceiling is an oracle that knows
# the truth.
#
# **Predict**: of the way from random to oracle, how much does the model's choice make good, averaged over the
# moments? 0 is no better than random, 1 is the oracle. (Right if you are off by less than 0.2.)

# %%
guess = None  # a number, such as 0.4

# %%
worth = {title: np.array([c.outcome.worth for c in plan.candidates]) for title, plan in records.items()}
by = {
    "the model's choice": np.array([w[records[title].best] for title, w in worth.items()]),
    "random": np.array([w.mean() for w in worth.values()]),
    "oracle": np.array([w.max() for w in worth.values()]),
}
for who, values in by.items():
    print(f"{who:18} worth {values.mean():.3f}")
gain = by["the model's choice"] - by["random"]
resampled = np.random.default_rng(0).choice(gain, (4000, len(gain))).mean(1)
low, high = np.quantile(resampled, [0.025, 0.975])
print(f"better than random by {gain.mean():+.3f}, 95 % interval {low:+.3f} to {high:+.3f} ({len(gain)} moments)")

# %%
room = float((by["oracle"] - by["random"]).mean())
made_good = float(gain.mean()) / room if room else 0.0
assert (by["oracle"] >= by["the model's choice"]).all(), "nobody beats the oracle"
score.reveal("Made good, from random to oracle:", guess, made_good, about=0.2)

# %% [markdown]
# Read the interval first. If it includes zero, these twelve moments do not show that choosing helps; if not, they show
# it for these twelve. The paper reports a score 12.5 points higher on two hard tasks of a real robot. And mind the
# selection: the moments were searched for candidates that end differently, so the room for planning is larger here
# than in an ordinary step of an episode. What is gained over whole episodes stands in the README.
#
# ## When can planning help?
#
# Two things are needed: candidates that **differ**, and values that **rank** them.

# %%
from workbench.truth import rank_correlation, regret

room_of = {title: w.max() - w.mean() for title, w in worth.items()}
for title, plan in sorted(records.items(), key=lambda item: -room_of[item[0]]):
    order = rank_correlation(plan)
    ranks = "all alike" if order is None else f"{order:+.2f}"
    print(f"{plan.moment.instruction:36} room {room_of[title]:.2f}  regret {regret(plan):.2f}  ranks {ranks}")
    assert 0 <= regret(plan) <= 1

# %% [markdown]
# *Room* is what an oracle gains over random: without room there is nothing to win. The last column is Spearman's rank
# correlation: +1 if the values order the candidates as the truth does, 0 if they know nothing, -1 upside down.
#
# ### Exercise 5 · ★★★ · The ceiling of planning
#
# A single plan succeeds with probability `p`, independently of the others. Write `answer(p, n)`: the probability that
# at least one of `n` does. No planner can do better than that.

# %%
answer = ...  # def answer(p, n): ...
course.check("one_of_n", answer)

# %%
share = {"the policy alone": [], "the model's choice": [], "at least one succeeds": []}
counts, random = [1, 2, 3, 4, 6, 8], np.random.default_rng(0)
for n in counts:
    rows = []
    for plan in records.values():
        won, value = (np.array(x) for x in zip(*[(c.outcome.success, c.value) for c in plan.candidates], strict=True))
        for _ in range(60):
            few = random.permutation(len(won))[:n]
            rows.append([won[few[0]], won[few[value[few].argmax()]], won[few].any()])
    for line, column in zip(share.values(), np.mean(rows, 0), strict=True):
        line.append(100 * column)
show(plot_html({k: (counts, v) for k, v in share.items()}, x="candidates N", y="% of moments that end in success"))

# %% [markdown]
# Between the lowest line and the highest is what planning could win; where the middle one runs is what this model
# wins of it.
#
# ## The winner's curse
#
# Choosing the highest of many uncertain values picks the one that was *overestimated* most. Say all candidates are
# worth the same, 0.5, and every value is off by a normal error:

# %%
values = 0.5 + 0.1 * np.random.default_rng(0).standard_normal((4000, 64))
counts = [1, 2, 4, 8, 16, 32, 64]
promised = [values[:, :n].max(1).mean() for n in counts]
lines = {"value of the winner": (counts, promised), "what it is worth": (counts, [0.5] * len(counts))}
show(plot_html(lines, x="candidates N", y="value", log="x"))
winners = [plan.candidates[plan.best] for plan in records.values()]
gamma = policy.spec.gamma
said = np.mean([winner.value for winner in winners])
came = np.mean([min(winner.outcome.worth / gamma ** len(winner.actions), 1) for winner in winners])
print(f"here, winners promised {said:.2f} on average (at the chunk's end), and {came:.2f} came true")
assert promised[-1] > promised[0] + 0.1

# %% [markdown]
# More candidates, more disappointment, where all are worth the same (those of our moments are not): no harm is done
# as long as the order is right, but never read a winner's value as a forecast.
#
# ## Pick for yourself
#
# Every candidate with what it imagined and what really came; and whom each rule would have taken.

# %%
widgets.pick_candidate(truth)

# %% [markdown]
# ## A plan, live
#
# All of the above was recorded. This is made now, small so that it is quick. A plan is a *generator* of events: that
# is how progress is shown, and closing it is how it is cancelled.

# %%
from collections import Counter

settings = PlanSettings(candidates=3, futures=2, values=2, calls=3, future_calls=3, value_calls=2)
counted = Counter()
work = plan_events(policy, planner, truth.moment, settings=settings)
try:
    while True:
        counted[type(next(work)).__name__] += 1
except StopIteration as end:
    small = end.value
print(dict(counted), "->", name(small.best), f"of {len(small.candidates)}, {small.network_calls} network calls")
assert counted["Called"] == settings.rounds and small.network_calls == settings.network_calls

# %% [markdown]
# And a whole episode, if this machine can simulate: the policy alone, step by step.

# %%
from contextlib import closing

from workbench import runtime

problem = runtime.renderer_problem()
if problem is None:
    from workbench.control import alone
    from workbench.envs.process import ProcessEnv
    from workbench.rollout import Start, run_episode

    with closing(ProcessEnv("libero_mini", image_size=policy.spec.render_size)) as env:
        start = Start(task=0, init=0, seed=0)
        ended = run(run_episode(env, policy.spec, alone(policy, calls=5), start, record=True))
print(problem or f"{ended.steps} steps, {'success' if ended.success else 'no success'}")

# %%
widgets.scrub_episode(ended.episode, policy.spec) if problem is None else problem

# %% [markdown]
# ## Now break it
#
# - In the live plan, set `sigma_min` of `PlanSettings` to a tenth of `policy.spec.sigma_min` and `calls` to 8. Do the
#   candidates differ more? (Notebook 3 says why.)
# - Choose by another rule: `aggregation="lcb"`. When does it take somebody else?
# - Value by the actions alone: `value="q"`. What is saved, what is lost?

# %%
score

# %% [markdown]
# [← 4 Policy, world model, value](04_policy_world_model_value.ipynb) · [all notebooks](index.ipynb) ·
# [6 Train the mini model →](06_train_mini.ipynb)
