"""`runway-serve top`: a running server's numbers in a terminal, from its `/metrics` alone."""
