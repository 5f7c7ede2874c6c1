"""Networks: layers put together by a config."""

import keras  # noqa: F401, first: Keras then imports the networks, before one is half imported
