"""What nsunit does: start, stop, change, verify, …  Nothing but the command line stands above."""
