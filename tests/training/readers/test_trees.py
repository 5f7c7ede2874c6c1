from __future__ import annotations

import random

import pytest

from training.files.records import Example, Fault
from training.readers.trees import Post, exchanges_of_posts

QUESTION, GUESS, DOUBT, ANSWER = "Who is there?", "Ben?", "No, it is not.", "It is me."
#: By id: parent, author, text.
THREAD = {
    "1": ("", "Anna", QUESTION),
    "2": ("1", "Cleo", GUESS),
    "3": ("2", "Anna", DOUBT),
    "4": ("1", "Dan", ANSWER),
}


def posts_of(thread: dict[str, tuple[str, str, str]]) -> list[Post]:
    return [Post(key, *values, f"a:{key}") for key, values in thread.items()]


def exchanges(posts: list[Post]) -> list[Example | Fault]:
    return sorted(exchanges_of_posts(posts, "a"), key=lambda each: each.origin)


@pytest.mark.parametrize("seed", range(3))
def test_each_answer_is_an_example_in_whatever_order_messages_come(seed: int) -> None:
    posts = posts_of(THREAD)
    random.Random(seed).shuffle(posts)
    assert exchanges(posts) == [
        Example((QUESTION,), GUESS, "a:1", "a:2"),
        Example((QUESTION, GUESS), DOUBT, "a:1", "a:3"),
        Example((QUESTION,), ANSWER, "a:1", "a:4"),
    ]


def test_messages_of_one_author_in_a_row_are_one_turn() -> None:
    thread = {**THREAD, "5": ("4", "Dan", "Open the door."), "6": ("5", "Anna", "Come in.")}
    answer = f"{ANSWER} Open the door."
    *_, joined, last = exchanges(posts_of(thread))
    assert joined == Example((QUESTION,), answer, "a:1", "a:5")
    assert last == Example((QUESTION, answer), "Come in.", "a:1", "a:6")


def test_an_answer_to_a_deleted_message_has_no_context() -> None:
    thread = {**THREAD, "2": ("1", "[deleted]", "[deleted]"), "5": ("3", "[deleted]", "Oh.")}
    assert exchanges(posts_of(thread)) == [
        Example((QUESTION,), ANSWER, "a:1", "a:4"),
        Example((DOUBT,), "Oh.", "a:1", "a:5"),
    ]


def test_a_turn_whose_end_was_removed_is_an_example() -> None:
    thread = {**THREAD, "5": ("4", "Dan", "[removed]")}
    assert exchanges(posts_of(thread)) == exchanges(posts_of(THREAD))


def test_a_message_whose_parent_is_missing_begins_a_tree() -> None:
    [guess, _] = exchanges(posts_of({**THREAD, "4": ("9", "Dan", ANSWER)}))
    assert guess == Example((QUESTION,), GUESS, "a:1", "a:2")
    [answer] = exchanges(posts_of({"2": ("9", "", GUESS), "3": ("2", "", DOUBT)}))
    assert answer == Example((GUESS,), DOUBT, "a:2", "a:3")


def test_messages_in_a_circle_are_a_fault() -> None:
    thread = {**THREAD, "5": ("6", "", "a"), "6": ("5", "", "b"), "7": ("6", "", "c")}
    fault, *examples = exchanges(posts_of(thread))
    assert fault == Fault("a", "3 messages answer each other in a circle, or one that does")
    assert len(examples) == 3


def test_a_message_that_answers_itself_begins_a_tree() -> None:
    assert exchanges(posts_of({**THREAD, "1": ("1", "Anna", QUESTION)})) == exchanges(
        posts_of(THREAD)
    )


def test_an_id_that_occurs_twice_is_a_fault() -> None:
    posts = [*posts_of(THREAD), Post("4", "1", "", "Me again.", "a:9")]
    assert exchanges(posts)[-1] == Fault("a:9", "another message has its id 4")


def test_a_file_without_answers_says_so() -> None:
    posts = posts_of({"1": ("", "", "a"), "2": ("x1", "", "b")})
    assert exchanges(posts) == [
        Fault("a", "no message answers another: no parent is among the ids")
    ]


def test_a_thread_of_any_depth_is_read() -> None:
    thread = {str(i): (str(i - 1), "", f"{i}") for i in range(1, 3001)}
    found = list(exchanges_of_posts(posts_of(thread), "a"))
    assert len(found) == 2999
    assert found[-1] == Example(tuple(str(i) for i in range(2984, 3000)), "3000", "a:1", "a:3000")


def test_half_a_character_stays_as_it_is() -> None:
    [example] = exchanges([Post("1", "", "", "\ud83d", "a:1"), Post("2", "1", "", "b", "a:2")])
    assert isinstance(example, Example)
    assert example.source == ("\ud83d",)
