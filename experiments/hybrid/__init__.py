"""A circuit inside a network of torch, on handwritten digits."""
