"""Messages in records with named fields: their texts and speakers, and the turns that they form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from training.readers.trees import Post

#: Fields of a message with its speaker, and with its text.
ROLES = ("role", "from")
SPEAKERS = (*ROLES, "speaker", "sender", "author", "user", "creator")
CONTENTS = ("content", "value", "text", "utterance", "body", "message", "parts")
#: The field of a sender in chats of Messenger and Instagram, whose first message is the newest.
_SENDER_OF_MESSENGER = "sender_name"
#: Fields of a message with those that answer it, and that of all messages by their ids, in ChatGPT.
_REPLIES = ("replies", "children")
_MAPPING = "mapping"
TREES = (*_REPLIES, _MAPPING)
#: The field of the first message of a tree, in OpenAssistant.
_PROMPT = "prompt"
#: Roles whose messages are no turns: instructions and results of tools.
IGNORED_ROLES = ("system", "developer", "tool", "function")


def turns_of(value: Any) -> list[str]:
    """Returns the texts of a list of texts or messages; neighbouring messages of one speaker are
    one turn."""
    if not isinstance(value, list):
        raise ValueError("expected a list of turns")
    turns = list[str]()
    last: Any = None
    for each in value:
        content = content_of(each) if isinstance(each, dict) else each
        if content is None:
            continue
        if not isinstance(content, str):
            found = f"{[*each] if isinstance(each, dict) else each}"[:200]
            raise ValueError(f"expected texts, or {{role, content}}. Received: {found}")
        speaker = _value_of(each, SPEAKERS) if isinstance(each, dict) else None
        if speaker is not None and speaker == last:
            turns[-1] = f"{turns[-1]} {content}"
        else:
            turns.append(content)
        last = speaker
    if not turns:
        raise ValueError("expected a list of texts, or of {role, content}")
    return turns


def _value_of(message: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((message[name] for name in names if message.get(name)), None)


def content_of(message: dict[str, Any]) -> Any:
    """Returns a message's text; None if it does not belong to the conversation. Raises ValueError
    for a message of Messenger."""
    if _SENDER_OF_MESSENGER in message:
        raise ValueError("a chat from Messenger or Instagram. Set format = 'messenger'")
    role = _value_of(message, ROLES)
    if role in IGNORED_ROLES or message.get("tool_calls") or message.get("function_call"):
        return None
    content = next((message[name] for name in CONTENTS if message.get(name) is not None), ())
    if isinstance(content, list):  # parts: texts, pictures and the like
        texts = [part.get("text") if isinstance(part, dict) else part for part in content]
        content = " ".join(text for text in texts if isinstance(text, str))
    return None if content == "" else content


def posts_of_tree(record: dict[str, Any], place: str) -> list[Post]:
    """Returns the messages of a tree in a record, whose lines are in `place`: nested `replies`, or
    ChatGPT's `mapping`. Returns nothing if there is no tree."""
    if isinstance(nodes := record.get(_MAPPING), dict):
        return [_post_of_node(node, place) for node in nodes.values() if isinstance(node, dict)]
    root = _record_in(record, _PROMPT) or record
    return [*_nested_posts(root, place)] if _replies_to(root) is not None else []


def _replies_to(message: dict[str, Any]) -> list[Any] | None:
    return next((message[key] for key in _REPLIES if isinstance(message.get(key), list)), None)


def _nested_posts(root: dict[str, Any], place: str) -> Iterator[Post]:
    """Yields a message and those in it, numbered from 1. None of them is deleted, but if it has no
    text."""
    waiting, number = [(root, "")], 0
    while waiting:
        message, parent_id = waiting.pop()
        number += 1
        text = content_of(message)
        text = text if text is None or isinstance(text, str) else ""
        author = str(_value_of(message, SPEAKERS) or "")
        yield Post(str(number), parent_id, author, text, f"{place}:{number}")
        replies = [each for each in _replies_to(message) or () if isinstance(each, dict)]
        waiting += [(each, str(number)) for each in reversed(replies)]


def _post_of_node(node: dict[str, Any], place: str) -> Post:
    """Returns a message of ChatGPT, `{id, parent, message: {author: {role}, content: {parts}}}`."""
    message = _record_in(node, "message")
    role = _record_in(message, "author").get("role")
    text = content_of({"role": role, "content": _record_in(message, "content").get("parts") or ""})
    return Post(str(node.get("id")), str(node.get("parent") or ""), str(role), text, place)


def _record_in(record: dict[str, Any], name: str) -> dict[str, Any]:
    value = record.get(name)
    return value if isinstance(value, dict) else {}
