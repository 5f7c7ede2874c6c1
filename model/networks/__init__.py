"""Networks: models assembled from layers by a config."""

import keras  # noqa: F401, first, so that Keras imports the networks before any is partially imported
