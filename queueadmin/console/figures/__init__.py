"""What the counts say: the snapshot at one instant, with its rates, its history and its verdict."""
