"""GPU-aware inference server for Runway model scripts. Importing this package imports nothing else."""
