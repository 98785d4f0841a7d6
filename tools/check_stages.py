"""Builds every preset and runs every check; the program behind tools/check.

Each stage prints one line with its result and time, and keeps its output in build/check/STAGE.log.
The last line is "N passed, N failed, N skipped": the tests of all stages; a stage without tests of
its own (a build, the format check) counts as one.
"""

import argparse
import dataclasses
import shutil
import sys
import time
import typing
import xml.etree.ElementTree

import build_tree
from build_tree import BUILD, ROOT, bin_dir

LOGS = BUILD / "check"
FUZZ_SECONDS = 30
FAILED_TESTS_SHOWN = 10
LINES_SHOWN = 60  # of a failed test, or of the log when no test tells

SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "second_deadlock_stack=1:halt_on_error=1",
}


# Where there is a compiler cache, it serves clones in different folders.
CACHE_OPTIONS = {"CCACHE_BASEDIR": str(ROOT), "CCACHE_NOHASHDIR": "1"}


@dataclasses.dataclass(frozen=True)
class Step:
    """One command of a stage. After a failed step with `ends_stage`, the later ones are not run."""

    command: list
    environment: dict = dataclasses.field(default_factory=dict)
    ends_stage: bool = True


@dataclasses.dataclass(frozen=True)
class Stage:
    name: str
    what: str
    steps: typing.Callable  # jobs -> Steps; read lazily, so a step may look at what was built
    time_limit_s: int
    needs: str = ""
    by_default: bool = True


@dataclasses.dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def format_steps(_jobs):
    yield Step([str(ROOT / "tools/check_format")])


def layers_steps(_jobs):
    yield Step([str(ROOT / "tools/check_layers"), "--self-test"])
    yield Step([str(ROOT / "tools/check_layers")])


def build_steps(preset, jobs):
    """A build also runs the test programs, to list their tests: sanitizers need the prefix here."""
    prefix = build_tree.fixed_addresses() if preset != "release" else []
    for command in build_tree.build_commands(preset, jobs):
        yield Step([*prefix, *command], CACHE_OPTIONS)


def unit_step(preset, stage, jobs):
    prefix = build_tree.fixed_addresses() if preset != "release" else []
    command = ["ctest", "--test-dir", str(BUILD / preset), "--label-exclude", "integration|lint"]
    command += ["--parallel", str(jobs), "--no-tests=error", "--output-on-failure"]
    command += ["--timeout", "120", "--output-junit", str(LOGS / f"{stage}.unit.xml")]
    return Step([*prefix, *command], SANITIZER_OPTIONS, ends_stage=False)


def integration_step(preset, stage):
    """Of how bin_dir was built the tests find out themselves: time limits, choice under TSan."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs", "--tb=short"]
    command += ["--durations=10", f"--junitxml={LOGS / f'{stage}.integration.xml'}"]
    # Most tests wait most of the time. Side by side they disturb each other's timing, which matters
    # only in the release build: under a sanitizer time limits are several times as wide.
    command += [] if preset == "release" else ["-n", "2"]
    command += [str(ROOT / "tests/integration")]
    environment = SANITIZER_OPTIONS | {
        "HOLDFAST_BIN_DIR": str(bin_dir(preset)),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return Step(command, environment, ends_stage=False)


def release_steps(jobs):
    yield from build_steps("release", jobs)


def unit_steps(jobs):
    yield unit_step("release", "unit", jobs)


def integration_steps(_jobs):
    yield integration_step("release", "integration")


def asan_steps(jobs):
    yield from build_steps("asan", jobs)
    yield unit_step("asan", "asan", jobs)
    yield integration_step("asan", "asan")


def tsan_steps(jobs):
    yield from build_steps("tsan", jobs)
    yield unit_step("tsan", "tsan", jobs)
    yield integration_step("tsan", "tsan")


def fuzz_steps(jobs):
    """New inputs go to build/check/corpus; those worth keeping are moved to tests/fuzz by hand."""
    yield from build_steps("fuzz", jobs)
    targets = sorted(bin_dir("fuzz").glob("*_fuzz"))
    if not targets:
        yield Step(["sh", "-c", "echo 'no fuzz target was built'; exit 1"])
    for target in targets:
        name = target.name.removesuffix("_fuzz")
        found = LOGS / "corpus" / name
        found.mkdir(parents=True, exist_ok=True)
        kept = ROOT / "tests/fuzz/corpus" / name
        command = [str(target), f"-max_total_time={FUZZ_SECONDS}", "-print_final_stats=1"]
        command += ["-timeout=10", "-rss_limit_mb=2048"]
        command += [f"-artifact_prefix={LOGS}/{target.name}-", str(found)]
        command += [str(kept)] if kept.is_dir() else []
        yield Step([*build_tree.fixed_addresses(), *command], SANITIZER_OPTIONS)


def vm_steps(_jobs):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs", "--tb=short"]
    command += [f"--junitxml={LOGS / 'vm.integration.xml'}", str(ROOT / "tests/vm")]
    environment = {
        "HOLDFAST_BIN_DIR": str(bin_dir("release")),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    yield Step(command, environment, ends_stage=False)


def tidy_steps(jobs):
    runner = shutil.which("run-clang-tidy-14") or "run-clang-tidy"
    command = [runner, "-quiet", "-p", str(BUILD / "release"), "-j", str(jobs)]
    # The compile commands are GCC's.
    command += ["-extra-arg=-Wno-unknown-warning-option"]
    yield Step([*command, f"^{ROOT}/(common|gateway|tools)/"])


STAGES = [
    Stage("format", "layout of every file", format_steps, 120),
    Stage("layers", "who includes whom", layers_steps, 60),
    Stage("release", "release build", release_steps, 900),
    Stage("unit", "unit tests", unit_steps, 300, needs="release"),
    Stage("integration", "tests of the real programs", integration_steps, 900, needs="release"),
    Stage("vm", "20,000 devices in a virtual machine", vm_steps, 600, needs="release"),
    Stage("asan", "all tests under ASan and UBSan", asan_steps, 1500),
    Stage("tsan", "all tests under TSan", tsan_steps, 1500),
    Stage("fuzz", f"fuzz targets, {FUZZ_SECONDS} s each", fuzz_steps, 600),
    Stage("tidy", "clang-tidy", tidy_steps, 1800, needs="release", by_default=False),
]


def run_steps(stage, jobs, log):
    """Returns True when every step passed."""
    deadline = time.monotonic() + stage.time_limit_s
    passed = True
    for step in stage.steps(jobs):
        left_s = max(deadline - time.monotonic(), 1)
        if build_tree.run_logged(step.command, log, step.environment, left_s):
            continue
        passed = False
        if step.ends_stage:
            break
    return passed


def read_reports(stage):
    """Returns (counts, failed test cases) of the stage's JUnit files; (None, []) without."""
    counts = None
    failed_cases = []
    for path in sorted(LOGS.glob(f"{stage.name}.*.xml")):
        counts = counts or Counts()
        for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                counts.failed += 1
                failed_cases.append(case)
            elif case.find("skipped") is not None:
                counts.skipped += 1
            else:
                counts.passed += 1
    return counts, failed_cases


def show_lines(text):
    for line in text.rstrip().splitlines()[-LINES_SHOWN:]:
        print(f"    | {line}")


def title_of(case):
    """ctest gives a test's whole name twice, pytest its module and its function."""
    group, name = case.get("classname"), case.get("name")
    return name if group in (None, name) else f"{group}: {name}"


def show_failure(log_path, failed_cases):
    """Prints what the failed tests said, or the end of the log when none failed by name."""
    for case in failed_cases[:FAILED_TESTS_SHOWN]:
        print(f"    failed: {title_of(case)}")
        for part in case:
            if part.tag in ("failure", "error", "system-out"):
                show_lines(part.text or "")
    for case in failed_cases[FAILED_TESTS_SHOWN:]:
        print(f"    failed: {title_of(case)}")
    if not failed_cases:
        show_lines(log_path.read_text(encoding="utf-8", errors="replace"))
    print(f"    all of its output is in {log_path.relative_to(ROOT)}", flush=True)


def run_stage(stage, jobs):
    """Runs a stage, prints its line and returns its counts."""
    for old in LOGS.glob(f"{stage.name}.*"):
        old.unlink()
    print(f"{stage.name:<12} {stage.what:<32} ", end="", flush=True)
    started = time.monotonic()
    log_path = LOGS / f"{stage.name}.log"
    with log_path.open("wb") as log:
        passed = run_steps(stage, jobs, log)
    took_s = time.monotonic() - started

    counts, failed_cases = read_reports(stage)
    tests = str(counts) if counts else ""
    if counts is None:
        counts = Counts(passed=int(passed), failed=int(not passed))
    elif not passed and counts.failed == 0:
        counts.failed = 1  # a step failed outside any test: a build, a crash of the runner
    passed = passed and counts.failed == 0
    print(f"{'ok  ' if passed else 'FAIL'} {took_s:7.1f} s  {tests}".rstrip(), flush=True)
    if not passed:
        show_failure(log_path, failed_cases)
    return counts


def choose_stages(only):
    """The stages to run, in order, with those that they need. Raises ValueError on a wrong name."""
    if not only:
        return [stage for stage in STAGES if stage.by_default]
    by_name = {stage.name: stage for stage in STAGES}
    wanted = set()
    for name in only.split(","):
        if name not in by_name:
            raise ValueError(f"there is no stage '{name}': {', '.join(by_name)}")
        wanted |= {name, by_name[name].needs}
    return [stage for stage in STAGES if stage.name in wanted]


def run_stages(stages, jobs):
    total = Counts()
    failed = set()
    for stage in stages:
        if stage.needs in failed:
            failed.add(stage.name)
            print(f"{stage.name:<12} {stage.what:<32} skipped: {stage.needs} failed", flush=True)
            total.skipped += 1
            continue
        counts = run_stage(stage, jobs)
        total.add(counts)
        if counts.failed:
            failed.add(stage.name)
    return total


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="tools/check",
        description="Installs what is missing, builds every preset and runs every check.",
        epilog="Logs are in build/check. Tests that need root are skipped without it.",
    )
    parser.add_argument(
        "--only", metavar="STAGE,...", default="", help="run these and what they need"
    )
    parser.add_argument("--list", action="store_true", help="name the stages and run nothing")
    parser.add_argument(
        "--jobs", type=int, default=build_tree.cores(), help="parallel jobs (default: the cores)"
    )
    arguments = parser.parse_args()
    if arguments.jobs < 1:
        parser.error("--jobs: at least 1")
    try:
        return arguments, choose_stages(arguments.only)
    except ValueError as error:
        parser.error(str(error))


def main():
    arguments, stages = parse_arguments()
    if arguments.list:
        for stage in STAGES:
            remark = "" if stage.by_default else " (only when named)"
            print(f"{stage.name:<12} {stage.what}{remark}")
        return 0
    build_tree.end_cleanly_on_signals()
    LOGS.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    try:
        total = run_stages(stages, arguments.jobs)
    finally:
        build_tree.give_back()
    print(f"took {time.monotonic() - started:.0f} s; logs are in {LOGS.relative_to(ROOT)}")
    print(total, flush=True)
    return 1 if total.failed or total.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
