"""Django's PostgreSQL backend, which gives up on a server that answers nothing where people wait."""
