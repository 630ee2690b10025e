"""`runway-serve bench`: load a running server, measure its answers, and what they cost it."""
