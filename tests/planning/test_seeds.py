"""Which seed each sample has: upstream's within a plan, far apart across an episode."""

from workbench.planning import seeds


def test_within_a_plan_seeds_are_upstreams():
    assert seeds.candidate_seeds(195, 4) == [195, 196, 197, 198]
    assert seeds.member_seeds(197, 3) == [197, 198, 199]


def test_members_take_evenly_more_calls():
    assert seeds.member_calls(5, 3) == [1, 3, 5]
    assert seeds.member_calls(5, 5) == [1, 2, 3, 4, 5]
    assert seeds.member_calls(10, 4) == [1, 4, 7, 10]
    assert seeds.member_calls(5, 1) == [1]


def test_decisions_and_episodes_have_seeds_of_their_own():
    many = {
        seeds.decision_seed(seeds.episode_seed(0, task, k), step)
        for task in range(4)
        for k in range(50)
        for step in range(0, 80, 8)
    }
    assert len(many) == 4 * 50 * 10
    assert all(0 <= seed < 2**31 for seed in many)


def test_the_same_question_has_the_same_seed():
    assert seeds.episode_seed(0, 2, 7) == seeds.episode_seed(0, 2, 7)
    assert seeds.continuation_seed(0, 1) != seeds.continuation_seed(0, 2)


def test_ensembles_start_at_each_candidate_or_all_where_none_was_proposed_from():
    assert seeds.ensemble_seeds([195, 196, 197], same_noise=False) == [195, 196, 197]
    assert seeds.ensemble_seeds([195, 196, 197], same_noise=True) == [198, 198, 198]
