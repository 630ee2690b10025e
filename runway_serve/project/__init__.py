"""A model's folder: its runway.yml checked, made into an image, or run in an environment of its own. No server code."""
