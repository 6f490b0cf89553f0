"""A module a verb: `run(context, given)` returns the exit status and what to print."""
