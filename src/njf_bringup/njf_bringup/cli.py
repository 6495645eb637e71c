"""The `njf` command: one module per verb under commands/, imported for its signature only.

Verbs import what is heavy (ROS, torch) inside, so that `njf --help` answers at once.
"""

import sys

import typer

from njf_bringup.commands import (
    ablate,
    dataset,
    demo,
    doctor,
    estop,
    evaluate,
    explore,
    import_njf,
    pipeline,
    record,
    servo_test,
    simulate,
    table,
    train,
    up,
)
from njf_bringup.supervisor import StoppedError
from njf_perception.errors import NjfError

app = typer.Typer(
    name="njf",
    help="Control a robot from one camera with a Neural Jacobian Field.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("up")(up.up)
app.command("demo")(demo.demo)
app.command("explore")(explore.explore)
app.command("record")(record.record)
app.command("bag-to-dataset")(dataset.bag_to_dataset)
app.command("import-njf")(import_njf.import_njf)
app.command("simulate")(simulate.simulate)
app.command("servo-test")(servo_test.servo_test)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("ablate")(ablate.ablate)
app.command("table")(table.table)
app.command("pipeline")(pipeline.pipeline)
app.command("doctor")(doctor.doctor)
app.command("estop")(estop.estop)


def main() -> None:
    """Run one verb. Exit status 0: done, 1: an error that was explained, 130: interrupted."""
    try:
        app()
    except StoppedError as error:
        print(error, file=sys.stderr)
        raise SystemExit(130) from None
    except NjfError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
