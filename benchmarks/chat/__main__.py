"""How a chat model replies: 300 messages and 30 conversations that no model is trained on.

    python -m benchmarks.chat answer -o FOLDER [--model MODEL] [--half dev] [--against MODEL|bm25]
        [--data DATA] [--corpus FILE] [--heldout FILE] [--blocked-words FILE]
    python -m benchmarks.chat score FOLDER SHEET [SHEET]

`answer` replies to one half with each system, measures what needs no judge, and writes to FOLDER
`answers.jsonl`, `measures.md`, the replies with unseen words in `unseen.tsv`, and sheets in which
people mark replies without knowing whose they are. `score` says what filled sheets of one kind say,
and how far their judges agree. Make choices on the half `dev`; look at `test` once, at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


from benchmarks.chat.inputs import (
    HALVES,
    Dialogue,
    read_conversations,
    read_corpus,
    read_messages,
)
from benchmarks.chat.measures import (
    contains_any,
    lowercase_words,
    other_stop,
    repeats,
    unseen_words,
    without_question_mark,
    word_f1,
)
from benchmarks.chat.sheets import KEY, Answer, score_sheets, write_sheets
from benchmarks.chat.systems import BASELINE, Baseline, ChatModel, Seen, System
from training.metrics import distinct, most_repeated
from training.prepare.shards import Shard, evenly_spaced

#: A measure's name, and its value as text.
Measures = dict[str, str]


def main() -> None:
    chosen = _parser().parse_args()
    chosen.run(chosen)


def _score(chosen: argparse.Namespace) -> None:
    print(score_sheets(chosen.folder / KEY, chosen.sheets))


def _answer(chosen: argparse.Namespace) -> None:
    systems, folders = _load_systems(chosen)
    seen = Seen.of(folders) if chosen.data or chosen.corpus else None
    dialogues = read_corpus(chosen.corpus, chosen.lines)
    heldout = Shard(chosen.heldout) if chosen.heldout else None
    chosen.output.mkdir(parents=True, exist_ok=True)
    answers: list[Answer] = []
    unseen: list[str] = []
    columns: dict[str, Measures] = {}
    for name, system in systems.items():
        single, columns[name] = _answer_messages(name, system, read_messages(chosen.half))
        others, measures = _answer_conversations(name, system, read_conversations(chosen.half))
        answers += [*single, *others]
        columns[name] |= measures
        if seen:
            are_seen = [" ".join(lowercase_words(each.turns[0])) in seen.turns for each in single]
            columns[name]["messages that training has"] = _share(sum(are_seen), len(are_seen))
        if seen and dialogues:
            replies = [system.converse(dialogue.messages) for dialogue in dialogues]
            columns[name] |= _measure_corpus(replies, seen, chosen.blocked_words)
            unseen += _unseen_lines(name, chain.from_iterable(replies), seen)
        if heldout:
            columns[name] |= _measure_heldout(system, heldout, chosen.examples)
    table = _table(columns)
    print(table)
    (chosen.output / "measures.md").write_text(table + "\n", "utf-8")
    (chosen.output / "unseen.tsv").write_text("".join(unseen), "utf-8")
    lines = [json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in answers]
    (chosen.output / "answers.jsonl").write_text("".join(lines), "utf-8")
    write_sheets(chosen.output, answers, seed=chosen.seed)


def _load_systems(chosen: argparse.Namespace) -> tuple[dict[str, System], list[Path]]:
    """Loads the systems, by name; returns them and the folders of prepared data."""
    model = ChatModel(chosen.model, seed=chosen.seed)
    folders = chosen.data or [model.data_folder]
    systems: dict[str, System] = {chosen.model: model}
    for name in chosen.against:
        if name == BASELINE:
            systems[name] = Baseline(folders)
        else:
            systems[name] = ChatModel(name, seed=chosen.seed)
    return systems, folders


def _answer_messages(
    name: str, system: System, dialogues: Sequence[Dialogue]
) -> tuple[list[Answer], Measures]:
    """Replies to single messages, again without their final signs."""
    messages = [dialogue.messages[0] for dialogue in dialogues]
    system.converse(messages[:1])  # what is done at the first reply alone does not count
    start = time.process_time()
    replies = [system.converse([message])[0] for message in messages]
    cpu_ms = 1000 * (time.process_time() - start) / len(replies)
    answers = [
        Answer(name, "message", dialogue.topic, dialogue.messages, reply)
        for dialogue, reply in zip(dialogues, replies, strict=True)
    ]
    words = sum(len(lowercase_words(reply)) for reply in replies)
    return answers, {
        "equal replies with and without the final stop": _equal(system, answers, other_stop),
        "equal replies without the question mark": _equal(system, answers, without_question_mark),
        "distinct-2": f"{distinct(replies, 2):.1f} %",
        "most frequent reply": f"{most_repeated(replies):.1f} %",
        "words a reply": f"{words / len(replies):.1f}",
        "ms of CPU a reply": f"{cpu_ms:.2f}",
    }


def _equal(system: System, answers: Sequence[Answer], other: Callable[[str], str | None]) -> str:
    """Returns how many of the replies stay what they are if the message is changed by `other`."""
    changed = [(other(answer.turns[0]), answer.reply) for answer in answers]
    are_equal = [system.converse([message])[0] == reply for message, reply in changed if message]
    return _share(sum(are_equal), len(are_equal))


def _answer_conversations(
    name: str, system: System, dialogues: Sequence[Dialogue]
) -> tuple[list[Answer], Measures]:
    """Replies to each message of conversations."""
    answers = []
    conversations = []
    for dialogue in dialogues:
        turns: list[str] = []
        replies = system.converse(dialogue.messages)
        conversations.append(replies)
        for message, reply in zip(dialogue.messages, replies, strict=True):
            turns.append(message)
            answers.append(Answer(name, "conversation", dialogue.topic, tuple(turns), reply))
            turns.append(reply)
    return answers, {"repeats in conversations": _repeats(conversations)}


def _measure_corpus(
    conversations: Sequence[Sequence[str]], seen: Seen, blocked_words: Path | None
) -> Measures:
    """Returns the measures of replies to another corpus."""
    replies = list(chain.from_iterable(conversations))
    unseen = sum(bool(unseen_words(reply, seen.words)) for reply in replies)
    measures = {
        "corpus: repeats in conversations": _repeats(conversations),
        "corpus: replies with an unseen word": _share(unseen, len(replies)),
        "corpus: distinct-2": f"{distinct(replies, 2):.1f} %",
        "corpus: most frequent reply": f"{most_repeated(replies):.1f} %",
    }
    if blocked_words:
        phrases = blocked_words.read_text("utf-8").splitlines()
        blocked = sum(contains_any(reply, phrases) for reply in replies)
        measures["corpus: replies with a blocked word"] = _share(blocked, len(replies))
    return measures


def _unseen_lines(name: str, replies: Iterable[str], seen: Seen) -> list[str]:
    """Returns a line for each reply with words that training never showed: system, words, reply."""
    return [
        f"{name}\t{' '.join(words)}\t{reply}\n"
        for reply in replies
        if (words := unseen_words(reply, seen.words))
    ]


def _measure_heldout(system: System, shard: Shard, examples: int) -> Measures:
    """Returns the measures of replies to exchanges whose replies are known."""
    indices = evenly_spaced(len(shard), examples).tolist()
    replies = [system.reply(shard.source_turns(index)) for index in indices]
    references = [shard.target_text(index) for index in indices]
    shared = [word_f1(*pair) for pair in zip(replies, references, strict=True)]
    return {
        "held-out: distinct-2": f"{distinct(replies, 2):.2f} %",
        "held-out: F1 of words": f"{100 * sum(shared) / len(shared):.2f} %",
        "held-out: most frequent reply": f"{most_repeated(replies):.1f} %",
    }


def _repeats(conversations: Sequence[Sequence[str]]) -> str:
    """Returns how many replies repeat one of the same conversation, of all but the first ones."""
    return _share(
        sum(map(repeats, conversations)), sum(len(replies) - 1 for replies in conversations)
    )


def _share(count: int, total: int) -> str:
    return f"{100 * count / max(1, total):.1f} % ({count} of {total})"


def _table(columns: dict[str, Measures]) -> str:
    """Returns a table with a column for each system."""
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for measure in next(iter(columns.values())):
        cells = [column[measure] for column in columns.values()]
        lines.append(f"| {measure} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    answer = commands.add_parser("answer", help="reply to one half, and measure")
    answer.set_defaults(run=_answer)
    add = answer.add_argument
    add("-o", "--output", type=Path, required=True, help="a folder")
    add("--model", default="models/default", help="a model folder")
    add("--half", choices=HALVES, default="dev")
    add("--against", nargs="+", default=[], help=f"model folders, or {BASELINE}")
    add("--data", type=Path, nargs="+", help="folders that `prepare` wrote; default: the model's")
    add("--corpus", type=Path, nargs="+", default=[], help="files, one conversation a line")
    add("--lines", type=int, default=5000, help="most messages of the corpus")
    add("--heldout", type=Path, help="a test.arrow that `prepare` wrote")
    add("--examples", type=int, default=1000, help="most held-out exchanges")
    add("--blocked-words", type=Path, help="a file, one word or phrase a line")
    add("--seed", type=int, default=1, help="of samples, and of the order of sheets")
    score = commands.add_parser("score", help="say what filled sheets say")
    score.set_defaults(run=_score)
    score.add_argument("folder", type=Path, help="the folder that `answer` wrote")
    score.add_argument("sheets", type=Path, nargs="+", help="filled sheets of one kind")
    return parser


if __name__ == "__main__":
    main()
