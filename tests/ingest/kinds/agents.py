"""Task types of somebody's: a module that INGEST_HANDLERS may name."""

from ingest.kinds import Context, Task, task


@task("agents-echo")
def echo(given: Task, context: Context) -> dict[str, object]:
    return given.payload
