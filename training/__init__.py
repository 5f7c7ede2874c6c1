"""From files to a model folder. May import `model`, never `app`."""
