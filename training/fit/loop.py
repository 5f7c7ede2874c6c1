"""`fit`: trains the network until the dev loss stops falling. A run that was killed can resume.

A corpus without a dev part is learnt by heart: then the train part is scored instead.

All that a step depends on is in the checkpoint or derived from (seed, epoch, batch): a run that was
killed and started again ends with the weights of an uninterrupted one. The model folder is written
at each best epoch, so that a run that is stopped leaves a model too.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import keras
from tensorboard.summary import Writer

from model.folder import WEIGHTS_FILE, ModelFolder, require_replaceable
from model.generator import Generator
from model.networks.tokens import TokenSeq2Seq
from model.tokenizer import normalise_target
from training.errors import CheckpointError, DivergenceError
from training.fit.baselines import (
    describe_loss,
    describe_overuse,
    unigram_entropy,
    unigram_logprobs,
)
from training.fit.batches import Batch, plan_batches, read_batches
from training.fit.checkpoints import Progress, load_checkpoint, save_checkpoint, write_durably
from training.fit.divergence import DivergenceCheck
from training.fit.log import FitLog
from training.fit.losses import TokenCrossEntropy
from training.fit.schedules import WarmUpAndDecay, feasible_warmup
from training.fit.scoring import Scorer, TokenScore
from training.fit.sizing import network_config, sized_options
from training.model_card import Metrics, weights_of, write_model
from training.prepare.prepare import PreparedCorpus, open_prepared
from training.prepare.shards import evenly_spaced
from training.recipe import Recipe, start_of

CHECKPOINT_FILE = "checkpoint.h5"
BEST_WEIGHTS_FILE = "best.weights.h5"
#: Options that may change between two calls: they determine how long a run lasts, nothing else.
LENGTH_OPTIONS = {"epochs", "patience", "checkpoint_every"}
#: Least points of `train/loss` in an epoch; a long epoch has one every `MOST_STEPS` steps.
POINTS_PER_EPOCH, MOST_STEPS = 10, 100
#: Sources of the scored part that are answered at the end, to check that the answers differ.
SAMPLED_ANSWERS = 128


def fit(recipe: Recipe) -> str:
    """Trains what `recipe` describes and writes its model folder.

    Returns:
        a line with the path of the model and its scores, and one for each warning.

    Raises:
        CorpusError: if `prepare` has not been run.
        CheckpointError: if the checkpoint is of another run, or broken.
        FolderError: if something that is no model lies where the model is to be written.
        DivergenceError: if a loss is no number, or far above that of guessing. Nothing of that
            epoch is saved.
    """
    run = Run(recipe, open_prepared(recipe))
    run.train()
    run.write_best()
    metrics, part = run.metrics(), run.part
    summary = (
        f"{run.model_path}: {part} perplexity {metrics[f'{part}_perplexity']:.2f}, {part} loss "
        f"{metrics[f'{part}_loss']:.4f}, unigram entropy "
        f"{metrics[f'{part}_unigram_entropy']:.4f}; epoch "
        f"{metrics['best_epoch']} of {metrics['epochs']}, {metrics['steps']:,} steps"
    )
    return "\n".join([summary, *_warn_of_answers(run)])


class Run:
    """A training run on disk and in memory.

    Args:
        recipe: what to train; its `output` receives checkpoints, losses and the model.
        corpus: what to train on.
    """

    def __init__(self, recipe: Recipe, corpus: PreparedCorpus) -> None:
        self.recipe = recipe
        self.corpus = corpus
        self.part = "dev" if len(corpus.dev) else "train"
        by_heart = self.part == "train"
        self.options = sized_options(recipe.fit, corpus.train, by_heart=by_heart)
        self.scored = corpus.part(self.part)
        self.folder = Path(recipe.output) / "checkpoints"
        self.model_path = Path(recipe.output) / "model"
        require_replaceable(self.model_path)
        self.folder.mkdir(parents=True, exist_ok=True)
        _make_deterministic(recipe.fit.seed)
        keras.mixed_precision.set_dtype_policy(recipe.fit.precision)
        self.network = TokenSeq2Seq(network_config(recipe, corpus))
        start = start_of(recipe)
        vocab_size = corpus.tokenizer.target_vocab_size
        if start:
            self.network.load_weights(start.path / WEIGHTS_FILE)
        else:  # the untrained network predicts the frequencies of the corpus
            self.network.projection.bias.assign(unigram_logprobs(corpus.train, vocab_size))
        plan = plan_batches(corpus.train, self.options.batch_tokens, seed=0, epoch=0)
        self.steps_per_epoch = len(plan)
        self.total_steps = self.options.epochs * self.steps_per_epoch
        self._compile()
        self.scorer = Scorer(self.network, self.options.batch_tokens)
        self.entropy = unigram_entropy(corpus.train, self.scored, vocab_size)
        self._divergence = DivergenceCheck(vocab_size)
        self.progress = Progress(run=_fingerprint(recipe, corpus, start))
        if (self.folder / CHECKPOINT_FILE).exists():
            self.progress = load_checkpoint(
                self.folder / CHECKPOINT_FILE, self.network, self.progress.run
            )

    @property
    def is_finished(self) -> bool:
        """Tells whether epochs or patience of the recipe are used up, or all is learnt by heart."""
        progress = self.progress
        is_known = self.part == "train" and any(
            entry["token_accuracy"] == 1.0 for entry in progress.history[-1:]
        )
        return (
            is_known
            or progress.epoch >= self.options.epochs
            or progress.scores_without_gain >= self.options.patience
        )

    def train(self) -> None:
        """Trains from the last checkpoint to the end."""
        options, progress = self.options, self.progress
        point = max(1, min(MOST_STEPS, self.steps_per_epoch // POINTS_PER_EPOCH))
        with (
            FitLog(epochs=options.epochs, total_steps=self.total_steps, step=progress.step) as log,
            closing(Writer(str(self.folder.parent / "tensorboard"))) as tracker,
        ):
            warmup = feasible_warmup(options.warmup_steps, self.total_steps)
            if warmup < options.warmup_steps and not self.is_finished:
                log.write(
                    f"warning: warmup_steps = {options.warmup_steps:,} is cut to {warmup:,}, half "
                    f"of the {self.total_steps:,} steps of this run: {self.steps_per_epoch:,} in "
                    f"each of {options.epochs:,} epochs"
                )
            while not self.is_finished:
                for batch in self._rest_of_the_epoch():
                    tokens = int(batch.weights.sum())
                    loss = self._train_on(batch, tokens)
                    log.add_step(progress.epoch + 1, loss, tokens)
                    if progress.step % point == 0:
                        tracker.add_scalar("train/loss", loss, step=progress.step)
                    is_sound = loss <= self._divergence.train_limit(progress.first_loss)
                    if progress.step % options.checkpoint_every == 0 and is_sound:
                        self._save()
                self._end_epoch(tracker, log)

    def write_best(self) -> None:
        """Writes the model folder with the weights of the lowest dev loss.

        Raises:
            CheckpointError: if they are missing.
            FolderError: if the folder cannot be written.
        """
        path = self.folder / BEST_WEIGHTS_FILE
        try:
            weights = path.read_bytes()
        except OSError as error:
            raise CheckpointError(
                f"{path}: cannot be read ({error.strerror}). Delete the folder {self.folder} to "
                "train anew."
            ) from None
        network = self.network.config
        write_model(self.model_path, self.recipe, self.corpus, network, weights, self.metrics())

    def metrics(self) -> Metrics:
        """Returns the scores of the best epoch so far, for config and card."""
        part = self.part
        best = min(self.progress.history, key=lambda entry: entry["loss"])
        return {
            f"{part}_loss": round(best["loss"], 4),
            f"{part}_unigram_entropy": round(self.entropy, 4),
            f"{part}_perplexity": round(math.exp(min(best["loss"], 700.0)), 3),
            f"{part}_token_accuracy": round(best["token_accuracy"], 4),
            "best_epoch": int(best["epoch"]),
            "steps": self.progress.step,
            "epochs": self.progress.epoch,
        }

    def _rest_of_the_epoch(self) -> Iterator[Batch]:
        options, progress = self.options, self.progress
        plan = plan_batches(
            self.corpus.train, options.batch_tokens, seed=options.seed, epoch=progress.epoch
        )
        return read_batches(self.corpus.train, plan[progress.batch :], options.batch_tokens)

    def _train_on(self, batch: Batch, tokens: int) -> float:
        """Trains on `batch` and returns its loss before the update."""
        progress = self.progress
        self.network.reset_metrics()  # else Keras returns the mean of all batches so far
        loss = float(self.network.train_on_batch(batch.inputs, batch.labels, batch.weights))
        if not progress.step:
            progress.first_loss = loss
        fault = self._divergence.find_in_training(loss, first_loss=progress.first_loss)
        if fault:
            raise self._diverged(f"the training loss {fault}")
        progress.batch += 1
        progress.step += 1
        progress.epoch_loss += loss * tokens
        progress.epoch_tokens += tokens
        return loss

    def _end_epoch(self, tracker: Writer, log: FitLog) -> None:
        """Scores the dev part, saves the best weights and logs the scores."""
        progress, part = self.progress, self.part
        score = self.scorer(self.scored)
        fault = self._divergence.find_in_dev(
            score.loss, first_loss=progress.first_loss, best_loss=progress.best_loss
        )
        if fault:
            raise self._diverged(f"the {part} loss {fault}")
        if part == "dev":
            tracker.add_scalar("dev/loss", score.loss, step=progress.step)
        tracker.add_scalar(f"{part}/token_accuracy", score.accuracy, step=progress.step)
        train_loss = progress.epoch_loss / progress.epoch_tokens
        progress.end_epoch(train_loss=train_loss, loss=score.loss, token_accuracy=score.accuracy)
        if progress.scores_without_gain == 0:
            write_durably(self.folder / BEST_WEIGHTS_FILE, weights_of(self.network))
            self.write_best()
        self._save()
        scores = _describe(progress, score, train_loss, part, self.entropy)
        log.end_epoch(progress.epoch, scores, is_last=self.is_finished)
        for warning in describe_loss(part, score.loss, self.entropy):
            log.write(warning)

    def _diverged(self, fault: str) -> DivergenceError:
        options = self.options
        others = "" if options.precision == "float32" else ', or precision = "float32"'
        return DivergenceError(
            f"{self.folder}: {fault} after {self.progress.step:,} steps. Take a "
            f"lower learning_rate than {options.learning_rate:g}, more warmup_steps than "
            f"{options.warmup_steps}{others}, delete this folder, and start `fit` again."
        )

    def _save(self) -> None:
        save_checkpoint(self.folder / CHECKPOINT_FILE, self.network, self.progress)

    def _compile(self) -> None:
        options = self.options
        schedule = WarmUpAndDecay(
            options.learning_rate,
            warmup_steps=feasible_warmup(options.warmup_steps, self.total_steps),
            total_steps=self.total_steps,
            decay=options.decay,
        )
        self.network.compile(
            optimizer=keras.optimizers.Adam(schedule, global_clipnorm=options.clip_norm),
            loss=TokenCrossEntropy(options.label_smoothing),
            jit_compile=False,  # on a CPU, XLA trains slower
        )
        self.network.optimizer.build(self.network.trainable_variables)


def _make_deterministic(seed: int) -> None:
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def _fingerprint(recipe: Recipe, corpus: PreparedCorpus, start: ModelFolder | None) -> str:
    """Hashes what identifies a run: network, options, data and the weights that it starts from; its
    name, search defaults and length do not count."""
    options = recipe.fit.model_dump_json(exclude=LENGTH_OPTIONS)
    parts = [recipe.network.model_dump_json(), options, corpus.fingerprint]
    parts += [start.config.sha256[WEIGHTS_FILE]] if start else []
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _describe(
    progress: Progress, score: TokenScore, train_loss: float, part: str, entropy: float
) -> str:
    scored = "dev loss" if part == "dev" else "without dropout"
    note = "best so far" if progress.scores_without_gain == 0 else f"best {progress.best_loss:.4f}"
    return (
        f"train loss {train_loss:.4f}, {scored} {score.loss:.4f} ({note}), "
        f"perplexity {score.perplexity:.2f}, unigram entropy {entropy:.4f}"
    )


def _warn_of_answers(run: Run) -> list[str]:
    """Answers a few sources of the scored part with the new model; returns a warning if the answers
    are suspicious."""
    scored = run.scored
    chosen = evenly_spaced(len(scored), SAMPLED_ANSWERS).tolist()
    generator = Generator.load(run.model_path, "keras")
    options = generator.config.search.greedy()
    found = generator.generate([scored.source_turns(i) for i in chosen], options)
    references = [normalise_target(scored.target_text(i), generator.config.text) for i in chosen]
    return describe_overuse([candidates[0].text for candidates in found], references)
