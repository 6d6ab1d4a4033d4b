"""Exercises of notebook 09: what the published model sees, weighs and costs."""

from workbench.course.exercise import Exercise, expect

EXERCISES = (
    Exercise(
        name="side_of_the_crop",
        title="The side of the crop",
        difficulty=1,
        hint="90 % of the area, not of the side: take the root. Upstream cuts decimals off.",
        solution="answer = int(224 * math.sqrt(0.9))",
        mistakes=("answer = int(224 * 0.9)", "answer = round(224 * math.sqrt(0.9)) + 1", "answer = 224 - 22"),
        check=expect(
            212,
            [
                (201, "That is 90 % of the side, which is 81 % of the area."),
                (202, "That is 90 % of the side, which is 81 % of the area."),
                (
                    213,
                    "So large is the random crop in training, which rounds up from 212.5; a query's is smaller.",
                ),
                (212.5039, "Pixels are whole: cut the decimals off."),
            ],
            otherwise="The square has 90 % of 224 times 224 pixels: how long is its side?",
            within=1e-4,
        ),
    ),
    Exercise(
        name="weights_in_memory",
        title="Weights in memory",
        difficulty=1,
        hint="bfloat16 has 16 bits, that is, 2 bytes a number.",
        solution="answer = 1.956 * 2",
        mistakes=("answer = 1.956 * 4", "answer = 1.956 * 16", "answer = 1.956"),
        check=expect(
            1.956413440 * 2,
            [
                (1.956 * 4, "That is float32; bfloat16 takes half of it."),
                (1.956 * 16, "Those are gigabits; a byte has 8 bits."),
                (1.956, "Each number takes two bytes, not one."),
            ],
            otherwise="Numbers times bytes a number, in units of 10^9 bytes.",
            within=0.02,
        ),
    ),
    Exercise(
        name="tokens_of_a_query",
        title="Tokens of a query",
        difficulty=2,
        hint="A patch is 2 x 2 in a frame of 28 x 28. How many patches has a frame, how many have nine?",
        solution="answer = 9 * (28 // 2) * (28 // 2)",
        mistakes=("answer = 9 * 28 * 28", "answer = 14 * 14", "answer = 9 * 16 * 14 * 14"),
        check=expect(
            1764,
            [
                (9 * 28 * 28, "Four elements each make one token: patches of 2 x 2."),
                (196, "That is one frame; the query has nine."),
                (9 * 16 * 14 * 14, "Channels are no tokens: a patch takes all 16 of them into one."),
                (11 * 196, "That is RoboCasa's and ALOHA's query, with eleven frames."),
            ],
            otherwise="Patches in a frame, times frames.",
        ),
    ),
    Exercise(
        name="rounds_of_a_decision",
        title="Rounds of a decision",
        difficulty=3,
        hint="What need not wait goes together. What must wait: futures for the actions, values for the futures.",
        solution="answer = 10 + 5 + 5",
        mistakes=("answer = 8 * (10 + 9 + 3 * 15)", "answer = 10 + 9 + 45", "answer = 10 + 5 + 15"),
        check=expect(
            20,
            [
                (8 * 64, "Those are all calls, one after another; candidates do not wait for one another."),
                (64, "Members of an ensemble do not wait for one another either: the longest one counts."),
                (10 + 5 + 15, "The three futures are valued together: 5 rounds, not 3 times 5."),
                (
                    10,
                    "After the actions the futures (at most 5 calls) and then their values (at most 5) are to come.",
                ),
            ],
            otherwise="The longest member of each phase, added up over the three phases.",
        ),
    ),
)
