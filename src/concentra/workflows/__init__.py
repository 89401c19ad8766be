"""One use case a module: each gives adapters to the pure packages and returns a result."""
