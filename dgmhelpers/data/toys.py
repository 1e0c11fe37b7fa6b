"""Two-dimensional toy densities."""
