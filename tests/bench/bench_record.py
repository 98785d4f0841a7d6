"""What was measured, kept: docs/measured/NAME.json."""

import json

# Every window of every round stays out: --json has it.
LEFT_OUT = ("windows",)
DIGITS = 5


def compact(value):
    """Without what is too much to keep, and without digits that mean nothing."""
    if isinstance(value, dict):
        return {key: compact(part) for key, part in value.items() if key not in LEFT_OUT}
    if isinstance(value, list):
        return [compact(part) for part in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    return value


def keep(folder, name, command, machine, result):
    folder.mkdir(parents=True, exist_ok=True)
    record = {"name": name, "command": command, "machine": machine, "result": compact(result)}
    text = json.dumps(record, indent=1) + "\n"
    (folder / f"{name}.json").write_text(text, encoding="utf-8")


def read_all(folder):
    """Returns {name: record} of what there is, sorted by name."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.json"))
    }
