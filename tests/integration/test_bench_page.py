"""docs/benchmarks.md is what tests/bench/page.py makes of docs/measured; nothing is measured."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/bench"))

import bench_record  # noqa: E402
import bench_rounds  # noqa: E402
import bench_tls_ping  # noqa: E402
import page  # noqa: E402

UNKNOWN = {"command": "tests/vm/run x", "machine": {}, "result": {"connections": 1234}}


def compared(**ours):
    windows = {"gateway": [ours] * 5, "peer": [{"cost": 10}] * 5}
    return bench_rounds.comparison("cost", "us", windows, "cost")


def test_page_is_made_of_what_was_measured():
    assert page.PAGE.read_text() == page.render(bench_record.read_all(page.MEASURED))


def test_page_without_results_says_so():
    assert "Nothing has been measured yet." in page.render({})


def test_result_of_no_measurement_here_has_a_section_too():
    assert "| connections | 1234 |" in page.render({"of-somebody-else": UNKNOWN})


def test_peer_that_is_better_is_named():
    record = {"command": "x", "machine": {}, "result": {"comparisons": [compared(cost=12)]}}
    assert "| peer | cost, us | 10.0 | 12.0 | 1.200 |  |" in page.render({"y": record})


def test_peer_that_is_worse_is_not():
    record = {"command": "x", "machine": {}, "result": {"comparisons": [compared(cost=9)]}}
    assert "| peer |" not in page.render({"y": record})


def test_record_keeps_no_windows():
    assert bench_record.compact({"windows": [1], "a": [{"windows": 2, "b": 1.234567}]}) == {
        "a": [{"b": 1.2346}]
    }


def test_gateway_beside_itself_is_no_peer():
    ours, plain = [{"cost": 12}] * 5, [{"cost": 10}] * 5
    windows = {"gateway": ours, bench_tls_ping.PLAIN: plain}
    record = {"result": {"comparisons": [bench_rounds.comparison("cost", "us", windows, "cost")]}}
    assert "Nowhere." in page.render({"y": record})
