"""Does the model foresee what happens? A figure a question, over the decisions of recorded or fresh episodes.

Bars are 95 % intervals. The decisions of one episode are not independent: they count as one observation.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from workbench.foresight import Foreseen, Foresight, columns, measure, record
from workbench.statistics import auc, auc_interval, calibration_bins, mean_interval, t_interval
from workbench.views.plot import Curve, plot_html
from workbench.views.tags import tag, text
from workbench.views.words import number

V, Q, WON, LOST = 0, 1, 2, 4
"""Colours: of the two questions, and of the two outcomes."""
NAMES = {"v": "V(s') of the imagined future", "q": "Q(s, a) of the actions"}
PAINTS = {"v": V, "q": Q}
BINS = 8
CHANCE = 0.5

Decisions = Sequence[Foresight]


def foresight_html(foreseen: Foreseen, *, origin: str = "", save: bool = False) -> str:
    """All four figures, with an answer in words below each.

    `origin` is a word for where the decisions come from, such as "recorded"; `save` adds a link to them as a file.
    """
    decisions = foreseen.decisions
    found = measure(decisions) | {"knowable": foreseen.about.get("knowable")}
    chip = tag("span", text(origin), class_="chip") if origin else ""
    said = f"{found['successes']} of {found['episodes']} episodes end in success, {found['decisions']} decisions"
    link = _save(foreseen) if save else ""
    head = tag("header", tag("h3", chip, " ", text(said)), tag("p", *_about(foreseen), class_="about"), link)
    figures = [
        ("Is it what comes true?", calibration_html, calibrated),
        ("Do successes and failures part, and when?", over_time_html, parted),
        ("Does it tell a success from a failure at the same step?", auc_html, told_apart),
        ("Is it worth imagining?", v_against_q_html, imagining),
    ]
    asked = [_question(words, figure(decisions), answer(found, decisions)) for words, figure, answer in figures]
    body = tag("div", *asked, class_="questions")
    foot = tag("p", "Bars are 95 % intervals; the decisions of one episode count as one observation.", class_="about")
    return tag("section", head, body, foot, class_="wb foresight")


def _question(question: str, figure: str, answer: str) -> str:
    return tag("article", tag("h4", text(question)), figure, tag("p", text(answer), class_="answer"))


def calibration_html(decisions: Decisions) -> str:
    """Realised return against value, in bins of equally many neighbouring values; on the diagonal it is the truth."""
    of = columns(decisions)
    lines = {"as it comes true": Curve([0, 1], [0, 1], dashed=True)}
    for key, name in NAMES.items():
        bins = calibration_bins(of[key], min(BINS, len(decisions)))
        ends = [mean_interval(of["return"][part], groups=of["episode"][part]) for part in bins]
        means = [(of[key][part].mean(), of["return"][part].mean()) for part in bins]
        lines[name] = _curve(means, ends, PAINTS[key])
    return plot_html(lines, x="value said, in [0, 1] (mean of a bin)", y="realised discounted return, in [0, 1]")


def over_time_html(decisions: Decisions) -> str:
    """Mean V(s') at every control step, of the episodes that succeed and of those that fail."""
    of = columns(decisions)
    lines = {}
    for name, success, paint in (("episodes that succeed", True, WON), ("episodes that fail", False, LOST)):
        here = of["success"] == success
        steps = np.unique(of["step"][here]).astype(float)
        each = [of["v"][here & (of["step"] == step)] for step in steps]
        if each:
            means = [(step, values.mean()) for step, values in zip(steps, each, strict=True)]
            lines[name] = _curve(means, [_mean_ends(values) for values in each], paint)
        if success and each:
            came = [of["return"][here & (of["step"] == step)].mean() for step in steps]
            lines["what comes true of those"] = Curve(steps, came, dashed=True)
    return plot_html(lines, x="control step", y="V(s'), in [0, 1] (mean over episodes)")


def auc_html(decisions: Decisions) -> str:
    """AUC of the outcome among the decisions of every control step at which both outcomes are."""
    of = columns(decisions)
    steps = [float(step) for step in np.unique(of["step"]) if len(set(of["success"][of["step"] == step])) == 2]
    if not steps:
        return tag("p", "No step has decisions of both outcomes: more episodes are needed.", class_="about")
    lines = {"chance": Curve([steps[0], steps[-1]], [CHANCE, CHANCE], dashed=True)}
    for key, name in NAMES.items():
        parts = [of["step"] == step for step in steps]
        areas = [auc(of[key][part], of["success"][part]) for part in parts]
        ends = [auc_interval(of[key][part], of["success"][part]) for part in parts]
        lines[name] = _curve(list(zip(steps, areas, strict=True)), ends, PAINTS[key])
    return plot_html(lines, x="control step", y="share of pairs in which the success is valued higher (AUC)")


def v_against_q_html(decisions: Decisions) -> str:
    """Every decision: V(s') of the future that is imagined against Q(s, a), which imagines nothing."""
    of = columns(decisions)
    lines: dict[str, Curve] = {"equal": Curve([0, 1], [0, 1], dashed=True)}
    for name, success, paint in (("episodes that succeed", True, WON), ("episodes that fail", False, LOST)):
        here = of["success"] == success
        if here.any():
            lines[name] = Curve(of["q"][here], of["v"][here], paint=paint, dots=True)
    return plot_html(lines, x="Q(s, a), in [0, 1]", y="V(s'), in [0, 1]")


# the answers in words -----------------------------------------------------------------------------------


def calibrated(found: Mapping[str, Any], decisions: Decisions) -> str:
    """What is said and what comes true, in the mean."""
    of = columns(decisions)
    low, high = mean_interval(of["return"], groups=of["episode"])
    mean, came = found["value_mean"], found["return_mean"]
    verdict = "too hopeful" if mean > high else "too gloomy" if mean < low else "no sign of a bias"
    off = f"V(s') is {number(found['value_mean_absolute_error'])} from the realised return"
    off += f", Q(s, a) {number(found['q_mean_absolute_error'])}"
    return f"V(s') says {number(mean)} in the mean, {number(came)} ({_ends(low, high)}) comes true: {verdict}. {off}."


def parted(found: Mapping[str, Any], decisions: Decisions) -> str:
    """How far apart the outcomes' values are half-way."""
    of, step = columns(decisions), found["half_way_step"]
    won, lost = (of["v"][(of["step"] == step) & (of["success"] == success)] for success in (True, False))
    if not len(won) or not len(lost):
        return "All of these episodes end alike at the step half-way: nothing can part there."
    return (
        f"Half-way, at step {step}, V(s') is {number(won.mean())} in the mean of {len(won)} episodes that succeed and "
        f"{number(lost.mean())} of {len(lost)} that fail."
    )


def told_apart(found: Mapping[str, Any], decisions: Decisions) -> str:
    """The AUC at equal step, of both questions."""
    if found["value_auc_at_equal_step"] is None:
        return "Without both outcomes at one step there is no pair to compare."
    said = [
        f"{number(found[f'{key}_auc_at_equal_step'])} ({_ends(*found[f'{key}_auc_interval'])}) with {name}"
        for key, name in (("value", "V(s')"), ("q", "Q(s, a)"))
    ]
    knowable = _knowable(found)
    return f"Over all steps, of pairs at the same one: {said[0]}, {said[1]}; {CHANCE} is chance.{knowable}"


def _knowable(found: Mapping[str, Any]) -> str:
    """What could be known half-way, where `workbench bench knowable` has found it out; empty elsewhere."""
    try:
        known = found["knowable"]
        value = float(known.get("value_auc_half_way") or found["value_auc_half_way"])
        times, chance = int(known["continuations"]), float(known["truth_auc_half_way"])
        seen = float(known["seen_auc_half_way"])
        low, high = map(float, known["truth_auc_half_way_interval"])
        episodes = int(known.get("episodes") or found["episodes"])
    except (LookupError, TypeError, ValueError, AttributeError):  # a file may say anything
        return ""
    return (
        f" Half-way, of {episodes} episodes, V(s') has {number(value)}, of what was really seen then {number(seen)}. "
        f"The chance of success from there, found by going on {times} times, has {number(chance)} "
        f"({_ends(low, high)}): so much could be known."
    )


def imagining(found: Mapping[str, Any], decisions: Decisions) -> str:
    """Which of the two is nearer to what comes true."""
    of = columns(decisions)
    nearer = np.abs(of["q"] - of["return"]) - np.abs(of["v"] - of["return"])
    each = [nearer[of["episode"] == episode].mean() for episode in np.unique(of["episode"])]
    mean, (low, high) = float(np.mean(each)), t_interval(each)
    apart = f"The two are {number(float(np.abs(of['v'] - of['q']).mean()))} apart in the mean."
    if not np.isfinite(low):
        return f"{apart} One episode does not say which of them is nearer to what comes true."
    verdict = "V(s') is nearer" if low > 0 else "Q(s, a) is nearer" if high < 0 else "It is not shown which is nearer"
    return f"{apart} {verdict} to what comes true: V(s') by {mean:+.3f} ({low:+.3f} to {high:+.3f})."


# parts --------------------------------------------------------------------------------------------------


def command(about: Mapping[str, Any], episodes: int) -> str:
    """The command that asks the same again."""
    given = {"checkpoint": about.get("checkpoint"), "suite": about.get("suite")}
    given |= {"episodes": episodes, "seed": about.get("seed")}
    given |= {name: about[name] for name in ("futures", "values") if name in about}
    return "workbench bench foresight " + " ".join(f"--{name} {value}" for name, value in given.items())


def _about(foreseen: Foreseen) -> list[str]:
    about = foreseen.about
    episodes = len({one.episode for one in foreseen.decisions})
    parts = [f"{about.get('checkpoint')} acts, {about.get('planner')} imagines and values, on {about.get('suite')}"]
    commit = about.get("commit")
    parts += [f"commit {commit[:12]}"] if isinstance(commit, str) else []
    return [text(", ".join(parts)), ": ", tag("code", text(command(about, episodes)))]


def _save(foreseen: Foreseen) -> str:
    kept = json.dumps(record(foreseen)).encode()
    href = f"data:application/json;base64,{base64.b64encode(kept).decode()}"
    return tag("a", "Save as a file", href=href, download="foresight.json", class_="press")


def _curve(points: Sequence[tuple[float, float]], ends: Sequence[tuple[float, float]], paint: int) -> Curve:
    (xs, ys), (low, high) = (np.array(pairs, float).T for pairs in (points, ends))
    return Curve(xs, ys, low, high, paint=paint)


def _mean_ends(values: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """Interval of a mean of values in [0, 1]; not finite where one episode is left."""
    low, high = t_interval(values)
    return (max(low, 0.0), min(high, 1.0)) if np.isfinite(low) else (np.nan, np.nan)


def _ends(low: float, high: float) -> str:
    return f"{number(low)} to {number(high)}"
