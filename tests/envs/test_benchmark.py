"""Our suites in LIBERO's own benchmark registry, used as LIBERO's users do."""

import numpy as np
import pytest

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("name, count", [("libero_mini", 4), ("LIBERO_MINI_HARD", 6)])
def test_registered_as_a_benchmark(name, count):
    from libero.libero.benchmark import get_benchmark

    import workbench.envs.benchmark  # noqa: F401

    benchmark = get_benchmark(name)()
    assert benchmark.get_num_tasks() == count
    assert benchmark.get_task(1).language == "put the red cube in the bin"
    assert benchmark.get_task_init_states(0).shape == (50, 45)


def test_runs_in_liberos_environment():
    from libero.libero.benchmark import get_benchmark
    from libero.libero.envs import OffScreenRenderEnv

    import workbench.envs.benchmark  # noqa: F401
    from workbench.envs.libero import make_env

    make_env("libero_mini").close()  # names the assets folder and registers the problem
    benchmark = get_benchmark("libero_mini")()
    path = benchmark.get_task_bddl_file_path(0)
    env = OffScreenRenderEnv(bddl_file_name=path, camera_heights=32, camera_widths=32)
    env.seed(0)
    env.reset()
    observed = env.set_init_state(benchmark.get_task_init_states(0)[7])
    assert observed["agentview_image"].shape == (32, 32, 3)
    assert not env.check_success()
    _, reward, done, _ = env.step(np.zeros(7))
    assert reward == 0 and not done
    env.close()
