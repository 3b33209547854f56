"""Runs of states and their tangents."""
