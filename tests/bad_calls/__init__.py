"""Tables of bad calls by room."""
