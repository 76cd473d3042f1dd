"""Many submissions: found, graded, kept and reported. `labs grade` is its command."""
