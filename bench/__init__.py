"""How fast it is, beside what else one could take: `python -m bench`. docs/bench.md says how to read it."""
