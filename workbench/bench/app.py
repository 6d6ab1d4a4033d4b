"""`workbench bench app`: the app's times as a browser sees them, alone and with many browsers at once.

Starts `workbench app` in a process of its own and headless Chromium beside it. First one browser takes the time of
each thing that people wait for; then many, each with a moment of its own, plan for some minutes: every action must be
answered with that visitor's own moment. The browsers share the server's cores and give way to it (`nice`). Needs
the `test` extra (playwright, psutil) and a Chromium.
"""

import argparse
import asyncio
import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from workbench import files, moments
from workbench.app.session import in_words
from workbench.bench.serve import served
from workbench.provenance import provenance

SCHEMA = "bench-app/1"
WINDOW = {"width": 1280, "height": 720}
PATIENCE = 120_000
"""Milliseconds after which an action counts as not answered."""
YIELDS = 5
"""Niceness of the browsers, where the system knows it."""
QUICK, PAPER = "Quick (1 future x 1 value)", "Paper (3 x 5)"

PRESS_AND_WAIT = """selector => new Promise(answered => {
    document.querySelectorAll("#board .card").forEach(card => card.dataset.before = "yes")
    const start = performance.now()
    const look = setInterval(() => {
        if (!document.querySelector("#board .card:not([data-before]) .overlay")) return
        clearInterval(look)
        answered(performance.now() - start)
    }, 10)
    document.querySelector(selector).click()
})"""
"""Milliseconds from pressing *Plan* to the first new card with its path, even if the rest is there by then."""

SLIDE = """slider => new Promise(answered => {
    const said = document.querySelector("#denoise .denoise header p.on").textContent
    const start = performance.now()
    const look = () => {
        const now = document.querySelector("#denoise .denoise header p.on").textContent
        now === said ? requestAnimationFrame(look) : answered(performance.now() - start)
    }
    slider.value = slider.min
    slider.dispatchEvent(new Event("input", {bubbles: true}))
    look()
})"""
"""Milliseconds from moving the slider over network calls to the page that shows another call."""


@dataclass
class Visitor:
    """One browser's luck."""

    number: int
    answered: int = 0
    first_cards: list[float] = field(default_factory=list)
    """Seconds to the first card, a plan each."""
    saw_its_place: bool = False
    """Whether the page told it, at least once, that it waits."""
    wrong: list[str] = field(default_factory=list)
    """What was not answered, or with somebody else's moment."""


def main(options: Sequence[str]) -> int:
    """Print the times and how the crowd fared; 1 if an action was not answered or mixed up."""
    parser = argparse.ArgumentParser(prog="workbench bench app", description=__doc__)
    parser.add_argument("--checkpoint", default="mini")
    parser.add_argument("--browsers", type=int, default=8, help="at once (default: 8)")
    parser.add_argument("--minutes", type=float, default=5.0, help="that they plan (default: 5)")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="executable (default: the one on PATH)")
    parser.add_argument("--out", type=Path, help="file for the figures, JSON")
    given = parser.parse_args(options)
    if not 1 <= given.browsers <= 64:
        raise ValueError(f"--browsers: expected 1 to 64, got {given.browsers}")
    if not given.chromium:
        raise FileNotFoundError("no chromium on PATH: give --chromium FILE, or install it (Debian: chromium)")
    found = asyncio.run(measured(given))
    if given.out:
        files.write_json(given.out, {"schema": SCHEMA, **provenance(), **found})
    print("\n".join(lines(found)))
    return 1 if found["crowd"]["wrong"] else 0


async def measured(given: argparse.Namespace) -> dict[str, Any]:
    """All figures: `alone` in seconds, and `crowd`."""
    try:
        from playwright.async_api import async_playwright
        from psutil import Process
    except ImportError as missing:
        raise ModuleNotFoundError(f"bench app needs the test extra: pip install -e '.[test]' ({missing})") from None
    start = time.perf_counter()
    with served("app", "--checkpoint", given.checkpoint, path="/") as (address, pid):
        started = time.perf_counter() - start
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=given.chromium, args=["--no-sandbox"])
            give_way(Process().children(recursive=True))
            address += "/"
            alone = {"start-up": started} | await one(browser, address)
            crowded = await crowd(browser, address, Process(pid), browsers=given.browsers, minutes=given.minutes)
            await browser.close()
    return {"checkpoint": given.checkpoint, "niceness": YIELDS, "alone": alone, "crowd": crowded}


def give_way(processes: Sequence[Any]) -> None:
    """Let Chromium's processes, and those that they start, have the cores that the server does not want.

    The browsers of eight people are on eight machines; here they open their pages on the server's own cores, and would
    leave it a tenth of one.
    """
    for process in processes:
        with suppress(Exception):  # it has just ended
            if "chrom" not in process.name().lower():
                continue
            for thread in process.threads():
                os.setpriority(os.PRIO_PROCESS, thread.id, YIELDS)
            # Where Linux shares the cores out by session, niceness counts within one only: Chromium has its own.
            Path(f"/proc/{process.pid}/autogroup").write_text(str(YIELDS))


async def one(browser: Any, address: str) -> dict[str, float]:
    """Seconds that one browser waits for each thing."""
    page = await opened(browser)
    seconds = {}

    start = time.perf_counter()
    await page.goto(address)
    await page.locator("#board .card").nth(7).wait_for()
    seconds["first page"] = time.perf_counter() - start
    await page.wait_for_timeout(3000)  # models and simulator are got ready in the background
    for name, preset in (("1 x 1", QUICK), ("3 x 5", PAPER)):
        await page.get_by_text(preset).click()
        await planned(page)  # the first of a kind is not counted: kernels are chosen
        start = time.perf_counter()
        seconds[f"first card, {name}"] = await planned(page)
        seconds[f"eight plans, {name}"] = time.perf_counter() - start
    await page.goto(address + "denoise")
    slider = page.get_by_label("network call", exact=True)
    await slider.wait_for()
    seconds["slider"] = float(await slider.evaluate(SLIDE)) / 1000
    await page.goto(address + "what-if")
    await page.locator("#what-if h3", has_text="wrist camera black").wait_for()
    await page.wait_for_timeout(5000)
    await page.get_by_role("tab", name="Action").click()
    await page.get_by_label("number input for plus").fill("0.5")
    await page.get_by_label("number input for plus").press("Enter")
    await page.wait_for_timeout(500)
    start = time.perf_counter()
    await page.locator("#ask-action").click()
    await page.locator("#what-if h3", has_text="every action +0.5").wait_for()
    seconds["what if"] = time.perf_counter() - start
    await page.context.close()
    return seconds


async def opened(browser: Any) -> Any:
    """A page of a browser context of its own: no cookie or cache is shared."""
    context = await browser.new_context(viewport=WINDOW)
    context.set_default_timeout(PATIENCE)
    return await context.new_page()


async def planned(page: Any) -> float:
    """Press *Plan*, wait for the whole plan; seconds to the first card."""
    await page.locator("#plan:enabled").wait_for()  # the page knows its moment
    first = await asyncio.wait_for(page.evaluate(PRESS_AND_WAIT, "#plan"), PATIENCE / 1000)
    await page.locator("#plan").wait_for(state="visible")
    await page.locator("#board .chip", has_text="live").wait_for()
    return float(first) / 1000


async def crowd(browser: Any, address: str, server: Any, *, browsers: int, minutes: float) -> dict[str, Any]:
    """Many browsers plan at once, each from moments of its own choice; their luck and the server's memory."""
    names = moments.available()
    addresses = {name: moments.load(name).plan.moment.address for name in names}
    visitors = [Visitor(number) for number in range(browsers)]
    end = time.monotonic() + 60 * minutes
    memory: list[float] = []
    watching = asyncio.create_task(watch(server, memory))
    await asyncio.gather(*(visit(browser, address, visitor, addresses, end) for visitor in visitors))
    watching.cancel()
    firsts = [seconds for visitor in visitors for seconds in visitor.first_cards]
    return {
        "browsers": browsers,
        "minutes": minutes,
        "answered": sum(visitor.answered for visitor in visitors),
        "answered_each": [visitor.answered for visitor in visitors],
        "wrong": [problem for visitor in visitors for problem in visitor.wrong],
        "first_card_seconds": waits(firsts),
        "saw_their_place": sum(visitor.saw_its_place for visitor in visitors),
        "memory_mib": memory,
    }


async def visit(browser: Any, address: str, visitor: Visitor, moments: Mapping[str, str], end: float) -> None:
    """Choose a moment, plan from it, look whether it is one's own; again until `end`. The page is opened once."""
    page = await opened(browser)
    names, turn = list(moments), visitor.number
    while time.monotonic() < end:
        name = names[turn % len(names)]
        turn += 1
        try:
            if page.url.startswith(address):
                await page.locator(f'#moments [data-name="{name}"]').click()
            else:
                await page.goto(f"{address}?moment={name}")
            await page.locator("#board .facts", has_text=moments[name]).wait_for()
            await page.wait_for_timeout(500)  # a person looks before they press
            await page.get_by_text(QUICK).click()
            visitor.first_cards.append(await waiting_plan(page, visitor))
            facts = await page.locator("#board .facts").inner_text()
            if moments[name] not in facts:
                visitor.wrong.append(f"visitor {visitor.number} asked about {moments[name]} and was shown: {facts}")
            visitor.answered += 2
        except Exception as error:  # every kind of failure is a figure here, and the visit goes on
            visitor.wrong.append(f"visitor {visitor.number}, {name}: {in_words(error)}")
    await page.context.close()


async def waiting_plan(page: Any, visitor: Visitor) -> float:
    """`planned`, with an eye on whether the page says that one waits."""
    plan = asyncio.create_task(planned(page))
    while not plan.done():
        with suppress(Exception):
            said = await page.locator("#board header").first.inner_text()
            visitor.saw_its_place |= "waiting" in said or "shared with" in said
        await asyncio.wait([plan], timeout=0.25)
    return plan.result()


async def watch(server: Any, memory: list[float]) -> None:
    """Append the resident memory (MiB) of the server, without its simulators, every ten seconds."""
    while True:
        memory.append(round(server.memory_info().rss / 2**20, 1))
        await asyncio.sleep(10)


def waits(seconds: Sequence[float]) -> dict[str, float]:
    """How long one waits: in the median, in nine of ten cases, at worst; nothing of nothing."""
    if not seconds:
        return {}
    return {"median": float(np.median(seconds)), "nine_in_ten": float(np.quantile(seconds, 0.9)), "worst": max(seconds)}


def lines(found: Mapping[str, Any]) -> list[str]:
    """The figures in words."""
    alone, crowd = found["alone"], found["crowd"]
    said = [f"one browser, checkpoint {found['checkpoint']}:"]
    said += [f"  {name:<20}{seconds:7.2f} s" for name, seconds in alone.items()]
    said += [
        f"{crowd['browsers']} browsers at once, {crowd['minutes']:g} minutes:",
        f"  {crowd['answered']} actions answered, {len(crowd['wrong'])} not or wrongly",
        f"  actions a browser: {min(crowd['answered_each'])} to {max(crowd['answered_each'])}",
    ]
    if first := crowd["first_card_seconds"]:
        often = f"{first['median']:.2f} s median, {first['nine_in_ten']:.2f} s in nine of ten cases"
        said.append(f"  first card: {often}, {first['worst']:.2f} s at worst")
    said.append(f"  {crowd['saw_their_place']} were told that they wait")
    if memory := crowd["memory_mib"]:
        half = len(memory) // 2
        said.append(
            f"  server's memory: {memory[0]:.0f} MiB at first, {memory[half]:.0f} half-way, {memory[-1]:.0f} at last"
        )
    return said + [f"  {json.dumps(problem)}" for problem in crowd["wrong"][:10]]
