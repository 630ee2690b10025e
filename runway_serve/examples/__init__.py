"""`runway-serve examples`: lists the example models of a checkout, fetches their weights, serves them."""
