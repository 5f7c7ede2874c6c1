"""Trees of messages that answer one another: comments, posts of forums, tweets, e-mails.

It knows no file format and no names of fields.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from training.errors import CorpusError
from training.files.records import Example, Fault, Records
from training.readers.dialogue import MAX_CONTEXT_TURNS

#: Size of the part of the messages of a file that memory holds; the rest is in a temporary file.
CACHE_KIB = 64 * 1024
#: What Reddit has in place of a text or an author.
_DELETED = ("", "[deleted]", "[removed]")


@dataclass(frozen=True)
class Post:
    """A message that may answer another.

    Attributes:
        id: of the message in its file.
        parent_id: of the message that it answers; may be missing in the file, or empty.
        author: neighbours with one author are one turn; empty: unknown.
        text: empty or `[deleted]` if it was: its answers have no context. None if it is no part of
            the conversation: its answers are those to its parent.
        origin: file and line.
    """

    id: str
    parent_id: str
    author: str
    text: str | None
    origin: str

    def is_by(self, author: str) -> bool:
        """Tells whether a known author wrote it."""
        return author == self.author and author not in _DELETED


@dataclass(frozen=True)
class _Turn:
    """A turn on the way from a root: the turns before it, its author and its text."""

    context: tuple[str, ...] = ()
    author: str = ""
    text: str = ""

    def followed_by(self, post: Post) -> _Turn:
        """Returns the turn of a post that answers this one."""
        if post.text is None:
            return self
        if post.text.strip() in _DELETED:
            return _Turn()
        if self.is_continued_by(post):
            return replace(self, text=f"{self.text} {post.text}")
        context = (*self.context, self.text)[-MAX_CONTEXT_TURNS:] if self.text else ()
        return _Turn(context, post.author, post.text)

    def is_continued_by(self, post: Post) -> bool:
        """Tells whether a post that answers this turn is more text by its author."""
        has_texts = bool(self.text) and post.text is not None and post.text.strip() not in _DELETED
        return has_texts and post.is_by(self.author)


def exchanges_of_tree(posts: Sequence[Post], group: str) -> Iterator[Example]:
    """Yields the exchanges of the posts of a tree, whose root has no parent among them."""
    ids = {post.id for post in posts}
    by_parent = defaultdict[str, list[Post]](list)
    for post in posts:
        by_parent[post.parent_id if post.parent_id in ids else ""].append(post)
    for root in by_parent[""]:
        yield from _walk(root, lambda post: by_parent.get(post.id, ()), group)


def exchanges_of_posts(posts: Iterable[Post | Fault], path: str) -> Records:
    """Yields the exchanges in posts, which may come in any order. A tree is a group.

    A post whose parent is missing, or is itself, begins a tree. Posts that answer each other in a
    circle are a fault. Memory holds one tree; all posts are in a temporary file.

    Raises:
        CorpusError: if the temporary file cannot be written.
    """
    try:
        with closing(sqlite3.connect("")) as database:  # a file that is deleted when it is closed
            yield from _Posts(database, path).exchanges(posts)
    except sqlite3.Error as error:
        raise CorpusError(
            f"{path}: cannot be sorted into trees: {error}. Set SQLITE_TMPDIR to a folder with "
            "more space than this file."
        ) from None


class _Posts:
    """The posts of a file, in a database.

    Args:
        database: empty, and written without safety: it is lost if the program ends.
        path: the file.
    """

    def __init__(self, database: sqlite3.Connection, path: str) -> None:
        self._database, self._path = database, path
        database.executescript(
            f"PRAGMA cache_size = -{CACHE_KIB}; PRAGMA journal_mode = OFF;"
            "CREATE TABLE posts (id UNIQUE NOT NULL, parent_id, author, text, origin)"
        )

    def exchanges(self, posts: Iterable[Post | Fault]) -> Records:
        """Yields the exchanges of all posts, and faults."""
        count = examples = reached = 0
        for post in posts:
            if isinstance(post, Fault):
                yield post
            elif self._add(post):
                count += 1
            else:
                yield Fault(post.origin, f"another message has its id {post.id}")
        self._database.execute("CREATE INDEX by_parent ON posts (parent_id)")

        def replies_to(post: Post) -> list[Post]:
            nonlocal reached
            reached += 1
            return list(self._find("WHERE parent_id = ? ORDER BY rowid", post.id))

        roots = self._find("WHERE parent_id NOT IN (SELECT id FROM posts) ORDER BY rowid")
        for root in roots:
            for example in _walk(root, replies_to, f"{self._path}:{root.id}"):
                examples += 1
                yield example
        if reached < count:
            reason = f"{count - reached:,} messages answer each other in a circle, or one that does"
            yield Fault(self._path, reason)
        elif count and not examples:
            yield Fault(self._path, "no message answers another: no parent is among the ids")

    def _add(self, post: Post) -> bool:
        """Adds a post; tells whether its id is new."""
        parent_id = "" if post.parent_id == post.id else post.parent_id
        values = (post.id, parent_id, post.author, post.text, post.origin)
        stored = [each and each.encode("utf-8", "surrogatepass") for each in values]
        added = self._database.execute("INSERT OR IGNORE INTO posts VALUES (?, ?, ?, ?, ?)", stored)
        return added.rowcount == 1

    def _find(self, condition: str, *values: str) -> Iterator[Post]:
        stored = [each.encode("utf-8", "surrogatepass") for each in values]
        for row in self._database.execute(f"SELECT * FROM posts {condition}", stored):
            yield Post(*(each and each.decode("utf-8", "surrogatepass") for each in row))


def _walk(
    root: Post, replies_to: Callable[[Post], Sequence[Post]], group: str
) -> Iterator[Example]:
    """Yields an example for each turn of a tree but the first: the turns on the way to it, and
    itself. So each exchange is an example once, however many turns follow it."""
    waiting = [(root, _Turn().followed_by(root))]
    while waiting:
        post, turn = waiting.pop()
        replies = replies_to(post)
        if turn.context and post.text and not any(map(turn.is_continued_by, replies)):
            yield Example(turn.context, turn.text, group, post.origin)
        waiting += [(each, turn.followed_by(each)) for each in reversed(replies)]
