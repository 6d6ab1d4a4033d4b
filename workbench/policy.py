"""The policy: the steps in order. One query in, actions, imagined future and value out (METHOD.md 6.3)."""

from collections.abc import Generator
from dataclasses import replace

from workbench.diffusion import noise
from workbench.diffusion.samplers import StepTrace, schedule
from workbench.latents import Latents
from workbench.layout import Mode
from workbench.models.bundle import Bundle
from workbench.steps import decode, denoise, encode, extract, trace
from workbench.types import Observation, Prediction


def predict(
    bundle: Bundle,
    observation: Observation,
    instruction: str,
    *,
    seed: int = 0,
    calls: int | None = None,
    pictures: bool = False,
) -> Prediction:
    """What `bundle` would do now, and what it expects of it, in one joint sample.

    `calls`: network calls (default: the platform's). `pictures`: also decode the imagined future.
    """
    steps = predicting(bundle, observation, instruction, seed=seed, calls=calls, pictures=pictures)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def predicting(
    bundle: Bundle,
    observation: Observation,
    instruction: str,
    *,
    seed: int = 0,
    calls: int | None = None,
    sigma_min: float | None = None,
    pictures: bool = False,
) -> Generator[StepTrace, None, Prediction]:
    """`predict`, network call by network call. `sigma_min`: last noise level (default: the platform's)."""
    latents = encode(bundle, observation, instruction, decodable=pictures).ask("policy")
    first, last = bundle.spec.sigmas
    sigmas = schedule(calls or bundle.spec.calls, bounds=(first, sigma_min or last))
    latents = yield from trace(bundle.denoiser, latents, noise.draw([seed], bundle.layout), sigmas=sigmas)
    return read(bundle, latents, pictures=pictures)


def predict_in_turn(
    bundle: Bundle,
    observation: Observation,
    instruction: str,
    *,
    seed: int = 0,
    calls: int | None = None,
    future_calls: int = 1,
    value_calls: int = 1,
    value: str = "v",
) -> Prediction:
    """The same, one thing after another: actions, then the future that they lead to, then its value.

    All stages use the same seed, as upstream does. With `value="q"` the future is left out of the chain.
    """
    latents = encode(bundle, observation, instruction)
    latents = ask(bundle, latents, "policy", seed=seed, calls=calls or bundle.spec.calls)
    if value != "q":
        latents = ask(bundle, latents, "world_model", seed=seed, calls=future_calls)
    final = ask(bundle, latents, bundle.question(value), seed=seed, calls=value_calls)
    said = extract(final, bundle.stats)
    return replace(read(bundle, latents, pictures=True), value=float(said.value[0]))


def ask(bundle: Bundle, latents: Latents, mode: Mode, *, seed: int, calls: int) -> Latents:
    """One question to the network: the frames that `mode` does not know are sampled anew from `seed`."""
    start = noise.draw([seed], bundle.layout)
    return denoise(bundle.denoiser, latents.ask(mode), start, sigmas=schedule(calls, bounds=bundle.spec.sigmas))


def read(bundle: Bundle, latents: Latents, *, pictures: bool) -> Prediction:
    """The first row of `latents` in physical units."""
    said = extract(latents.row(0), bundle.stats)
    seen = decode(bundle.tokenizer, latents.row(0)) if pictures else {}
    return Prediction(
        actions=said.actions[0],
        future_proprio=said.future_proprio[0],
        value=float(said.value[0]),
        images={camera: picture[0] for camera, picture in seen.items()},
    )
