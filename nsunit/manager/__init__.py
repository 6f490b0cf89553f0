"""Joins definition, plan and effects into start, stop, exec and the other deeds; owns locks and undo."""
