"""What the library is compared with. `dense`, `qasm` and `closed_forms` share no code with it."""
