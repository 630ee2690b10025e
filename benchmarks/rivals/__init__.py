"""The same work on other model servers and on ours, measured in turns: `python -m benchmarks.rivals --help`."""
