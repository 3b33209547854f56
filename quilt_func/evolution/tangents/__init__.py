"""Forward mode: runs, and walks back, with tangents in many directions at once."""
