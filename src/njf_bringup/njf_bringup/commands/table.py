"""`njf table`: the documents' figures from the installed metrics."""


def table() -> None:
    """Write docs/results.md and the README's figures from checkpoints/<robot>/metrics.json."""
    from njf_bringup.paths import root
    from njf_bringup.tables.write import write_tables

    for path in write_tables(root()):
        print(f"wrote {path}")
