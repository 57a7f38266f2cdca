"""What the open pages hear of: one sampling process, one subscription in each web process, any number of sockets."""
