"""The peers' programs, as a careful user of each would write them; nothing of ours is in the Python that runs them."""
