from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.decoding.messages import (
    Cancel,
    Connection,
    Disconnected,
    FrameDecoder,
    Submit,
    encode_frame,
    plain_options,
)
from model.config import SearchOptions
from model.search.requests import ScoringRequest, SearchRequest

VALUES = [Cancel(1), Cancel("a" * 300), Cancel(b"")]


@pytest.fixture
def links() -> Iterator[tuple[Connection, Connection]]:
    """Both ends of a socket."""
    here, there = (Connection(end) for end in socket.socketpair())
    yield here, there
    here.close()
    there.close()


@given(st.lists(st.integers(0, 400), max_size=8))
def test_values_come_whole_however_their_bytes_are_cut(cuts: list[int]) -> None:
    data, frames = b"".join(map(encode_frame, VALUES)), FrameDecoder()
    borders = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[first:end] for first, end in itertools.pairwise(borders)]
    assert [value for piece in pieces for value in frames.add(piece)] == VALUES


@given(
    source_ids=st.lists(st.integers(0, 9), min_size=1),
    temperature=st.sampled_from([0.0, 0.5]),
    blocked=st.sampled_from([[], [[1], [2, 3]]]),
    required=st.sampled_from([[], [[4]]]),
    prefix_ids=st.sampled_from([[], [4]]),
    wants=st.booleans(),
)
def test_a_request_arrives_as_it_was_sent(
    source_ids: list[int],
    temperature: float,
    blocked: list[list[int]],
    required: list[list[int]],
    prefix_ids: list[int],
    wants: bool,
) -> None:
    options = SearchOptions(beam_size=2, temperature=temperature)
    request = SearchRequest(
        "another",
        source_ids,
        options,
        prefix_ids=prefix_ids,
        blocked=blocked,
        required=[] if temperature else required,
        with_attention=wants,
    )
    (came,) = FrameDecoder().add(encode_frame(Submit(7, request, is_streamed=not wants)))
    arrived = replace(request, key=7, options=plain_options(dict(options)))
    assert came == Submit(7, arrived, is_streamed=not wants)


def test_options_of_callers_are_not_kept() -> None:
    def options_of(word: str) -> object:
        request = SearchRequest(None, [5], SearchOptions(blocked_words=(word,)))
        (came,) = FrameDecoder().add(encode_frame(Submit(7, request, is_streamed=False)))
        return came.request.options

    first = options_of("a")
    assert options_of("a") is first
    for place in range(200):
        options_of(f"word {place}")
    assert options_of("a") is not first


def test_a_request_for_scores_arrives_as_it_was_sent() -> None:
    request = ScoringRequest("another", [((5, 3), (7,)), ((5, 3), ())])
    (came,) = FrameDecoder().add(encode_frame(Submit(7, request, is_streamed=False)))
    assert came == Submit(7, replace(request, key=7), is_streamed=False)


def test_all_that_has_come_is_received_at_once(links: tuple[Connection, Connection]) -> None:
    here, there = links
    assert there.receive(block=False) == []
    for value in VALUES:
        here.send(value)
    assert there.receive(block=True) == VALUES
    assert there.receive(block=False) == []


def test_a_value_may_be_larger_than_what_a_socket_holds(
    links: tuple[Connection, Connection],
) -> None:
    here, there = links
    value = Cancel("x" * 2**21)
    sender = threading.Thread(target=here.send, args=(value,))
    sender.start()
    assert there.receive(block=True) == [value]
    sender.join()


def test_what_was_sent_before_the_end_is_received_first(
    links: tuple[Connection, Connection],
) -> None:
    here, there = links
    here.send(Cancel(1))
    here.close()
    assert there.receive(block=True) == [Cancel(1)]
    for waits in (True, False):
        with pytest.raises(Disconnected):
            there.receive(block=waits)


def test_nothing_can_be_sent_to_who_is_gone(links: tuple[Connection, Connection]) -> None:
    here, there = links
    there.close()
    with pytest.raises(Disconnected):
        here.send(Cancel(1))


def test_a_value_that_is_cut_by_the_end_is_none() -> None:
    here, there = socket.socketpair()
    with here:
        here.sendall(encode_frame(Cancel(1))[:-1])
    connection = Connection(there)
    with pytest.raises(Disconnected):
        connection.receive(block=True)
    connection.close()
