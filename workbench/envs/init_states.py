"""Making the fixed initial states of our suites: 50 a task, drawn with evaluation seeds, in safetensors.

`python -m workbench.envs.init_states` writes what `assets/libero_mini/init_states` holds. They are for
evaluation only: demonstrations and training rollouts draw theirs with `suites.training_seed`.
"""

import zlib

import numpy as np
from jaxtyping import Float

from workbench import files
from workbench.envs.libero import LiberoEnv, make_env
from workbench.envs.suites import evaluation_seed, suites

COUNT = 50
"""Initial states a task, LIBERO's number."""


def seeds(suite_name: str, task: int) -> list[int]:
    """The seeds that a task's fixed initial states are drawn with."""
    return [evaluation_seed(zlib.crc32(suite_name.encode()), task, k) for k in range(COUNT)]


def draw(env: LiberoEnv, task: int) -> Float[np.ndarray, "states n"]:
    """A task's fixed initial states: MuJoCo's time, positions and velocities before anything settles."""
    return np.stack([env.draw(task, seed) for seed in seeds(env.suite.name, task)])


def main() -> None:
    """Write the files of all of our suites."""
    import torch

    for name, suite in suites().items():
        if suite.official:
            continue
        env = make_env(name)
        states = {suite.files[task]: torch.from_numpy(draw(env, task)) for task in range(len(suite.tasks))}
        env.close()
        files.save_safetensors(suite.init_folder / f"{name}.safetensors", states)


if __name__ == "__main__":
    main()
