"""Searches of 12 to 20 bits at equal budgets, where looking at all costs hurts."""
