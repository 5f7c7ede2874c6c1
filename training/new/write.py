"""A recipe as a TOML file, with the result of the survey as comments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.new.proposal import Proposal
from training.new.survey import Survey, SurveyedSource
from training.recipe import MAX_NAME_LENGTH


def recipe_text(name: str, output: str, found: Survey, proposal: Proposal) -> str:
    """Returns a recipe for surveyed files, with the settings of a proposal."""
    lines = [f"# Written by `seq2seq new`. {proposal.kind} docs/recipes.md explains every key."]
    top = {"name": name, "task": found.task, "languages": found.languages, "output": output}
    if proposal.start_from:
        top["start_from"] = proposal.start_from
    lines += [f"{key} = {_toml(value)}" for key, value in top.items()]
    lines += ["", "[corpus]", *_keys(proposal.corpus), "sources = ["]
    for source in found.sources:
        set_keys = source.config.model_dump(exclude_defaults=True)
        keys = {"format": source.config.format, **set_keys}
        is_varied = proposal.variants and source.config.split in ("auto", "train")
        keys |= {"variants": proposal.variants} if is_varied else {}
        lines += [f"  {_toml(keys)},  # {describe(source)}"]
    lines += ["]"]
    for section in ("tokenizer", "network", "fit", "search"):
        if keys := getattr(proposal, section):
            lines += ["", f"[{section}]", *_keys(keys)]
    return "\n".join(lines) + "\n"


def describe(source: SurveyedSource) -> str:
    """Describes the contents of a source in one line."""
    about = "about " if source.is_estimate else ""
    parts = [f"{source.files:,} file{'s' if source.files != 1 else ''}", _size(source.size)]
    parts += [", ".join(source.encodings)] if source.encodings else []
    parts += ["-".join(filter(None, dict.fromkeys(source.languages))) or "unknown language"]
    parts += [f"{about}{source.examples:,} example{'s' if source.examples != 1 else ''}"]
    parts += [f"{source.faults:,} unreadable"] if source.faults else []
    return ", ".join(parts)


def describe_splits(found: Survey) -> str:
    """Describes in one line the published splits that are kept; returns nothing if there are
    none."""
    counts = found.examples_by_split
    held_out = {split: counts[split] for split in ("dev", "test") if split in counts}
    if not held_out:
        return ""
    listed = "".join(f", {count:,} {split}" for split, count in held_out.items())
    text = f"splits as published: {found.examples:,} train{listed} examples"
    if missing := {"dev", "test"} - held_out.keys():
        text += f"; {missing.pop()} is drawn from train"
    tests = len({each.config.path for each in found.sources if each.config.split == "test"})
    if tests > 1:
        text += f"; {tests} test sets are scored as one: leave one in the recipe to compare scores"
    return text


def describe_called_held_out(found: Survey) -> str:
    """Describes in one line the files that are used like others though called dev or test; returns
    nothing if there are none."""
    others = [source for source in found.sources if source.config.split in ("auto", "train")]
    files = [file for source in others for file in source.called_held_out]
    if not files:
        return ""
    more = f" and {len(files) - 1:,} more" if len(files) > 1 else ""
    return (
        f"{files[0]}{more}: called dev or test, but used like other files. To keep such a "
        "split, put it into a folder of its own, and set `split` for it in the recipe"
    )


def name_of(path: str) -> str:
    """Returns a name derived from the last part of a path, without its suffixes."""
    return valid_name(Path(path.split("*")[0].rstrip("/")).name.split(".")[0] or "model")


def valid_name(text: str) -> str:
    """Returns a name of a model with as many of the characters of a text as it may have."""
    name = "".join(
        each if each.isalpha() or each.isdecimal() or each in "_-." else "-" for each in text
    )
    return name[:MAX_NAME_LENGTH]


def _keys(values: dict[str, Any]) -> Iterator[str]:
    return (f"{key} = {_toml(value)}" for key, value in values.items())


def _toml(value: Any) -> str:
    """Formats a value; texts of JSON are texts of TOML."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _size(count: int) -> str:
    if count < 1024:
        return f"{count} bytes"
    return f"{count / 2**20:.1f} MB" if count >= 2**20 else f"{count / 1024:.0f} kB"
