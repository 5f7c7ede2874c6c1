"""`fit`: trains the network until the dev loss stops falling. A killed run can resume.

A corpus without a dev split is learnt by heart; the train split is scored instead.

Everything that a step depends on is in the checkpoint or derived from (seed, epoch, batch): a run
that is killed and resumed ends with the weights of an uninterrupted one. The model folder is
written at each best epoch, so that a stopped run leaves a model too.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import keras

from model.engine.keras import load_network
from model.errors import FolderError
from model.folder import WEIGHTS_FILE, ModelFolder, check_replaceable, load_folder, write_durably
from model.networks.tokens import TokenSeq2Seq
from model.quiet import quiet_framework
from model.types import Int64
from training.errors import CheckpointError, DivergenceError
from training.fallback import fallback_of
from training.files.locks import locked
from training.fit.answers import bleu_of, check_answers
from training.fit.baselines import describe_loss, unigram_entropy, unigram_logprobs
from training.fit.batches import Batch, plan_batches, read_batches
from training.fit.checkpoints import Progress, load_checkpoint, read_weights, save_checkpoint
from training.fit.distribution import (
    COMPILES_STEPS,
    ONE_DEVICE,
    Devices,
    choose_devices,
    explain_exhaustion,
)
from training.fit.divergence import DivergenceCheck
from training.fit.epochs import EpochShards
from training.fit.log import FitLog
from training.fit.optimizer import averaged_weights, compile_network
from training.fit.scoring import Scorer, TokenScore
from training.fit.shapes import shapes_for
from training.fit.sizing import network_config, sized_options
from training.fit.word_vectors import start_from_word_vectors
from training.model_card import (
    Metrics,
    describe_model,
    is_made_by,
    memory_files,
    weights_of,
    write_model,
)
from training.prepare.prepare import PreparedCorpus, open_prepared
from training.prepare.shards import Shard
from training.recipe import Recipe
from training.recipe_file import start_of

CHECKPOINT_FILE = "checkpoint.h5"
BEST_WEIGHTS_FILE = "best.weights.h5"
COMPILED_FOLDER = "compiled"
#: Options that may change between two calls, since they only determine how long a run lasts.
LENGTH_OPTIONS = {"epochs", "patience", "checkpoint_every"}
#: Seconds after which the next step writes a checkpoint, whatever `checkpoint_every`.
CHECKPOINT_SECONDS = 60.0
#: Least points of `train/loss` in an epoch; a long epoch has one every `MAX_STEPS` steps.
POINTS_PER_EPOCH, MAX_STEPS = 10, 100


def fit(recipe: Recipe, devices: int = 1) -> str:
    """Trains what `recipe` describes and writes its model folder.

    Args:
        devices: number of devices per process; see `distribution`.

    Returns:
        a line with the path of the model and its scores, and one per warning; nothing in processes
        other than the first.

    Raises:
        CorpusError: if `prepare` has not been run.
        BusyError: if another process uses the output folder.
        CheckpointError: if the checkpoint belongs to another run or is broken.
        FolderError: if the path of the model is something other than a model folder.
        DeviceError: if there are too few devices or too little memory, or one of several processes
            ends.
        DivergenceError: if a loss is NaN or far above the loss of guessing. Nothing of that epoch
            is saved.
    """
    corpus = open_prepared(recipe)
    compiled = Path(recipe.output) / COMPILED_FOLDER
    _make_deterministic(recipe.fit.seed)
    chosen = choose_devices(devices, compiled=compiled)
    with locked(Path(recipe.output)) if chosen.is_first else nullcontext():
        with chosen.exit_on_failure(), explain_exhaustion():
            run = Run(recipe, corpus, chosen)
            was_finished = run.is_finished
            run.train()
        if not chosen.is_first:
            return ""
        if not (was_finished and run.is_written()):
            run.write_best()
    metrics, part = run.metrics(), run.part
    summary = (
        f"{run.model_path}: {part} perplexity {metrics[f'{part}_perplexity']:.2f}, {part} loss "
        f"{metrics[f'{part}_loss']:.4f}, unigram entropy "
        f"{metrics[f'{part}_unigram_entropy']:.4f}; epoch "
        f"{metrics['best_epoch']} of {metrics['epochs']}, {metrics['steps']:,} steps"
    )
    best = load_network(load_folder(run.model_path))
    warnings = check_answers(best, recipe, run.corpus, run.scored)
    return "\n".join([summary, *run.fallback.summary, *warnings])


class Run:
    """A training run on disk and in memory; the recipe's `output` receives checkpoints, losses and
    the model."""

    def __init__(
        self, recipe: Recipe, corpus: PreparedCorpus, devices: Devices = ONE_DEVICE
    ) -> None:
        self.recipe = recipe
        self.corpus = corpus
        self.devices = devices
        self.fallback = fallback_of(recipe, corpus)
        self.part = "dev" if len(corpus.dev) else "train"
        by_heart = self.part == "train"
        self._shapes = shapes_for(corpus.train, devices.count)
        self.options = sized_options(
            recipe.fit, corpus.train, by_heart=by_heart, shapes=self._shapes
        )
        self.scored = corpus.part(self.part)
        self.folder = Path(recipe.output) / "checkpoints"
        self.model_path = Path(recipe.output) / "model"
        check_replaceable(self.model_path)
        self.memory = memory_files(recipe, corpus)
        self.folder.mkdir(parents=True, exist_ok=True)
        keras.utils.clear_session()  # checkpoints name weights, whose names count networks
        _make_deterministic(recipe.fit.seed)
        keras.mixed_precision.set_dtype_policy(recipe.fit.precision)
        self.steps_per_epoch = len(self._plan(corpus.train, seed=0, epoch=0))
        self.total_steps = self.options.epochs * self.steps_per_epoch
        vocab_size = corpus.tokenizer.target_vocab_size
        self._epochs = EpochShards(recipe, corpus, self.folder, process=devices.process)
        self.entropy = unigram_entropy(corpus.train, self.scored, vocab_size)
        self._divergence = DivergenceCheck(vocab_size)
        self._saved_at = time.monotonic()
        with devices.scope():
            self._start(vocab_size)
        self.scorer = Scorer(self.network, self.options.batch_tokens, self._shapes, devices)

    def _start(self, vocab_size: int) -> None:
        """Builds the network and its training state, new or from the checkpoint."""
        recipe, corpus, path = self.recipe, self.corpus, self.folder / CHECKPOINT_FILE
        start = start_of(recipe)
        self.progress = Progress(_fingerprint(recipe, corpus, start), self.devices.count)
        self._check_agreement(path)
        source_vocab_size = corpus.tokenizer.source_vocab_size
        by_heart = self.part == "train"
        self.network = TokenSeq2Seq(
            network_config(recipe, source_vocab_size, vocab_size, by_heart=by_heart)
        )
        if start:
            corpus.check_tokenizers(start, "That model was replaced: run `prepare` again.")
            self.network.load_weights(start.path / WEIGHTS_FILE)
        else:  # the untrained network predicts the frequencies of the corpus
            self.network.projection.bias.assign(unigram_logprobs(corpus.train, vocab_size))
        compile_network(self.network, self.options, self.total_steps)
        self.network.optimizer.build(self.network.trainable_variables)
        if path.exists():
            self.progress = load_checkpoint(
                path, self.network, self.progress.run, self.devices.count
            )
        elif recipe.fit.word_vectors:
            start_from_word_vectors(self.network, corpus.tokenizer, Path(recipe.fit.word_vectors))

    def _check_agreement(self, path: Path) -> None:
        """Raises a CheckpointError unless all processes start from the same files."""
        if self.devices.processes == 1:
            return
        checkpoint = path.read_bytes() if path.exists() else b""
        if not self.devices.is_same_everywhere(self.progress.run.encode() + checkpoint):
            raise CheckpointError(
                f"{path}: the processes of this run have different checkpoints, recipes or "
                f"corpora. Put {self.recipe.output} into a folder that all of them share."
            )

    @property
    def is_finished(self) -> bool:
        """Tells whether the epochs or the patience are used up, or everything is learnt by
        heart."""
        progress = self.progress
        is_known = self.part == "train" and any(
            entry["token_accuracy"] == 1.0 for entry in progress.history[-1:]
        )
        return (
            is_known
            or progress.epoch >= self.options.epochs
            or progress.epochs_without_improvement >= self.options.patience
        )

    def train(self) -> None:
        """Trains from the last checkpoint to the end."""
        options, progress = self.options, self.progress
        point = max(1, min(MAX_STEPS, self.steps_per_epoch // POINTS_PER_EPOCH))
        curves = self.folder.parent / "tensorboard" if self.devices.is_first else None
        with FitLog(
            epochs=options.epochs,
            total_steps=self.total_steps,
            step=progress.step,
            tensorboard_folder=curves,
        ) as log:
            if not self.is_finished:
                self._warn_of_warm_up(log)
                self._log_devices(log)
            while not self.is_finished:
                for batch in self._remaining_batches():
                    loss = self._train_on(batch)
                    log.add_step(progress.epoch + 1, loss, batch.tokens)
                    if progress.step % point == 0:
                        log.add_scalar("train/loss", loss)
                    is_sound = loss <= self._divergence.train_limit(progress.first_loss)
                    if is_sound and self._is_checkpoint_due:
                        self._save()
                with averaged_weights(self.network):
                    self._end_epoch(log)
                self._save()

    @property
    def _is_checkpoint_due(self) -> bool:
        is_late = time.monotonic() - self._saved_at >= CHECKPOINT_SECONDS
        return is_late or self.progress.step % self.options.checkpoint_every == 0

    def _log_devices(self, log: FitLog) -> None:
        if self._shapes.levels:
            shapes = sum(len(source_lengths) for _, source_lengths in self._shapes.levels)
            log.write(
                f"batches of {shapes} shapes, each of which is compiled once; devices: "
                f"{self.devices.count}, processes: {self.devices.processes}"
            )

    def _warn_of_warm_up(self, log: FitLog) -> None:
        wanted, used = self.recipe.fit.warmup_steps, self.options.warmup_steps
        if wanted and used < wanted:
            log.write(
                f"warning: warmup_steps = {wanted:,} is cut to {used:,}, half of the "
                f"{self.total_steps:,} steps of this run: {self.steps_per_epoch:,} in each of "
                f"{self.options.epochs:,} epochs"
            )

    def is_written(self) -> bool:
        """Tells whether the model folder has the weights of the lowest dev loss, their scores and
        this recipe. It may also have graphs, other scores, and more of a translation memory.

        Raises:
            CheckpointError: if these weights are missing or broken.
        """
        weights = read_weights(self.folder / BEST_WEIGHTS_FILE)
        try:
            config = load_folder(self.model_path).config
        except FolderError:
            return False
        is_same = config.sha256[WEIGHTS_FILE] == hashlib.sha256(weights).hexdigest()
        is_same &= self.metrics().items() <= config.training["metrics"].items()
        return is_same and is_made_by(config, self.recipe)

    def write_best(self) -> None:
        """Writes the model folder with the weights of the lowest dev loss.

        Raises:
            CheckpointError: if they are missing or broken.
            FolderError: if the folder cannot be written.
        """
        weights, fallback = read_weights(self.folder / BEST_WEIGHTS_FILE), self.fallback
        metrics = {**self.metrics(), **fallback.metrics}
        config = describe_model(self.recipe, self.corpus, self.network.config, metrics)
        config = config.model_copy(update={"search": fallback.search})
        files = {WEIGHTS_FILE: weights, **fallback.files, **self.memory}
        write_model(self.model_path, config, self.corpus, files)

    def metrics(self) -> Metrics:
        """Returns the scores of the best epoch so far, for config and card."""
        part = self.part
        best = self.progress.best
        bleu = {f"{part}_BLEU": round(best["bleu"], 2)} if "bleu" in best else {}
        return {
            f"{part}_loss": round(best["loss"], 4),
            f"{part}_unigram_entropy": round(self.entropy, 4),
            f"{part}_perplexity": round(math.exp(min(best["loss"], 700.0)), 3),
            f"{part}_token_accuracy": round(best["token_accuracy"], 4),
            **bleu,
            "best_epoch": int(best["epoch"]),
            "steps": self.progress.step,
            "epochs": self.progress.epoch,
        }

    def _remaining_batches(self) -> Iterator[Batch]:
        options, progress = self.options, self.progress
        shard = self._epochs(progress.epoch)
        plan = self._plan(shard, seed=options.seed, epoch=progress.epoch)[progress.batch :]
        share = self.devices.share
        return read_batches(shard, plan, options.batch_tokens, self._shapes, share)

    def _plan(self, shard: Shard, *, seed: int, epoch: int) -> list[Int64]:
        tokens = self.options.batch_tokens
        return plan_batches(shard, tokens, seed=seed, epoch=epoch, shapes=self._shapes)

    def _train_on(self, batch: Batch) -> float:
        """Trains on `batch` and returns its loss before the update."""
        progress = self.progress
        self.network.reset_metrics()  # else Keras returns the mean of all batches so far
        with self.devices.scope():
            loss = float(self.network.train_on_batch(batch.inputs, batch.labels, batch.weights))
        if not progress.step:
            progress.first_loss = loss
        fault = self._divergence.check_training_loss(loss, first_loss=progress.first_loss)
        if fault:
            raise self._diverged(f"the training loss {fault}")
        progress.batch += 1
        progress.step += 1
        progress.epoch_loss += loss * batch.tokens
        progress.epoch_tokens += batch.tokens
        return loss

    def _end_epoch(self, log: FitLog) -> None:
        """Scores the dev split, saves the best weights and logs the scores."""
        progress, part = self.progress, self.part
        score = self.scorer(self.scored)
        fault = self._divergence.check_dev_loss(
            score.loss, first_loss=progress.first_loss, best_loss=progress.best_loss
        )
        if fault:
            raise self._diverged(f"the {part} loss {fault}")
        if part == "dev":
            log.add_scalar("dev/loss", score.loss)
        log.add_scalar(f"{part}/token_accuracy", score.accuracy)
        train_loss = progress.epoch_loss / progress.epoch_tokens
        scores = {"loss": score.loss, "token_accuracy": score.accuracy, "train_loss": train_loss}
        if self.options.best_by == "bleu":
            scores["bleu"] = self.devices.broadcast_from_first(
                lambda: bleu_of(self.network, self.recipe, self.corpus, self.scored)
            )
            log.add_scalar(f"{part}/BLEU", scores["bleu"])
        progress.end_epoch(**scores)
        if progress.epochs_without_improvement == 0 and self.devices.is_first:
            write_durably(self.folder / BEST_WEIGHTS_FILE, weights_of(self.network))
            self.write_best()
        described = _describe(progress, score, part, self.entropy)
        log.end_epoch(progress.epoch, described, is_last=self.is_finished)
        for warning in describe_loss(part, score.loss, self.entropy):
            log.write(warning)

    def _diverged(self, fault: str) -> DivergenceError:
        options = self.options
        others = "" if options.precision == "float32" else ', or precision = "float32"'
        return DivergenceError(
            f"{self.folder}: {fault} after {self.progress.step:,} steps. In the recipe, set a "
            f"lower learning_rate than {options.learning_rate:g}, more warmup_steps than "
            f"{options.warmup_steps}{others}. Delete this folder, and start again."
        )

    def _save(self) -> None:
        if self.devices.is_first:
            save_checkpoint(self.folder / CHECKPOINT_FILE, self.network, self.progress)
        self._saved_at = time.monotonic()


def _make_deterministic(seed: int) -> None:
    with quiet_framework():  # Keras seeds TensorFlow too, on any backend
        keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def _fingerprint(recipe: Recipe, corpus: PreparedCorpus, start: ModelFolder | None) -> str:
    """Hashes what identifies a run: network, options, data and initial weights, but not its name,
    search defaults and length."""
    options = recipe.fit.model_dump_json(exclude={*LENGTH_OPTIONS, "word_vectors"})
    variants = str([source.variants for source in recipe.corpus.sources])
    parts = [recipe.network.model_dump_json(), options, corpus.fingerprint, variants]
    parts += [start.config.sha256[WEIGHTS_FILE]] if start else []
    parts += ["planned shapes"] if COMPILES_STEPS else []
    if recipe.fit.word_vectors:  # its name: the file may be found elsewhere the next time
        parts.append(Path(recipe.fit.word_vectors).name)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _describe(progress: Progress, score: TokenScore, part: str, entropy: float) -> str:
    entry, is_best = progress.history[-1], progress.epochs_without_improvement == 0
    scored = "dev loss" if part == "dev" else "without dropout"
    note = " (best so far)" if is_best else f" (best {progress.best['loss']:.4f})"
    bleu = ""
    if "bleu" in entry:
        best = "best so far" if is_best else f"best {progress.best['bleu']:.2f}"
        note, bleu = "", f", BLEU {entry['bleu']:.2f} ({best})"
    return (
        f"train loss {entry['train_loss']:.4f}, {scored} {score.loss:.4f}{note}{bleu}, "
        f"perplexity {score.perplexity:.2f}, unigram entropy {entropy:.4f}"
    )
