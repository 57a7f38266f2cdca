"""What programs read and operate, as JSON. One module for each thing that they ask about."""
