"""BLEU over CPU minutes of training, beside JoeyNMT (Kreutzer et al. 2019, arXiv:1907.12484).

    python -m venv joeynmt
    joeynmt/bin/pip install joeynmt importlib_metadata 'sentencepiece<0.2.1'
    SEQ2SEQ_DATA=... python -m benchmarks.joeynmt joeynmt/bin/python [--networks gru] [--minutes 15]

Both train the same shape of network on the same pairs, pieces of one SentencePiece model, batch
size, dropout and label smoothing, each on one core with one thread. The rest is of the toolkit:
schedules, averaged weights, subword sampling. When a run has used so many minutes of CPU, it halts,
and a copy of its best checkpoint by the development part translates held-out parts with a beam of
5. Also prints how many target tokens of training a CPU second brings, validation included.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sentencepiece import SentencePieceProcessor

from benchmarks.corpora import lines_of, tatoeba
from benchmarks.server import cpu_seconds
from model.generator import Generator
from training.markdown import markdown_table
from training.metrics import corpus_bleu, corpus_chrf

BEAM_SIZE, BATCH_TOKENS, MAX_TOKENS = 5, 2048, 80
#: Sources of a development part, and of a test part, that are drawn.
HELD_OUT = 1000
#: How often CPU clocks are read, in seconds.
POLL_SECONDS = 5.0
#: A process that is alone on a core.
ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONUNBUFFERED": "1",
}

#: The networks of our recipe, as keys of `[network]`, and those of JoeyNMT of the same shape.
OUR_NETWORKS = {
    "gru": """embedding_units = 256
encoder_units = 192
decoder_units = 256
attention = "general"
""",
    "transformer": """encoder = "transformer"
decoder = "transformer"
embedding_units = 128
encoder_layers = 4
encoder_units = 128
encoder_feed_forward_units = 256
decoder_layers = 4
decoder_units = 128
decoder_feed_forward_units = 256
heads = 4
""",
}
THEIR_NETWORKS = {
    "gru": """
  encoder: {type: recurrent, rnn_type: gru, embeddings: {embedding_dim: 256},
    hidden_size: 192, bidirectional: true, num_layers: 1, dropout: DROPOUT}
  decoder: {type: recurrent, rnn_type: gru, embeddings: {embedding_dim: 256},
    hidden_size: 256, num_layers: 1, dropout: DROPOUT, hidden_dropout: DROPOUT,
    input_feeding: true, init_hidden: bridge, attention: luong}""",
    "transformer": """
  encoder: {type: transformer, num_layers: 4, num_heads: 4, hidden_size: 128, ff_size: 256,
    embeddings: {embedding_dim: 128, scale: true}, dropout: DROPOUT, layer_norm: pre}
  decoder: {type: transformer, num_layers: 4, num_heads: 4, hidden_size: 128, ff_size: 256,
    embeddings: {embedding_dim: 128, scale: true}, dropout: DROPOUT, layer_norm: pre}""",
}
OUR_SCHEDULES = {
    "gru": 'learning_rate = 0.002\nwarmup_steps = 600\ndecay = "inverse_sqrt"',
    "transformer": 'learning_rate = 0.004\nwarmup_steps = 1000\ndecay = "inverse_sqrt"',
}
#: The same rates (Noam's is 0.0028 at its highest). Its default, on a plateau, is an error with the
#: present PyTorch.
THEIR_SCHEDULES = {
    "gru": "scheduling: warmupinversesquareroot, learning_rate: 0.002, learning_rate_warmup: 600",
    "transformer": "scheduling: noam, learning_rate_factor: 1.0, learning_rate_warmup: 1000",
}
OUR_RECIPE = """name = "{name}"
task = "translate"
languages = ["{source}", "{target}"]
output = "{output}"

[corpus]
rules = []
max_source_tokens = {max_tokens}
max_target_tokens = {max_tokens}
[[corpus.sources]]
format = "bitext"
path = "{folder}/train.{source}"
target_path = "{folder}/train.{target}"
split = "train"
[[corpus.sources]]
format = "bitext"
path = "{folder}/dev.{source}"
target_path = "{folder}/dev.{target}"
split = "dev"

[tokenizer]
vocab_size = 5000
shared_vocabulary = true

[network]
{network}share_embeddings = true
dropout = {dropout}

[fit]
batch_tokens = {batch_tokens}
epochs = 1000
patience = 1000
{schedule}
label_smoothing = 0.1
average_steps = 500
subword_sampling = 0.1

[search]
beam_size = {beam_size}
max_tokens = {max_tokens}
"""
THEIR_CONFIG = """name: {name}
joeynmt_version: "2.3.0"
model_dir: {output}
use_cuda: false
fp16: false
random_seed: 42
data:
  train: {folder}/train
  dev: {folder}/dev
  dataset_type: plain
  src: {{lang: {source}, max_length: {max_tokens}, level: bpe, voc_file: {vocabulary},
    tokenizer_type: sentencepiece, tokenizer_cfg: {{model_file: {pieces}}}}}
  trg: {{lang: {target}, max_length: {max_tokens}, level: bpe, voc_file: {vocabulary},
    tokenizer_type: sentencepiece, tokenizer_cfg: {{model_file: {pieces}}}}}
testing: {{beam_size: {beam_size}, beam_alpha: 1.0, batch_size: 2048, batch_type: token,
  eval_metrics: [bleu], max_output_length: {max_tokens}, sacrebleu_cfg: {{tokenize: 13a}}}}
training: {{optimizer: adam, adam_betas: [0.9, 0.998], normalization: tokens, clip_grad_norm: 1.0,
  label_smoothing: 0.1, loss: crossentropy, batch_size: {batch_tokens}, batch_type: token,
  early_stopping_metric: loss, epochs: 1000, validation_freq: 300, logging_freq: 10,
  shuffle: true, keep_best_ckpts: 2, learning_rate_min: 1.0e-8, {schedule}}}
model:
  initializer: xavier_uniform
  embed_initializer: xavier_uniform
  tied_embeddings: true
  tied_softmax: true{network}
"""
#: "epoch 1 of 20, step 50 of 8,310: ..."
OUR_STEP = re.compile(r"epoch \d+ of (\d+), step ([\d,]+) of ([\d,]+)")
#: "Epoch   2, Step:      590, ..."
THEIR_STEP = re.compile(r"Epoch +(\d+), Step: +(\d+)")
HEADER = ("toolkit", "CPU minutes", "target tokens/s", "test", "BLEU", "chrF2")


@dataclass(frozen=True)
class Corpus:
    """Pairs, as files of lines.

    Attributes:
        source, target: languages, which end the names of the files.
        dropout: for networks that learn them.
        parts: training, development and test parts: paths in the data folder without the language.
        table: the name of pairs of Tatoeba instead, of which parts are drawn.
    """

    source: str
    target: str
    dropout: float
    parts: dict[str, str]
    table: str = ""

    def write(self, folder: Path) -> None:
        """Writes the files `<part>.<language>`."""
        sides = (self.source, self.target)
        texts = {
            part: [lines_of(f"{path}.{side}.gz") for side in sides]
            for part, path in self.parts.items()
        }
        for part, columns in {**texts, **self._draw()}.items():
            for side, lines in zip(sides, columns, strict=True):
                (folder / f"{part}.{side}").write_text("\n".join([*lines, ""]), "utf-8")

    def _draw(self) -> dict[str, list[list[str]]]:
        """Draws parts of the table. Returns their sources and targets; a source is in one part."""
        if not self.table:
            return {}
        targets = defaultdict(list)
        for source, target in tatoeba(self.table):
            targets[source].append(target)
        sources = sorted(targets)
        random.Random(1).shuffle(sources)
        cuts = {
            "dev": sources[:HELD_OUT],
            "test": sources[HELD_OUT : 2 * HELD_OUT],
            "train": sources[2 * HELD_OUT :],
        }
        return {
            part: [
                [source for source in own for _ in targets[source]],
                [target for source in own for target in targets[source]],
            ]
            for part, own in cuts.items()
        }


MULTI30K = {"train": "multi30k/train", "dev": "multi30k/val", "test": "multi30k/test_2016_flickr"}
ENJA = {part: f"small-parallel-enja/{part}" for part in ("train", "dev", "test")}
CORPORA = {
    "multi30k": Corpus("en", "de", 0.4, MULTI30K),
    "small-parallel-enja": Corpus("en", "ja", 0.3, ENJA),
    "tatoeba": Corpus("en", "de", 0.1, {"captions": MULTI30K["test"]}, "deu-eng"),
}
#: The parts that are translated, of those that a corpus has.
TESTS = ("test", "captions")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("python", help="an interpreter that has JoeyNMT")
    parser.add_argument("--corpora", nargs="+", choices=CORPORA, default=list(CORPORA))
    parser.add_argument("--networks", nargs="+", choices=OUR_NETWORKS, default=list(OUR_NETWORKS))
    parser.add_argument("--minutes", nargs="+", type=float, default=[15, 30, 60])
    parser.add_argument("--output", type=Path, default=Path("runs/joeynmt"))
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    for corpus in options.corpora:
        for network in options.networks:
            folder = (options.output / f"{corpus}-{network}").absolute()
            folder.mkdir(parents=True)
            ours = Ours(folder, CORPORA[corpus], network)
            theirs = Theirs(folder, CORPORA[corpus], network, options.python)
            with ThreadPoolExecutor() as pool:
                measures = [
                    pool.submit(toolkit.measure, options.minutes, core)
                    for toolkit, core in ((ours, cores[0]), (theirs, cores[-1]))
                ]
            rows = [row for each in measures for row in each.result()]
            print(f"\n{corpus}, {network}\n\n{markdown_table(HEADER, rows)}", flush=True)


class Toolkit(ABC):
    """A toolkit that trains a network on a corpus.

    Args:
        folder: for its files.
        corpus: the pairs.
    """

    name: str

    def __init__(self, folder: Path, corpus: Corpus) -> None:
        self.folder, self.corpus = folder, corpus
        corpus.write(folder)

    def measure(self, minutes: Sequence[float], core: int) -> list[Sequence[object]]:
        """Trains on a core. Returns rows of the table."""
        rows: list[Sequence[object]] = []
        for minute, copy, speed in self._train(minutes, core):
            for test in TESTS:
                if not (self.folder / f"{test}.{self.corpus.source}").exists():
                    continue
                hypotheses = self.translate(copy, self.lines(test, self.corpus.source))
                references = self.lines(test, self.corpus.target)
                bleu, _ = corpus_bleu(hypotheses, references, language=self.corpus.target)
                chrf = corpus_chrf(hypotheses, references)
                rows.append(
                    (self.name, f"{minute:g}", f"{speed:.0f}", test, f"{bleu:.1f}", f"{chrf:.1f}")
                )
        return rows

    def _train(self, minutes: Sequence[float], core: int) -> list[tuple[float, Path, float]]:
        """Trains on a core. Returns, for each number of minutes of CPU, a copy of the best
        checkpoint and the target tokens of training per second of CPU."""
        marks = []
        log = self.folder / f"{self.name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["taskset", "-c", str(core), *self.training_command()],
                stdout=output,
                stderr=output,
                env=ENVIRONMENT,
            )
        try:
            for minute in minutes:
                while cpu_seconds(process.pid) < minute * 60:
                    if process.poll() is not None:
                        raise RuntimeError(f"{self.name} has ended, see {log}")
                    time.sleep(POLL_SECONDS)
                process.send_signal(signal.SIGSTOP)
                copy = self.folder / f"{self.name}-{minute:g}"
                self.copy_best(copy)
                tokens = self.epochs(log.read_text("utf-8")) * self.tokens_of_epoch()
                marks.append((minute, copy, tokens / cpu_seconds(process.pid)))
                process.send_signal(signal.SIGCONT)
        finally:
            process.kill()
            process.wait()
        return marks

    def _write_config(self, path: Path, template: str, **own: object) -> Path:
        """Writes a configuration: a template with what both toolkits share, and the `own`."""
        text = template.format(
            name=self.folder.name,
            folder=self.folder,
            source=self.corpus.source,
            target=self.corpus.target,
            beam_size=BEAM_SIZE,
            batch_tokens=BATCH_TOKENS,
            max_tokens=MAX_TOKENS,
            **own,
        )
        path.write_text(text, "utf-8")
        return path

    def lines(self, part: str, side: str) -> list[str]:
        """Returns the lines of a side of a part."""
        return (self.folder / f"{part}.{side}").read_text("utf-8").splitlines()

    def tokens_of_epoch(self) -> int:
        """Returns how many target tokens the training part has, ends included."""
        pieces = SentencePieceProcessor(model_file=str(self.pieces()))
        return sum(len(each) + 1 for each in pieces.encode(self.lines("train", self.corpus.target)))

    def pieces(self) -> Path:
        """Returns the path of the SentencePiece model, which ours makes."""
        return self.folder / "run" / "data" / "source.spm"

    @abstractmethod
    def training_command(self) -> list[str]:
        """Returns the command that trains."""

    @abstractmethod
    def epochs(self, log: str) -> float:
        """Returns how many epochs are done, by the log of training."""

    @abstractmethod
    def copy_best(self, to: Path) -> None:
        """Copies the best checkpoint while training halts."""

    @abstractmethod
    def translate(self, copy: Path, sources: Sequence[str]) -> Sequence[str]:
        """Translates with what `copy_best` copied."""


class Ours(Toolkit):
    """This project."""

    name = "seq2seq"

    def __init__(self, folder: Path, corpus: Corpus, network: str) -> None:
        super().__init__(folder, corpus)
        self._network = network
        self._run("prepare", self._recipe(folder))

    def training_command(self) -> list[str]:
        return [sys.executable, "-m", "seq2seq", "fit", str(self._recipe(self.folder))]

    def epochs(self, log: str) -> float:
        epochs, step, steps = (int(each.replace(",", "")) for each in OUR_STEP.findall(log)[-1])
        return epochs * step / steps

    def copy_best(self, to: Path) -> None:
        shutil.copytree(self.folder / "run", to / "run")

    def translate(self, copy: Path, sources: Sequence[str]) -> Sequence[str]:
        self._run("export", self._recipe(copy))
        generator = Generator.load(copy / "run" / "model", "onnx", threads=1)
        return [found[0].text for found in generator.generate(sources)]

    def _recipe(self, folder: Path) -> Path:
        """Writes the recipe of a run in `folder`."""
        return self._write_config(
            folder / "recipe.toml",
            OUR_RECIPE,
            output=folder / "run",
            network=OUR_NETWORKS[self._network],
            schedule=OUR_SCHEDULES[self._network],
            dropout=self.corpus.dropout,
        )

    def _run(self, command: str, recipe: Path) -> None:
        subprocess.run([sys.executable, "-m", "seq2seq", command, str(recipe)], check=True)


class Theirs(Toolkit):
    """JoeyNMT, with the pieces of ours.

    Args:
        folder, corpus, network: see `Ours`.
        python: an interpreter that has it.
    """

    name = "joeynmt"

    def __init__(self, folder: Path, corpus: Corpus, network: str, python: str) -> None:
        super().__init__(folder, corpus)
        self._network, self._python = network, python
        pieces = SentencePieceProcessor(model_file=str(self.pieces()))
        names = map(pieces.id_to_piece, range(pieces.vocab_size()))
        (folder / "vocabulary.txt").write_text("".join(f"{each}\n" for each in names), "utf-8")

    def training_command(self) -> list[str]:
        config = self._config(self.folder / "joeynmt")
        return [self._python, "-m", "joeynmt", "train", str(config), "--skip-test"]

    def epochs(self, log: str) -> float:
        steps = [(int(epoch), int(step)) for epoch, step in THEIR_STEP.findall(log)]
        return steps[-1][1] / max(step for epoch, step in steps if epoch == 1)

    def copy_best(self, to: Path) -> None:
        shutil.copytree(self.folder / "joeynmt", to)

    def translate(self, copy: Path, sources: Sequence[str]) -> Sequence[str]:
        found = subprocess.run(
            [self._python, "-m", "joeynmt", "translate", str(self._config(copy))],
            input="\n".join(sources),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env=ENVIRONMENT,
        )
        return found.stdout.splitlines()

    def _config(self, model: Path) -> Path:
        """Writes the configuration of a model in the folder `model`."""
        return self._write_config(
            self.folder / f"{model.name}.yaml",
            THEIR_CONFIG,
            output=model,
            pieces=self.pieces(),
            vocabulary=self.folder / "vocabulary.txt",
            network=THEIR_NETWORKS[self._network].replace("DROPOUT", str(self.corpus.dropout)),
            schedule=THEIR_SCHEDULES[self._network],
        )


if __name__ == "__main__":
    main()
