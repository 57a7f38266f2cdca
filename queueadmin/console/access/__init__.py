"""Who asks, and what they may do: permissions, the groups that have them, keys, sessions, wrong passwords."""
