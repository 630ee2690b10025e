"""Micro-batching: queue policy and collation. Pure: no I/O, no clock, numpy only."""
