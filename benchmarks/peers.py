"""Other people's engines, for `benchmarks.decode`. Need CTranslate2 and PyTorch."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import torch
from ctranslate2.specs import TransformerSpec
from keras import ops

from benchmarks.timing import Contestant
from model.contract import Limits, StepResult
from model.networks.tokens import TokenSeq2Seq
from model.types import Bool, Indices, Int32

#: A peer's shortlist: so many frequent words, each source word itself and so many others, of the
#: most frequent ones. That gives some 350 candidates for one sentence and 2,900 for 32 together,
#: as IBM model 1 and the limits of Firefox (50 and 50) gave on 60,000 pairs.
FREQUENT, LIKELY, LIKELY_AMONG = 50, 15, 2500

#: Keras' order of gates -> PyTorch's.
GATES = (1, 0, 2)


@dataclass(frozen=True)
class TransformerSize:
    """A small Transformer, as wide as our encoder's output."""

    layers: int = 3
    units: int = 256
    inner_units: int = 1024
    heads: int = 4


#: What has about as many weights as the network of our recipe.
SMALLEST = TransformerSize(layers=1, inner_units=512)


def likely_words(vocab_size: int) -> Int32:
    """Returns the target words beside each source word `(vocab_size, 1 + LIKELY)`, at random."""
    draw = np.random.default_rng(1)
    others = [draw.choice(min(LIKELY_AMONG, vocab_size), LIKELY, False) for _ in range(vocab_size)]
    return np.column_stack([np.arange(vocab_size), others]).astype(np.int32)


def shortlist_size(sources: Int32, likely: Int32) -> int:
    """Returns how many candidates sources `(batch, source_len)` have together."""
    return len(np.union1d(np.arange(FREQUENT), likely[sources]))


def ctranslate2_peer(
    size: TransformerSize, compute_type: str, tokens: int, likely: Int32, candidates: str
) -> Contestant:
    """Builds what translates into `tokens` tokens: a Transformer with random weights, which takes
    the same time as one with good ones. If there are `candidates`, it has a shortlist, one for all
    sources of a batch."""
    vocab_size = len(likely)
    pieces = ["<unk>", "<s>", "</s>", *(f"piece{i}" for i in range(3, vocab_size))]
    spec = random_transformer(pieces, size)
    with tempfile.TemporaryDirectory() as folder:
        mapping = Path(folder, "mapping")
        rows = [("", range(FREQUENT)), *zip(pieces, likely, strict=True)]
        mapping.write_text(
            "".join(f"{word}\t{' '.join(pieces[i] for i in row)}\n" for word, row in rows)
        )
        spec.register_vocabulary_mapping(str(mapping))
        model = Path(folder, "model")
        model.mkdir()
        spec.save(str(model))
        translator = ctranslate2.Translator(
            str(model), compute_type=compute_type, intra_threads=1, inter_threads=1
        )

    def run(sources: Int32, beam_size: int) -> None:
        answers = translator.translate_batch(
            [[pieces[i] for i in row] for row in sources],
            beam_size=beam_size,
            max_decoding_length=tokens,
            max_batch_size=len(sources),
            use_vmap=bool(candidates),
        )
        if any(len(each.hypotheses[0]) != tokens for each in answers):
            raise SystemExit(f"CTranslate2 made a hypothesis that has not {tokens} tokens")

    table = vocab_size * size.units
    return Contestant(run, table + _other_weights(spec), table, candidates)


def _other_weights(spec: TransformerSpec) -> int:
    """Counts what is trained beside the table of embeddings, which stands at three places."""
    return sum(
        value.numpy().size
        for name, value in spec.variables().items()
        if name.endswith(("weight", "bias", "gamma", "beta"))
        and not name.endswith(("embeddings_0/weight", "embeddings/weight", "projection/weight"))
    )


def random_transformer(pieces: list[str], size: TransformerSize) -> TransformerSpec:
    draw = np.random.default_rng(0)
    units = size.units

    def weights(*shape: int) -> Any:
        return draw.normal(0, 0.05, shape).astype(np.float32)

    def fill_linear(spec: Any, outputs: int, inputs: int) -> None:
        spec.weight, spec.bias = weights(outputs, inputs), np.zeros(outputs, np.float32)

    def fill_norm(spec: Any) -> None:
        spec.gamma, spec.beta = np.ones(units, np.float32), np.zeros(units, np.float32)

    def fill_attention(spec: Any, *outputs: int) -> None:
        fill_norm(spec.layer_norm)
        for linear, width in zip(spec.linear, outputs, strict=True):
            fill_linear(linear, width, units)

    spec = TransformerSpec.from_config((size.layers, size.layers), size.heads, pre_norm=True)
    embeddings = weights(len(pieces), units)
    for side in (spec.encoder, spec.decoder):
        table = side.embeddings[0] if isinstance(side.embeddings, list) else side.embeddings
        table.weight = embeddings
        side.position_encodings.encodings = weights(512, units)
        fill_norm(side.layer_norm)
        for layer in side.layer:
            fill_attention(layer.self_attention, 3 * units, units)
            if side is spec.decoder:
                fill_attention(layer.attention, units, 2 * units, units)
            fill_norm(layer.ffn.layer_norm)
            fill_linear(layer.ffn.linear_0, size.inner_units, units)
            fill_linear(layer.ffn.linear_1, units, size.inner_units)
    spec.decoder.projection.weight = embeddings
    spec.decoder.projection.bias = np.zeros(len(pieces), np.float32)
    spec.decoder.projection.bias[pieces.index("</s>")] = -1e9  # no hypothesis ends early
    spec.register_source_vocabulary(pieces)
    spec.register_target_vocabulary(pieces)
    spec.validate()
    return spec


@dataclass(frozen=True)
class TorchState:
    """Tensors with a row for each source."""

    keys: torch.Tensor
    values: torch.Tensor
    mask: torch.Tensor
    hidden: torch.Tensor


class TorchEngine:
    """Our weights in PyTorch's own modules, called step by step. One GRU layer with attention
    `general` and without input feeding, as the default model has. Its requests all begin at once.

    Args:
        network: whose weights.
        is_int8: quantise GRUs and products as `torch.ao.quantization.quantize_dynamic` does.
    """

    has_shortlist = False
    compilations = 0

    def __init__(self, network: TokenSeq2Seq, *, is_int8: bool) -> None:
        config, decoder = network.config, network.decoder
        kind = (config.cell, config.attention, config.encoder_layers, config.decoder_layers)
        if kind != ("gru", "general", 1, 1) or config.input_feeding or not config.bidirectional:
            raise SystemExit(f"{kind}: this peer knows GRUs of one layer with attention general")
        self._source = _embedding(network.source_embedding)
        self.target = _embedding(network.target_embedding)
        encoder = torch.nn.GRU(
            config.embedding_units, config.encoder_units, batch_first=True, bidirectional=True
        )
        stacks = (network.encoder.forward_stack, network.encoder.backward_stack)
        for suffix, (layer,) in zip(("_l0", "_l0_reverse"), stacks, strict=True):
            _fill_gru(encoder, layer, suffix)
        cell = torch.nn.GRUCell(config.embedding_units, config.decoder_units)
        _fill_gru(cell, decoder.stack[0], "")
        projection = network.projection
        readout: Any = decoder.readout  # there is one, without input feeding
        parts = {
            "encoder": encoder,
            "cell": cell,
            "key_projection": _linear(decoder.attend.key_projection.kernel),
            "bridge": _linear(decoder.bridges[0].kernel, decoder.bridges[0].bias),
            "readout": _linear(readout.kernel, readout.bias),
            "projection": _linear(projection.matrix(), projection.bias),
        }
        modules = torch.nn.ModuleDict(parts).eval()
        if is_int8:
            kinds = {torch.nn.Linear, torch.nn.GRU, torch.nn.GRUCell}
            modules = torch.ao.quantization.quantize_dynamic(modules, kinds)
        self.modules = modules

    def warm_up(self, limits: Limits) -> None:
        """Compiles nothing."""

    @torch.inference_mode()
    def encode(self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool) -> TorchState:
        """Encodes sources, which are equally long here."""
        ids = torch.from_numpy(source_ids)
        values, finals = self.modules["encoder"](self._source(ids))
        final = torch.cat([finals[0], finals[1]], dim=-1)
        mask = torch.arange(ids.shape[1]) < torch.from_numpy(source_lengths)[:, None]
        hidden = torch.tanh(self.modules["bridge"](final))
        return TorchState(self.modules["key_projection"](values), values, mask, hidden)

    def new_table(self, width: int, *, use_shortlist: bool) -> TorchTable:
        return TorchTable(self, width)


class TorchTable:
    """One row of every tensor for each hypothesis."""

    def __init__(self, engine: TorchEngine, width: int) -> None:
        self._engine = engine
        self._width = width

    def insert(self, slots: Indices, encoded: TorchState, sources: Indices) -> None:
        tensors = (encoded.keys, encoded.values, encoded.mask, encoded.hidden)
        rows = torch.from_numpy(np.repeat(sources, self._width))
        self._keys, self._values, self._mask, self._hidden = (each[rows] for each in tensors)

    def move(self, origins: Indices, slots: Indices) -> None:
        raise NotImplementedError("requests of this benchmark end at once")

    def free(self, slots: Indices) -> None:
        """Does nothing: free slots may be overwritten."""

    @torch.inference_mode()
    def step(
        self,
        parents: Int32 | None,
        tokens: Int32,
        top_k: int,
        wanted: Int32 | None = None,
        *,
        with_attention: bool = False,
    ) -> StepResult:
        hidden, modules = self._hidden, self._engine.modules
        if parents is not None:
            hidden = hidden[torch.from_numpy(parents.ravel().astype(np.int64))]
        embedded = self._engine.target(torch.from_numpy(tokens.ravel()))
        self._hidden = hidden = modules["cell"](embedded, hidden)
        energies = torch.bmm(self._keys, hidden[:, :, None])[:, :, 0]
        attention_weights = energies.masked_fill(~self._mask, -1e9).softmax(dim=-1)
        context = torch.bmm(attention_weights[:, None], self._values)[:, 0]
        readout = torch.tanh(modules["readout"](torch.cat([context, hidden], dim=-1)))
        logprobs, best = modules["projection"](readout).log_softmax(dim=-1).topk(top_k)
        shape = (*tokens.shape, -1)
        return StepResult(
            best.to(torch.int32).numpy().reshape(shape),
            logprobs.numpy().reshape(shape),
            attention_weights.numpy().reshape(shape),
        )


def _tensor(weight: Any) -> torch.Tensor:
    return torch.from_numpy(np.array(ops.convert_to_numpy(weight)))


def _embedding(layer: Any) -> torch.nn.Embedding:
    return torch.nn.Embedding.from_pretrained(_tensor(layer.embeddings))


def _linear(kernel: Any, bias: Any = None) -> torch.nn.Linear:
    weight = _tensor(kernel).T.contiguous()
    linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        linear.weight.copy_(weight)
        linear.bias.copy_(torch.zeros(len(weight)) if bias is None else _tensor(bias))
    return linear


def _fill_gru(module: torch.nn.Module, layer: Any, suffix: str) -> None:
    kernel, recurrent, biases = map(_tensor, layer.cell.trainable_weights)

    def ordered(weight: torch.Tensor) -> torch.Tensor:
        gates = weight.chunk(len(GATES), dim=-1)
        return torch.cat([gates[i] for i in GATES], dim=-1)

    with torch.no_grad():
        getattr(module, f"weight_ih{suffix}").copy_(ordered(kernel).T)
        getattr(module, f"weight_hh{suffix}").copy_(ordered(recurrent).T)
        getattr(module, f"bias_ih{suffix}").copy_(ordered(biases[0]))
        getattr(module, f"bias_hh{suffix}").copy_(ordered(biases[1]))
