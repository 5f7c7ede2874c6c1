"""The Keras engine on the device that its backend finds: tokens a second, and what limits them.

    KERAS_BACKEND=jax python -m benchmarks.gpu [--model models/default] [--batches 1 64 1024]

The time of a step is divided into four parts, each measured without the ones after it:

    memory  the least that the device's memory allows: the decoder's weights once, and for each row
            its source, its state and its logits, over the bandwidth of chained copies
    device  a chain of steps whose results stay on the device: what launches and computing add
    copies  the engine's step: what the copy of its result and the wait for it add
    search  a search of 20 tokens, as a server runs it: what encoding, and Python on the host, add

The largest part binds. Sources have 16 tokens, answers 20. Runs on a CPU too, by the same compiled
path as on a GPU (`--gigabytes 0.1 --batches 1 16`). Figures are medians.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import ops

from model.config import SearchOptions
from model.engine.compiled import compiled, has_fast_bfloat16, prepare_device
from model.engine.keras import MEMORY_SIZE, WANTED_CHUNK, KerasEngine, KerasTable, load_network
from model.folder import load_folder
from model.networks.tokens import TokenSeq2Seq
from model.search.requests import SearchRequest
from model.search.search import Search
from model.tokenizer import BOS_ID, EOS_ID, SPECIAL_PIECES
from model.types import Int32

SOURCE_TOKENS, TOKENS = 16, 20
#: Copies in one program, so that its launch takes no share of the time.
COPIES = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/default")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 64, 1024])
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--dtype", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--gigabytes", type=float, default=1.0, help="of what is copied")
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    has_gpu = prepare_device()
    dtype = chosen.dtype
    if dtype == "auto":
        dtype = "bfloat16" if has_gpu and has_fast_bfloat16() else "float32"
    folder = load_folder(chosen.model)
    network = load_network(folder, dtype)
    engine = KerasEngine(network, has_static_shapes=True)
    bandwidth = copy_bandwidth(network, chosen.gigabytes, chosen.repeats)
    print(f"{folder.config.name}, {dtype}, Keras {keras.__version__} on {keras.backend.backend()}")
    print(f"{device_name()}: copies {bandwidth / 1e9:,.0f} GB/s\n")
    print("| batch | beam | tokens/s | step, us | memory | device | copies | search | binds |")
    print("|---|---|---|---|---|---|---|---|---|")
    for beam in chosen.beams:
        for batch in chosen.batches:
            parts = step_parts(engine, network, batch, beam, bandwidth, chosen.repeats)
            total = sum(parts.values())
            times = " | ".join(f"{1e6 * seconds:,.0f}" for seconds in (total, *parts.values()))
            binds = max(parts, key=lambda name: parts[name])
            print(f"| {batch} | {beam} | {batch / total:,.0f} | {times} | {binds} |", flush=True)


def step_parts(
    engine: KerasEngine,
    network: TokenSeq2Seq,
    batch: int,
    beam: int,
    bandwidth: float,
    repeats: int,
) -> dict[str, float]:
    """Returns the seconds that each part adds to a step of `batch` requests."""
    draw, size = np.random.default_rng(0), network.config.source_vocab_size
    sources = draw.integers(len(SPECIAL_PIECES), size, (batch, SOURCE_TOKENS)).astype(np.int32)
    lengths, places = np.full(batch, SOURCE_TOKENS, np.int32), np.arange(batch)
    table = engine.new_table(beam, use_shortlist=False)
    table.insert(places, engine.encode(sources, lengths, np.zeros(batch, bool)), places)
    so_far = [
        step_bytes(network, engine, table, batch * beam) / bandwidth,
        median_seconds(lambda: run_on_device(engine, table), repeats) / TOKENS,
        median_seconds(lambda: run_steps(table, batch, beam), repeats) / TOKENS,
        median_seconds(lambda: search(engine, sources, beam), repeats) / TOKENS,
    ]
    added = [max(0.0, own) for own in np.diff(so_far, prepend=0.0).tolist()]
    return dict(zip(("memory", "device", "copies", "search"), added, strict=True))


def device_name() -> str:
    """Returns the backend's name of the device that computes."""
    if keras.backend.backend() == "jax":
        import jax

        return str(jax.devices()[0].device_kind)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
        return str(details.get("device_name", "CPU"))
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"


def copy_bandwidth(network: TokenSeq2Seq, gigabytes: float, repeats: int) -> float:
    """Returns the bytes a second that a chain of additions to one array reads and writes."""
    array = ops.convert_to_tensor(np.zeros(int(gigabytes * 1e9) // 4, np.float32))

    def chain(x: Any) -> Any:
        return ops.fori_loop(0, COPIES, lambda _, each: each + 1.0, x)[-1]

    copy = compiled(chain, network, has_static_shapes=True)
    seconds = median_seconds(lambda: ops.convert_to_numpy(copy(array)), repeats)
    return 2 * COPIES * gigabytes * 1e9 / seconds


def step_bytes(network: TokenSeq2Seq, engine: KerasEngine, table: KerasTable, rows: int) -> int:
    """Returns the bytes that a step of `rows` must read or write at least: see above."""
    item = 2 if network.variable_dtype == "bfloat16" else 4
    vocab_size = network.config.target_vocab_size
    weights = sum(int(np.prod(each.shape)) for each in network.decoder.weights)
    weights += int(np.prod(engine._projection.shape)) + vocab_size
    keys, values, *_ = table._tensors
    units = sum(int(each.shape[-1]) for each in table._tensors[MEMORY_SIZE:])
    source = SOURCE_TOKENS * int(keys.shape[-1] + values.shape[-1])
    return item * weights + rows * (item * (source + 2 * units) + 2 * 4 * vocab_size)


def run_on_device(engine: KerasEngine, table: KerasTable) -> None:
    """Runs `TOKENS` steps, of which only the last one's result is copied."""
    memory, state = table._tensors[:MEMORY_SIZE], table._tensors[MEMORY_SIZE:]
    inputs = np.zeros((len(memory[0]), 2 + WANTED_CHUNK), np.int32)
    inputs[:, 0], inputs[:, 1] = np.arange(len(inputs)), BOS_ID
    for _ in range(TOKENS):
        _, ranked, _, state = engine._step(memory, state, inputs, engine._projection, None, None)
    ops.convert_to_numpy(ranked)
    table._tensors = [*memory, *state]


def run_steps(table: KerasTable, batch: int, beam: int) -> None:
    """Runs `TOKENS` steps of the engine, one after the other."""
    tokens = np.full((batch, beam), BOS_ID, np.int32)
    own = np.arange(batch * beam, dtype=np.int32).reshape(batch, beam)
    for _ in range(TOKENS):
        result = table.step(None if beam == 1 else own, tokens, top_k=beam + 1)
        tokens = result.tokens[:, :, 0].copy()


def search(engine: KerasEngine, sources: Int32, beam: int) -> None:
    """Searches `TOKENS` tokens for each of `sources`."""
    options = SearchOptions(beam_size=beam, min_tokens=TOKENS, max_tokens=TOKENS)
    decoding = Search(engine, bos_id=BOS_ID, eos_id=EOS_ID)
    decoding.add([SearchRequest(i, row.tolist(), options) for i, row in enumerate(sources)])
    while not decoding.is_idle:
        decoding.step()


def median_seconds(run: Callable[[], object], repeats: int) -> float:
    """Returns the median time of `repeats` runs, after one that compiles."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


if __name__ == "__main__":
    main()
