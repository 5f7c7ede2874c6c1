"""Marian, the engine of Firefox's translations, for `benchmarks.decode`: through the wheel
`bergamot`, in a process of its own, since that is for Python 3.10 at most (`marian_worker.py`).

    python3.10 -m venv marian
    marian/bin/pip install bergamot
    python -m benchmarks.decode --marian marian/bin/python

The network is of the kind that Firefox ships (Kim et al. 2019, "From Research to Production and
Back": a Transformer whose decoder has a recurrent unit, SSRU, instead of self-attention), with
random weights. Its files are written here, as Marian reads them. Its time includes SentencePiece's,
the splitting into sentences and the pipe to its process.
"""

from __future__ import annotations

import json
import struct
import subprocess
from pathlib import Path

import numpy as np
from sentencepiece import sentencepiece_model_pb2

from benchmarks.peers import FREQUENT, TransformerSize
from benchmarks.timing import Contestant, ask
from model.types import Float32, Int32

EOS_ID, UNK_ID = 0, 1
WORKER = Path(__file__).with_name("marian_worker.py")
#: Opens a shortlist's file.
MAGIC = 0xF11A48D5013417F5
#: Largest absolute value of what is multiplied by a matrix, for its quantisation.
LARGEST_INPUT = 4.0

#: The kind of the network; its sizes are beside it in the file.
ARCHITECTURE = {
    "type": "transformer",
    "dec-cell": "ssru",
    "transformer-decoder-autoreg": "rnn",
    "transformer-ffn-depth": 2,
    "transformer-ffn-activation": "relu",
    "transformer-preprocess": "",
    "transformer-postprocess": "dan",
    "transformer-postprocess-emb": "d",
    "tied-embeddings-all": True,
}
#: As Firefox has them, but that a translation is as long as its source.
OPTIONS = {
    "max-length-factor": 1.0,
    "mini-batch-words": 1024,
    "workspace": 128,
    "normalize": 1.0,
    "gemm-precision": "int8shiftAlphaAll",
}


class Marian:
    """A process that translates, until its input ends.

    Args:
        python: the path of a Python that has the wheel.
        folder: an empty one for the files of the networks.
        tokens: of each source, its end counted, and of each translation.
    """

    def __init__(self, python: str, folder: Path, tokens: int) -> None:
        self._folder, self._tokens = folder, tokens
        self._log = folder / "log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [python, str(WORKER), str(tokens)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    @staticmethod
    def is_installed(python: str) -> bool:
        """Returns whether there is such a Python and it has the wheel."""
        find = "import importlib.util as u; raise SystemExit(not u.find_spec('bergamot'))"
        try:
            return not subprocess.run([python, "-c", find], capture_output=True).returncode
        except OSError:
            return False

    def contestant(self, size: TransformerSize, likely: Int32, candidates: str) -> Contestant:
        """Builds a network with random weights; its vocabulary has a multiple of 8 words. If there
        are `candidates`, it has a shortlist, one for all sources of a batch."""
        vocab_size = len(likely)
        pieces = [f"piece{i}" for i in range(vocab_size)]
        folder = self._folder / f"{size.layers}-{bool(candidates)}"
        folder.mkdir()
        weights = random_weights(vocab_size, size)
        save_network(folder / "model.bin", weights, size)
        save_vocabulary(folder / "vocabulary.spm", pieces)
        save_shortlist(folder / "shortlist.bin", likely)
        files: dict[str, list[str | bool]] = {
            "models": [str(folder / "model.bin")],
            "vocabs": [str(folder / "vocabulary.spm")] * 2,
        }
        if candidates:
            files["shortlist"] = [str(folder / "shortlist.bin"), False]

        def run(sources: Int32, beam_size: int) -> None:
            options = folder / f"beam{beam_size}.yml"
            if not options.exists():
                search = {"beam-size": beam_size, "skip-cost": beam_size == 1}
                options.write_text(json.dumps(OPTIONS | files | search))
            rows = sources[:, : self._tokens - 1]  # Marian adds the end
            text = "\n".join(" ".join(pieces[i] for i in row) for row in rows)
            self._ask(json.dumps([str(options), text]))

        total = sum(value.size for value in weights.values())
        return Contestant(run, total, weights["Wemb"].size, candidates, lambda: self._ask(""))

    def _ask(self, request: str) -> float:
        """Returns the seconds of CPU that the process has used when it is done."""
        answer = ask(self._process, request)
        if not answer:
            raise SystemExit(f"Marian ended ({self._process.wait()}): {self._log.read_text()}")
        return float(answer)


def random_weights(vocab_size: int, size: TransformerSize) -> dict[str, Float32]:
    """Draws name -> weights `(inputs, outputs)`. The end of a sentence is never chosen."""
    draw = np.random.default_rng(0)
    units, found = size.units, {}

    def add_linear(weight: str, bias: str, inputs: int, outputs: int) -> None:
        found[weight] = draw.normal(0, 0.05, (inputs, outputs)).astype(np.float32)
        found[bias] = np.zeros((1, outputs), np.float32)

    def add_norm(name: str) -> None:
        found[f"{name}_ln_scale"] = np.ones((1, units), np.float32)
        found[f"{name}_ln_bias"] = np.zeros((1, units), np.float32)

    def add_attention(name: str) -> None:
        for kind in "qkvo":
            add_linear(f"{name}_W{kind}", f"{name}_b{kind}", units, units)
        add_norm(f"{name}_Wo")

    add_linear("Wemb", "decoder_ff_logit_out_b", vocab_size, units)
    found["decoder_ff_logit_out_b"] = np.zeros((1, vocab_size), np.float32)
    found["decoder_ff_logit_out_b"][0, EOS_ID] = -1e4
    for layer in range(1, size.layers + 1):
        encoder, decoder = f"encoder_l{layer}", f"decoder_l{layer}"
        add_attention(f"{encoder}_self")
        found[f"{decoder}_rnn_W"] = draw.normal(0, 0.05, (units, units)).astype(np.float32)
        add_linear(f"{decoder}_rnn_Wf", f"{decoder}_rnn_bf", units, units)
        add_norm(f"{decoder}_rnn_ffn")
        add_attention(f"{decoder}_context")
        for side in (encoder, decoder):
            add_linear(f"{side}_ffn_W1", f"{side}_ffn_b1", units, size.inner_units)
            add_linear(f"{side}_ffn_W2", f"{side}_ffn_b2", size.inner_units, units)
            add_norm(f"{side}_ffn_ffn")
    return found


def _quantized(name: str, matrix: Float32) -> bytes:
    """Returns a matrix as intgemm wants it: int8 `(outputs, inputs)`, and what the values were
    multiplied by."""
    factor = np.float32(127 / np.abs(matrix).max())
    rows = matrix if name == "Wemb" else matrix.T  # `Wemb` has an output in each row
    return np.rint(rows * factor).astype(np.int8).tobytes() + factor.tobytes()


def save_network(path: Path, weights: dict[str, Float32], size: TransformerSize) -> None:
    """Writes Marian's binary format: sizes and types of all items, names, shapes, data."""
    vocab_size = len(weights["Wemb"])
    described = ARCHITECTURE | {
        "enc-depth": size.layers,
        "dec-depth": size.layers,
        "dim-emb": size.units,
        "transformer-dim-ffn": size.inner_units,
        "transformer-heads": size.heads,
        "dim-vocabs": [vocab_size, vocab_size],
    }
    text = json.dumps(described).encode() + b"\0"
    items = [("special:model.yml", 0x101, (len(text),), text)]
    alpha = np.float32(127 / LARGEST_INPUT).tobytes()
    for name, value in weights.items():
        if _is_matrix(name):
            items.append((name, 0x4101, value.shape, _quantized(name, value)))
            items.append((f"{name}_QuantMultA", 0x404, (1,), alpha))
        else:
            items.append((name, 0x404, value.shape, value.tobytes()))
    items.append(("none_QuantMultA", 0x404, (1,), alpha))  # the shortlisted projection

    head = struct.pack("<QQ", 1, len(items))
    for name, kind, shape, data in items:
        head += struct.pack("<QQQQ", len(name) + 1, kind, len(shape), len(data) + -len(data) % 256)
    head += b"".join(name.encode() + b"\0" for name, *_ in items)
    head += b"".join(np.array(shape, "<i4").tobytes() for _, _, shape, _ in items)
    gap = -(len(head) + 8) % 256
    with path.open("wb") as file:
        file.write(head + struct.pack("<Q", gap) + bytes(gap))
        for *_, data in items:
            file.write(data + bytes(-len(data) % 256))


def _is_matrix(name: str) -> bool:
    """Tells matrices, which are quantised, from biases and scales."""
    return name == "Wemb" or ("_W" in name and "_ln_" not in name)


def save_vocabulary(path: Path, pieces: list[str]) -> None:
    """Writes a SentencePiece model of whole words."""
    model = sentencepiece_model_pb2.ModelProto()
    kind = sentencepiece_model_pb2.ModelProto.SentencePiece
    model.pieces.add(piece="</s>", score=0, type=kind.CONTROL)
    model.pieces.add(piece="<unk>", score=0, type=kind.UNKNOWN)
    for piece in pieces[2:]:
        model.pieces.add(piece=f"\u2581{piece}", score=-1)
    model.trainer_spec.model_type = sentencepiece_model_pb2.TrainerSpec.UNIGRAM
    model.trainer_spec.vocab_size = len(pieces)
    model.trainer_spec.eos_id, model.trainer_spec.unk_id = EOS_ID, UNK_ID
    model.trainer_spec.bos_id = model.trainer_spec.pad_id = -1
    model.normalizer_spec.name = "identity"
    path.write_bytes(model.SerializeToString())


def save_shortlist(path: Path, likely: Int32) -> None:
    """Writes the target words `(vocab_size, n)` beside each source word, ascending."""
    size, count = likely.shape
    ends = np.arange(size + 1, dtype="<u8") * count
    head = np.array([MAGIC, 0, FREQUENT, count, len(ends), likely.size], "<u8")
    path.write_bytes(head.tobytes() + ends.tobytes() + np.sort(likely).astype("<u4").tobytes())
