"""`python -m runway_serve` is `runway-serve`."""

from runway_serve.cli import main

main()
