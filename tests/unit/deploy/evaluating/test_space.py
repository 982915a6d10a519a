"""What a search tries: values, ranges, whole numbers, brackets; the result as a file of settings that loads."""

import pytest

from deploy.errors import EvaluateError
from deploy.evaluating.space import Choice, Range, extremes, parse_space, toml_of, written
from deploy.settings_load import load_settings


def test_values_and_ranges():
    options = ("a.b=1, 2,x", "c=0.5..2", "d=log:1..100", "e=[1,2],[3]")
    assert parse_space(options, grid=False) == {
        "a.b": Choice(("1", "2", "x")),
        "c": Range(0.5, 2.0, log=False, whole=False),
        "d": Range(1.0, 100.0, log=True, whole=True),
        "e": Choice(("[1,2]", "[3]")),
    }


@pytest.mark.parametrize(
    ("options", "grid", "message"),
    [
        (("a",), False, "--space must be KEY=VALUES; got 'a'"),
        (("=1",), False, "--space must be KEY=VALUES; got '=1'"),
        (("a= ",), False, "--space must be KEY=VALUES; got 'a= '"),
        (("a=1", "a=2"), False, "--space must name a setting once; got a twice"),
        (("a=1..2",), True, r"--space of a grid must name its values; got the range 'a=1\.\.2'"),
        (("a=2..1",), False, "must rise, and with log begin above 0"),
        (("a=log:0..1",), False, "must rise, and with log begin above 0"),
        (("a=lin:1..2",), False, "must rise, and with log begin above 0"),
        (("a=1..x",), False, r"--space range must be low\.\.high or log:low\.\.high; got 'a=1\.\.x'"),
        (("a=1..2..3",), False, r"--space range must be low\.\.high"),
    ],
)
def test_what_is_not_written_so_is_refused(options, grid, message):
    with pytest.raises(EvaluateError, match=message):
        parse_space(options, grid=grid)


def test_extremes_hold_every_value_and_both_ends():
    space = parse_space(("a=x,y,z", "b=1..9"), grid=False)
    assert extremes(space) == [{"a": "x", "b": "1"}, {"a": "y", "b": "9"}, {"a": "z", "b": "9"}]


def test_drawn_values_are_written_as_set_reads_them():
    assert written(3.0, Range(1, 9, log=False, whole=True)) == "3"
    assert written(0.1, Range(0, 1, log=False, whole=False)) == "0.1"
    assert written("greedy", Choice(("greedy",))) == "greedy"


def test_the_best_settings_are_a_file_that_loads(tmp_path):
    path = tmp_path / "best.toml"
    path.write_text(toml_of({"agent.explore.floor": "0.02", "agent.explore.strategy": "greedy", "seed": "3"}))
    settings = load_settings(path, [])
    assert (settings.agent.explore.floor, settings.agent.explore.strategy, settings.seed) == (0.02, "greedy", 3)
