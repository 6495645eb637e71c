"""The `njf` command: one module per verb under commands/, imported for its signature only.

Verbs import what is heavy (ROS, torch) inside, so that `njf --help` answers at once.
"""

import typer

from njf_bringup.commands import (
    ablate,
    bag_report,
    calibrate,
    calibrate_confidence,
    dataset,
    demo,
    demonstrate,
    doctor,
    estop,
    evaluate,
    explore,
    goal,
    import_njf,
    look,
    motors,
    pipeline,
    record,
    replay,
    servo_test,
    simulate,
    soak,
    table,
    train,
    up,
)
from njf_perception.errors import explained

app = typer.Typer(
    name="njf",
    help="Control a robot from one camera with a Neural Jacobian Field.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("up")(up.up)
app.command("demo")(demo.demo)
app.command("calibrate")(calibrate.calibrate)
app.command("explore")(explore.explore)
app.command("record")(record.record)
app.command("bag-report")(bag_report.bag_report)
app.command("replay")(replay.replay)
app.command("bag-to-dataset")(dataset.bag_to_dataset)
app.command("import-njf")(import_njf.import_njf)
app.command("look")(look.look)
app.command("motors")(motors.motors)
app.command("simulate")(simulate.simulate)
app.command("servo-test")(servo_test.servo_test)
app.command("train")(train.train)
app.command("calibrate-confidence")(calibrate_confidence.calibrate_confidence)
app.command("evaluate")(evaluate.evaluate)
app.command("ablate")(ablate.ablate)
app.command("soak")(soak.soak)
app.command("table")(table.table)
app.command("pipeline")(pipeline.pipeline)
app.command("doctor")(doctor.doctor)
app.command("estop")(estop.estop)
app.command("demonstrate")(demonstrate.demonstrate)
app.add_typer(goal.app, name="goal")


def main() -> None:
    """Run one verb. Exit status 0: done, 1: an error that was explained, 130: interrupted."""
    with explained():
        app()


if __name__ == "__main__":
    main()
