"""Coalescing: calls of a command that was written for one item run side by side, and share runs of its networks.

Used inside a worker (`runway_serve.workers.loop`). `coalescer.py` is the entrance; `docs/coalescing.md` explains the
whole. No framework is imported here: an adapter looks for its framework among the modules that the script imported.
"""
