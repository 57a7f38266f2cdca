"""A small app of somebody else's: it registers kinds of its own, as other people's code would."""
