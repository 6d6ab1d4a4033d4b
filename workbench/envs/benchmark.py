"""Our suites in LIBERO's benchmark registry, for code that is written against it.

`import workbench.envs.benchmark`, then `libero.libero.benchmark.get_benchmark("libero_mini")` works as for the
official suites. It is a file of its own because LIBERO's registry imports torch, which a simulator's process
can do without.
"""

import numpy as np
from jaxtyping import Float

from workbench import runtime
from workbench.envs.libero import init_states
from workbench.envs.suites import suite

runtime.configure()  # before LIBERO is imported, which asks questions if it finds no configuration

from libero.libero.benchmark import Benchmark, Task, register_benchmark  # noqa: E402


class OwnBenchmark(Benchmark):
    """A suite of ours as LIBERO's `Benchmark`: absolute BDDL paths, initial states from safetensors."""

    name: str

    def __init__(self, task_order_index: int = 0):
        super().__init__(task_order_index)
        here = suite(self.name)
        self.tasks = [
            Task(
                name=file,
                language=instruction,
                problem="Libero",
                problem_folder=str(here.bddl_folder),  # absolute: joined to LIBERO's folder, it stays itself
                bddl_file=f"{file}.bddl",
                init_states_file=str(here.init_folder / f"{self.name}.safetensors"),
            )
            for file, instruction in zip(here.files, here.tasks, strict=True)
        ]
        self.n_tasks = len(self.tasks)

    def get_task_init_states(self, i: int) -> Float[np.ndarray, "states n"]:
        """The task's fixed initial states, for `env.set_init_state`."""
        return init_states(self.name, i)


class LIBERO_MINI(OwnBenchmark):
    name = "libero_mini"


class LIBERO_MINI_HARD(OwnBenchmark):
    name = "libero_mini_hard"


register_benchmark(LIBERO_MINI)  # no decorator: it returns nothing
register_benchmark(LIBERO_MINI_HARD)
