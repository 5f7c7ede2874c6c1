"""The Keras engine on the device that its backend finds: tokens a second, and the limit.

    KERAS_BACKEND=jax python -m benchmarks.gpu [--model models/default] [--batches 1 64 1024]

A step must read the decoder's weights once, and for each row its source (keys and values), its
state and its logits. Those bytes over the memory's bandwidth are the least that a step can take.
The bandwidth is that of a copy of 128 MiB, measured first, on the same device. `step` is the engine
alone; `search` is a greedy search of 20 tokens over it, as a server runs it. Runs on a CPU too, by
the same compiled path as on a GPU. Figures are medians.
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
from model.engine.compiled import compiled, multiplies_bfloat16, prepare_device
from model.engine.keras import EncodedSources, KerasEngine, KerasTable, load_network
from model.folder import load_folder
from model.networks.tokens import TokenSeq2Seq
from model.search.beam import Search
from model.search.requests import SearchRequest
from model.tokenizer import BOS_ID, EOS_ID, SPECIAL_PIECES

TOKENS = 20
COPIED_BYTES = 2**27


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/default")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 64, 1024])
    parser.add_argument("--dtype", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    has_gpu = prepare_device()
    dtype = chosen.dtype
    if dtype == "auto":
        dtype = "bfloat16" if has_gpu and multiplies_bfloat16() else "float32"
    folder = load_folder(chosen.model)
    network = load_network(folder, dtype)
    engine = KerasEngine(network, has_static_shapes=True)
    bandwidth = copy_bandwidth(network, chosen.repeats)
    print(f"{folder.config.name}, {dtype}, Keras {keras.__version__} on {keras.backend.backend()}")
    print(f"{device_name()}: copies {bandwidth / 1e9:.1f} GB/s\n")
    print("| batch | search, tokens/s | step, tokens/s | MB a step | limit, tokens/s | reached |")
    print("|---|---|---|---|---|---|")
    draw, size = np.random.default_rng(0), folder.config.network.source_vocab_size
    for batch in chosen.batches:
        sources = draw.integers(len(SPECIAL_PIECES), size, (batch, TOKENS)).astype(np.int32)
        search_s = median_seconds(lambda s=sources: search(engine, s), chosen.repeats)
        lengths, places = np.full(batch, TOKENS, np.int32), np.arange(batch)
        encoded = engine.encode(sources, lengths, np.zeros(batch, bool))
        needed = step_bytes(network, engine._projection, encoded)
        table = engine.new_table(1, use_shortlist=False)
        table.insert(places, encoded, places)
        step_s = median_seconds(lambda t=table, n=batch: run_steps(t, n), chosen.repeats) / TOKENS
        limit = batch * bandwidth / needed
        print(
            f"| {batch} | {batch * TOKENS / search_s:,.0f} | {batch / step_s:,.0f} "
            f"| {needed / 1e6:.1f} | {limit:,.0f} | {batch / step_s / limit:.1%} |",
            flush=True,
        )


def device_name() -> str:
    """What computes, in the words of the backend."""
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


def copy_bandwidth(network: TokenSeq2Seq, repeats: int) -> float:
    """Bytes a second that an addition of 1 reads and writes."""
    array = ops.convert_to_tensor(np.zeros(COPIED_BYTES // 4, np.float32))
    add = compiled(lambda x: x + 1.0, network, has_static_shapes=True)
    last = compiled(lambda x: x[-1], network, has_static_shapes=True)
    seconds = median_seconds(lambda: np.asarray(ops.convert_to_numpy(last(add(array)))), repeats)
    return 2 * COPIED_BYTES / seconds


def step_bytes(network: TokenSeq2Seq, projection: Any, encoded: EncodedSources) -> int:
    """What a step of those sources must read or write at least: see above."""
    item = 2 if network.variable_dtype == "bfloat16" else 4
    weights = sum(int(np.prod(each.shape)) for each in network.decoder.weights)
    weights += int(np.prod(projection.shape)) + int(projection.shape[1])
    source_units = sum(int(each.shape[-1]) for each in encoded.memory[:2])
    units = sum(int(each.shape[-1]) for each in encoded.state)
    row = item * (int(encoded.lengths.max()) * source_units + 2 * units)
    row += 2 * 4 * int(projection.shape[1])
    return item * weights + len(encoded.lengths) * row


def run_steps(table: KerasTable, batch: int) -> None:
    """`TOKENS` steps of the engine, one after the other."""
    tokens = np.full((batch, 1), BOS_ID, np.int32)
    for _ in range(TOKENS):
        tokens = table.step(None, tokens, top_k=2).tokens[:, :, 0].copy()


def search(engine: KerasEngine, sources: np.ndarray) -> None:
    """Greedy search of `TOKENS` tokens for each of `sources`."""
    options = SearchOptions(min_tokens=TOKENS, max_tokens=TOKENS)
    decoding = Search(engine, bos_id=BOS_ID, eos_id=EOS_ID)
    decoding.add([SearchRequest(i, row.tolist(), options) for i, row in enumerate(sources)])
    while not decoding.is_idle:
        decoding.step()


def median_seconds(run: Callable[[], object], repeats: int) -> float:
    """The median of as many runs, after one that compiles."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


if __name__ == "__main__":
    main()
