"""Programs measured in turn, and what comes out: medians, quartiles and ratios.

A round is one window of each program, one after another; a ratio is of two windows of one round, so
that what the machine does meanwhile meets both. Who begins changes from round to round.
"""

import contextlib
import statistics

import bench_programs


def in_turn(rounds, servers, measure_one):
    """Returns {name: [window, ...]}. `servers`: name and Server; measure_one(name, server, round)
    returns one window.
    """
    windows = {name: [] for name in servers}
    names = list(servers)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            bench_programs.wait_for_rest(servers.values())
            windows[name].append(measure_one(name, servers[name], number))
    return windows


@contextlib.contextmanager
def running(starts):
    """Servers side by side: {name: context manager of a Server} becomes {name: Server}."""
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(start) for name, start in starts.items()}


def spread(values):
    """Median, quartiles and ends."""
    if len(values) == 1:
        low = high = values[0]
    else:
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return {
        "median": statistics.median(values),
        "quartiles": [low, high],
        "range": [min(values), max(values)],
    }


def column(windows, key):
    """A figure of every window; "a.b" looks into a dict."""
    values = windows
    for part in key.split("."):
        values = [window[part] for window in values]
    return values


def comparison(what, unit, windows, key, scale=1.0, more_is_better=False):
    """One figure of several programs, the gateway's ratio to each other, and all spreads."""
    values = {
        name: [value / scale for value in column(of_program, key)]
        for name, of_program in windows.items()
    }
    gateway = values["gateway"]
    return {
        "what": what,
        "unit": unit,
        "more_is_better": more_is_better,
        "programs": {name: spread(of_program) for name, of_program in values.items()},
        "ratios": {
            name: spread([ours / theirs for ours, theirs in zip(gateway, of_program)])
            for name, of_program in values.items()
            if name != "gateway"
        },
    }


def shares(windows):
    """How busy everybody was, in shares of one processor: medians by program."""
    keys = ("server_share", "client_share", "others_share")
    return {
        name: {key: statistics.median(column(of_program, key)) for key in keys}
        for name, of_program in windows.items()
    }


def budget(compared, against, limit, noise=0.0):
    """Adds to a comparison what its ratio to a program may be; noise: what is allowed beyond."""
    compared["budget"] = {
        "against": against,
        "limit": limit,
        "noise": noise,
        "holds": compared["ratios"][against]["median"] <= limit + noise,
    }
    return compared


def holds(comparisons):
    return all(one.get("budget", {}).get("holds", True) for one in comparisons)
