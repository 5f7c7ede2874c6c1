"""`fit`: batches -> network, until the dev loss stops falling. Killed at any moment, it goes on.

All that a step depends on is in the checkpoint or derived from (seed, epoch, batch): a run that was
killed and started again ends with the weights of an undisturbed one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import keras
from tensorboard.summary import Writer
from tqdm import tqdm

from model.folder import WEIGHTS_FILE, ModelFolder
from model.networks.tokens import TokenSeq2Seq
from training.batches import Batch, plan_batches, read_batches
from training.checkpoints import Progress, load_checkpoint, save_checkpoint
from training.corpus.prepare import PreparedCorpus, open_prepared
from training.errors import CheckpointError, DivergenceError
from training.losses import TokenCrossEntropy
from training.packing import network_config, weights_of, write_model
from training.recipe import Recipe, start_of
from training.schedules import WarmUpAndDecay
from training.scoring import Scorer

CHECKPOINT_FILE = "checkpoint.h5"
BEST_WEIGHTS_FILE = "best.weights.h5"


def fit(recipe: Recipe) -> str:
    """Trains what `recipe` describes and writes its model folder.

    Returns:
        one line that says where the model is and how good.

    Raises:
        CorpusError: if `prepare` has not been run.
        CheckpointError: if the checkpoint is of another run, or broken.
        DivergenceError: if a loss is no number. Nothing of that step is saved.
    """
    corpus = open_prepared(recipe)
    run = Run(recipe, corpus, Path(recipe.output) / "checkpoints")
    run.train()
    run.load_best()
    score = run.scorer(corpus.dev)
    metrics = {
        "dev_loss": round(score.loss, 4),
        "dev_perplexity": round(score.perplexity, 3),
        "dev_token_accuracy": round(score.accuracy, 4),
        "steps": run.progress.step,
        "epochs": run.progress.epoch,
    }
    path = Path(recipe.output) / "model"
    write_model(path, recipe, corpus, weights_of(run.network), metrics)
    return f"{path}: dev perplexity {score.perplexity:.2f} after {run.progress.step} steps"


class Run:
    """A training run on disk and in memory.

    Args:
        recipe: what to train.
        corpus: what to train on.
        folder: where its checkpoints are, or will be.
    """

    def __init__(self, recipe: Recipe, corpus: PreparedCorpus, folder: Path) -> None:
        self.options = recipe.fit
        self.corpus = corpus
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        _be_deterministic(recipe.fit.seed)
        keras.mixed_precision.set_dtype_policy(recipe.fit.precision)
        self.network = TokenSeq2Seq(network_config(recipe, corpus))
        start = start_of(recipe)
        if start:
            self.network.load_weights(start.path / WEIGHTS_FILE)
        plan = plan_batches(corpus.train, self.options.batch_tokens, seed=0, epoch=0)
        self.steps_per_epoch = len(plan)
        self._compile()
        self.scorer = Scorer(self.network, self.options.batch_tokens)
        self.progress = Progress(run=_fingerprint(recipe, corpus, start))
        if (folder / CHECKPOINT_FILE).exists():
            self.progress = load_checkpoint(
                folder / CHECKPOINT_FILE, self.network, self.progress.run
            )

    def train(self) -> None:
        """Goes on from the last checkpoint until the end."""
        total = self.options.epochs * self.steps_per_epoch
        progress = self.progress
        with (
            tqdm(total=total, initial=progress.step, unit="step", desc="fit", disable=None) as bar,
            closing(Writer(str(self.folder.parent / "tensorboard"))) as tracker,
        ):
            while not progress.finished:
                self.network.reset_metrics()
                for batch in self._rest_of_the_epoch():
                    loss = self._train_on(batch)
                    bar.update()
                    bar.set_postfix(epoch=progress.epoch + 1, loss=f"{loss:.3f}", refresh=False)
                    if progress.step % self.options.checkpoint_every == 0:
                        tracker.add_scalar("train/loss", loss, step=progress.step)
                        self._save()
                self._end_epoch(tracker)
                bar.write(_describe(progress))

    def load_best(self) -> None:
        """Puts the weights of the lowest dev loss into the network.

        Raises:
            CheckpointError: if they are not there.
        """
        path = self.folder / BEST_WEIGHTS_FILE
        try:
            self.network.load_weights(path)
        except (OSError, KeyError, ValueError) as error:
            raise CheckpointError(
                f"{path}: cannot be read ({error}). Delete the folder {self.folder} to train anew."
            ) from None

    def _rest_of_the_epoch(self) -> Iterator[Batch]:
        options, progress = self.options, self.progress
        plan = plan_batches(
            self.corpus.train, options.batch_tokens, seed=options.seed, epoch=progress.epoch
        )
        return read_batches(self.corpus.train, plan[progress.batch :], options.batch_tokens)

    def _train_on(self, batch: Batch) -> float:
        loss = float(self.network.train_on_batch(batch.inputs, batch.labels, batch.weights))
        self._require_number(loss, "training")
        self.progress.batch += 1
        self.progress.step += 1
        return loss

    def _end_epoch(self, tracker: Writer) -> None:
        """Scores the dev set, keeps the best weights and decides whether to go on."""
        progress = self.progress
        score = self.scorer(self.corpus.dev)
        self._require_number(score.loss, "dev")
        tracker.add_scalar("dev/loss", score.loss, step=progress.step)
        tracker.add_scalar("dev/token_accuracy", score.accuracy, step=progress.step)
        progress.epoch += 1
        progress.batch = 0
        progress.scores_without_gain += 1
        progress.history.append(
            {"epoch": progress.epoch, "step": progress.step, "dev_loss": score.loss}
        )
        if score.loss < progress.best_loss:
            progress.best_loss = score.loss
            progress.scores_without_gain = 0
            partial = self.folder / f"partial.{BEST_WEIGHTS_FILE}"
            self.network.save_weights(partial)
            partial.replace(self.folder / BEST_WEIGHTS_FILE)
        progress.finished = (
            progress.epoch >= self.options.epochs
            or progress.scores_without_gain >= self.options.patience
        )
        self._save()

    def _require_number(self, loss: float, name: str) -> None:
        if math.isfinite(loss):
            return
        options = self.options
        others = "" if options.precision == "float32" else ', or precision = "float32"'
        raise DivergenceError(
            f"{self.folder}: the {name} loss is {loss} after {self.progress.step:,} steps. Take a "
            f"lower learning_rate than {options.learning_rate:g}, more warmup_steps than "
            f"{options.warmup_steps}{others}, delete this folder, and start `fit` again."
        )

    def _save(self) -> None:
        save_checkpoint(self.folder / CHECKPOINT_FILE, self.network, self.progress)

    def _compile(self) -> None:
        options = self.options
        schedule = WarmUpAndDecay(
            options.learning_rate,
            warmup_steps=options.warmup_steps,
            total_steps=options.epochs * self.steps_per_epoch,
            decay=options.decay,
        )
        self.network.compile(
            optimizer=keras.optimizers.Adam(schedule, global_clipnorm=options.clip_norm),
            loss=TokenCrossEntropy(options.label_smoothing),
            jit_compile=False,  # on CPU, XLA trains slower: docs/benchmarks.md
        )
        self.network.optimizer.build(self.network.trainable_variables)


def _be_deterministic(seed: int) -> None:
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def _fingerprint(recipe: Recipe, corpus: PreparedCorpus, start: ModelFolder | None) -> str:
    """What makes two runs the same: network, options, data and the weights that they start from;
    names and defaults do not count."""
    parts = [recipe.network.model_dump_json(), recipe.fit.model_dump_json(), corpus.fingerprint]
    parts += [start.config.sha256[WEIGHTS_FILE]] if start else []
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _describe(progress: Progress) -> str:
    latest = progress.history[-1]["dev_loss"]
    note = "best so far" if progress.scores_without_gain == 0 else f"best {progress.best_loss:.4f}"
    return f"epoch {progress.epoch}: dev loss {latest:.4f} ({note})"
