"""HTTP around a model. Never imports `training`."""
