"""``modelserve cost``: what it prints, what it refuses, and its status."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

from modelserve.cli import main

DATA = Path(__file__).parents[1] / "cost" / "data"
DEV, ACCOUNT = DATA / "dev" / "plan.json", DATA / "account" / "plan.json"


def cost(*arguments: str | Path) -> int:
    return main(["cost", *map(str, arguments)])


def test_a_table_has_lines_savings_and_what_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert cost(f"dev={DEV}", "--idle_share", "0") == 0
    told, errors = capsys.readouterr()
    assert errors == ""
    lines = told.splitlines()
    assert lines[0] == "dev in eu-central-1, USD a month of 730 hours"
    assert "not fetched; check before use" in lines[1]
    assert f"  NAT gateways{'1 x 37.96':>59}{'37.96':>13}" in lines
    assert f"  schedules: nodes gpu{'555.67':>64}" in lines
    assert not any(line.startswith("  scale to zero") for line in lines)
    assert "Not estimated:" not in lines
    assert "  data through NAT gateways (usage: nat_gb)" in lines
    assert "All environments, USD a month" not in lines


def test_environments_are_summed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cost(f"dev={DEV}", f"rest={ACCOUNT}") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:] == [
        f"  dev{'954.25':>81}",
        f"  rest{'189.60':>80}",
        f"  total{'1,143.86':>79}",
    ]
    assert "  1 x aws_msk_configuration: no price is known for this type" in lines
    assert "    aws_msk_configuration.events" in lines


def test_programs_read_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cost(DEV, f"rest={ACCOUNT}", "--usage", "nat_gb=100", "--idle_share", "0.5", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["hours_a_month"], found["idle_share"]) == (730, 0.5)
    dev, rest = found["environments"]
    assert (dev["environment"], dev["region"], rest["environment"]) == ("plan", "eu-central-1", "rest")
    assert found["usd"] == pytest.approx(dev["usd"] + rest["usd"], abs=0.02)
    assert {line["group"] for line in dev["lines"]} == {"compute", "network"}
    nat = next(line for line in dev["lines"] if line["what"] == "data through NAT gateways")
    assert (nat["quantity"], nat["unit"], nat["unit_usd"], nat["usd"]) == (100, "GB", 0.052, 5.2)
    assert {saving["way"] for saving in dev["savings"]} == {"schedules", "scale to zero", "spot"}
    assert rest["not_estimated"] == [
        {
            "type": "aws_msk_configuration",
            "reason": "no price is known for this type",
            "count": 1,
            "addresses": ["aws_msk_configuration.events"],
        }
    ]
    assert any("taxes" in what for what in rest["left_out"])


def test_prices_of_ones_own_take_the_place_of_the_packages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = json.loads((files("modelserve.cost") / "prices" / "eu-central-1.json").read_bytes())
    own["items"]["nat_gateway"] |= {"usd": 1, "noted": "2027-01-31"}
    own["origin"] = "of our contract"
    path = tmp_path / "own.json"
    path.write_text(json.dumps(own))
    assert cost(DEV, "--prices", path, "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)["environments"]
    assert next(line for line in found["lines"] if line["what"] == "NAT gateways")["usd"] == 730
    assert found["prices"] == "of our contract (2026-11-26 to 2027-01-31)"


def test_a_region_can_be_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "empty.json"
    path.write_text('{"format_version": "1.0", "values": {"root_module": {}}}')
    assert cost(path) == 2
    assert "does not tell its region; --region is accepted" in capsys.readouterr().err
    assert cost(path, "--region", "us-east-1") == 0
    assert capsys.readouterr().out.startswith("empty in us-east-1,")
    assert cost(path, "--region", "mars-north-1") == 2
    assert "no prices for mars-north-1" in capsys.readouterr().err


def test_what_is_not_accepted_is_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    for arguments, said in (
        ((tmp_path / "none.json",), "none.json cannot be read: No such file or directory"),
        ((bad,), "has no format_version"),
        ((DEV, ACCOUNT), "two environments are called plan; NAME=FILE"),
        ((DEV, "--usage", "moon_gb=1"), "--usage moon_gb is unknown; accepted are nat_gb, "),
        ((DEV, "--prices", bad), "is no price file"),
    ):
        assert cost(*arguments) == 2
        told, errors = capsys.readouterr()
        assert told == ""
        assert errors.startswith("modelserve cost: ")
        assert errors.count("\n") == 1
        assert said in errors


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("=p.json",),
        ("dev=",),
        ("p.json", "--idle_share", "1.1"),
        ("p.json", "--idle_share", "nan"),
        ("p.json", "--idle_share", "most"),
        ("p.json", "--usage", "nat_gb"),
        ("p.json", "--usage", "nat_gb=-1"),
        ("p.json", "--usage", "nat_gb=inf"),
        ("p.json", "--format", "json"),
        ("p.json", "--idle-share", "0.5"),
    ],
)
def test_bad_usage_has_a_status_of_2(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        cost(*arguments)
    assert ended.value.code == 2
