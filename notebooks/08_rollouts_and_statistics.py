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
# # 8 · Rollouts and statistics
#
# **Goal**: say what an evaluation has shown, and what it has not.<br>
# **Minutes**: 35 to read and do; seconds to run. **Needs**: the workbench; no GPU, no network, no simulator: the
# evaluations are recorded ones.
#
# [← 7 Learn from experience](07_learn_from_experience.ipynb) · [all notebooks](index.ipynb) ·
# [9 The 2B model →](09_the_2b_model.ipynb)

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
import numpy as np

from workbench import course, files, runtime
from workbench.course import show
from workbench.results import open_results
from workbench.statistics import wilson
from workbench.views.plot import intervals_html, plot_html

score, evaluations = course.Score(), {}
for folder in sorted((runtime.assets() / "results").glob("*/results.json")):
    about = files.read_json(folder)["config"]
    alone = about.get("planner", about.get("way")) in ("none", "policy")
    name = f"{about['suite']}, {'policy alone' if alone else 'best of N'}"
    if about["suite"].startswith("libero_mini"):  # the shipped checkpoints
        evaluations[name] = {(r.trial.task, r.trial.number): r.success for r in open_results(folder.parent)}

# %%
rows = {}
for name, episodes in evaluations.items():
    won, count = sum(episodes.values()), len(episodes)
    low, high = wilson(won, count)
    rows[f"{name}: {won} of {count}"] = (100 * low, 100 * won / count, 100 * high)
    assert low <= won / count <= high
show(intervals_html(rows, x="success in per cent, with its 95 % interval"))

# %% [markdown]
# ## A rate without its interval is a rumour
#
# Above are evaluations that were recorded with the shipped model: suites, planners, how many episodes were solved.
# The dot in the middle is the rate; the ends say which true success rates are compatible with so many episodes.
#
# **Predict**: a robot solves 9 of 10 episodes. How low may its true success rate be, in per cent (95 % interval)?

# %%
guess = None  # per cent

# %%
low, high = wilson(9, 10)
score.reveal("The lower end, in per cent, is", guess, round(100 * low, 1), about=5)

# %% [markdown]
# ## Wilson's interval
#
# With $k$ of $n$ episodes solved, rate $p = k / n$, and $z = 1.96$ for 95 %:
#
# $$\frac{1}{1 + z^2/n} \left( p + \frac{z^2}{2n} \pm z \sqrt{\frac{p (1 - p)}{n} + \frac{z^2}{4 n^2}} \right)$$
#
# The first two terms are the middle, the rest is the half width (Wilson 1927).
#
# ### Exercise 1 · ★★☆ · Wilson's interval
#
# Write `answer(successes, episodes)`: the lower and the upper end.

# %%
answer = ...  # def answer(successes, episodes): ...
course.check("wilson_interval", answer)

# %% [markdown]
# Why not the simpler $p \pm z \sqrt{p (1 - p) / n}$? A 95 % interval should contain the truth in 95 % of evaluations.
# Let us count, for a robot whose true rate is 95 %:

# %%
truth, sizes, random = 0.95, [5, 10, 20, 50, 100, 200, 500], np.random.default_rng(0)
holds = {"Wilson": [], "p ± z · standard error": []}
for n in sizes:
    won = random.binomial(n, truth, 4000)
    ends = np.array([wilson(k, n) for k in range(n + 1)])[won]
    holds["Wilson"].append(100 * ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean())
    rate = won / n
    reach = 1.96 * np.sqrt(rate * (1 - rate) / n)
    holds["p ± z · standard error"].append(100 * (abs(rate - truth) <= reach).mean())
show(
    plot_html({k: (sizes, v) for k, v in holds.items()}, x="episodes", y="intervals that contain the truth, %", log="x")
)
assert holds["Wilson"][0] > 90 > holds["p ± z · standard error"][0]

# %% [markdown]
# With few episodes and a good robot the simple formula is simply wrong, and robots are evaluated with few episodes.
#
# ### Exercise 2 · ★☆☆ · How many episodes?
#
# A success rate is about 50 %. How many episodes until the interval is ± 5 points? (There the simple formula will
# do.)

# %%
answer = ...
course.check("episodes_needed", answer)

# %% [markdown]
# The paper's numbers on LIBERO come from 10 tasks with 50 episodes each, for each of three seeds (section 5 and
# appendix): 1500 episodes a suite. A dozen episodes tell good from hopeless, and nothing finer.
#
# ## Compare on the same episodes
#
# Is planning better than the policy alone? Two rates with overlapping intervals do not decide it. But episodes can be
# *paired*: same task, same initial state, same noise. Then only the episodes on which the two **differ** say
# something.

# %%
suites = sorted({name.split(",")[0] for name in evaluations})
pairs = {}
for suite in suites:
    both = [evaluations.get(f"{suite}, {who}", {}) for who in ("policy alone", "best of N")]
    shared = sorted(both[0].keys() & both[1].keys())
    if shared:
        pairs[suite] = [np.array([one[key] for key in shared]) for one in both]
        alone, planned = (int(side.sum()) for side in pairs[suite])
        print(f"{suite}: {len(shared)} episodes shared; alone {alone}, planned {planned} solved")

# %% [markdown]
# ### Exercise 3 · ★☆☆ · Gained and lost
#
# Write `answer(first, second)` for two arrays of booleans (solved or not, pair by pair): how many episodes only the
# second one solves, and how many only the first one.

# %%
answer = ...  # def answer(first, second): ...
course.check("gained_and_lost", answer)

# %% [markdown]
# If both were equally good, each differing pair would be a coin toss. McNemar's test asks: how often would a coin
# split them *at least* so unevenly?
#
# ### Exercise 4 · ★★★ · More than a coin toss?
#
# Write `answer(gained, lost)`: that probability, counting both sides. (`binom` from scipy is imported below.)

# %%
from scipy.stats import binom

print("four tosses, three heads or more:", binom.sf(2, 4, 0.5))
answer = ...  # def answer(gained, lost): ...
course.check("coin_toss", answer)

# %% [markdown]
# **Predict**, for the last suite printed above: does its recorded evaluation show, beyond a coin toss (probability
# below 0.05), that planning changes the success rate?

# %%
guess = None  # "yes" or "no"

# %%
from workbench.statistics import paired_difference

for suite, (first, second) in pairs.items():
    found = paired_difference(first, second)
    low, high = (100 * end for end in found.interval)
    print(f"{suite}: gained {found.gained}, lost {found.lost}")
    print(f"    difference {100 * found.difference:+.0f} points, 95 % interval {low:+.0f} to {high:+.0f}")
    print(f"    a coin would split so unevenly with probability {found.p_value:.2f}")
    assert found.interval[0] <= found.difference <= found.interval[1]
shown = "yes" if pairs and found.p_value < 0.05 else "no"
score.reveal("Does the evaluation show it?", guess, shown)

# %% [markdown]
# "Not shown" is not "shown to be equal": read the interval. It says which differences are still possible.
#
# ## How many episodes would be enough?
#
# For a paired comparison it depends on how many episodes differ at all. Say a fifth of them do, or two fifths:

# %%
from workbench.statistics import paired_episodes

points, needed = [3, 4, 5, 6, 8, 10, 12.5, 15, 18], {}
for share in (0.2, 0.4):
    counts = [paired_episodes(discordant=share, difference=d / 100) for d in points]
    needed[f"{100 * share:.0f} % of the episodes differ"] = points, counts
show(plot_html(needed, x="true difference in points", y="paired episodes to see it (4 times of 5)", log="xy"))

# %% [markdown]
# The paper's planning gain on the real robot is 12.5 points of a score with degrees. Were it a success rate: where is
# that on the curve?
#
# ## The best of five seeds
#
# Somebody trains five times, evaluates each with 50 episodes, and reports the best. All five are truly at 70 %.
#
# **Predict**: what is reported, on average?

# %%
guess = None  # per cent

# %%
reported = 100 * np.random.default_rng(0).binomial(50, 0.7, (4000, 5)).max(1).mean() / 50
assert 74 < reported < 80
score.reveal("What is reported, in per cent, is", guess, round(float(reported), 1), about=1.5)

# %% [markdown]
# Nobody lied, and it is wrong by several points. Choose with some episodes, report with others.
#
# ## Your own evaluation
#
# ```
# workbench rollout --suite libero_mini --episodes 40 --out runs/alone
# workbench rollout --suite libero_mini --episodes 40 --planner best-of-n --futures 1 --values 1 \
#   --out runs/planned --compare runs/alone
# ```
#
# The second takes minutes, with the paper's ensembles (without `--futures 1 --values 1`) about an hour.
# Same seed, same episodes, whatever the planner; a stopped run continues. The official suites (`libero_spatial`,
# `libero_object`, `libero_goal`, `libero_10`) run through the same command once `LIBERO_ASSETS` names LIBERO's
# assets. They need the pinned MuJoCo: in newer ones LIBERO's stored initial states settle differently, and a task is
# lost before the robot moves.

# %% [markdown]
# ## Now break it
#
# - Set `truth` in the counting of intervals to 0.5. Which formula is better now? (The cell's `assert` will stop
#   you: say why, and delete it.)
# - Halve the recorded episodes (`shared = shared[::2]`). What happens to the interval of the difference?
# - Unpair them: shuffle one of the two lists with `np.random.default_rng(0).shuffle(second)`. The rates stay; what
#   becomes of gained, lost and the interval?

# %%
score

# %% [markdown]
# [← 7 Learn from experience](07_learn_from_experience.ipynb) · [all notebooks](index.ipynb) ·
# [9 The 2B model →](09_the_2b_model.ipynb)
