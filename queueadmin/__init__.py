"""Everything of ours is started from here."""

import gc

# A start makes 200,000 objects that stay. Python's collector looked for garbage among them after each 700: 0.5 s of the
# 2.1 of a core that web took to load, and 0.13 of the 0.7 of any command. Web sets its own once it has loaded.
gc.set_threshold(50_000, 10, 10)
