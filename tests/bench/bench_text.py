"""Comparisons and facts as text: for the terminal and, as Markdown, for docs/benchmarks.md."""

# A client that used more of its processor than this may have been the limit.
CLIENT_BUSY = 0.9


def figure(value):
    """Three digits that mean something: 1234, 123, 12.3, 1.23."""
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2
    return f"{value:,.{digits}f}"


def spread_text(values, form=figure):
    """12.3 [11.9..12.8]: median and quartiles."""
    low, high = (form(value) for value in values["quartiles"])
    median = form(values["median"])
    return median if low == high == median else f"{median} [{low}..{high}]"


def ratio_text(values):
    return spread_text(values, "{:.3f}".format)


def is_client_busy(shares):
    """Whether the client may have been the limit, with any of the programs."""
    return any(busy["client_share"] > CLIENT_BUSY for busy in shares.values())


def remarks(compared):
    """What must be said of a comparison beside its figures."""
    said = [verdict(compared["budget"])] if "budget" in compared else []
    if compared.get("client_was_limit"):
        said.append("the client was the limit, so that nothing is claimed of any program")
    return said


def verdict(limits):
    """What became of a budget."""
    noise = f", and {limits['noise']} for noise" if limits["noise"] else ""
    word = "holds" if limits["holds"] else "BROKEN"
    return f"budget {limits['limit']} x {limits['against']}{noise}: {word}"


def print_comparison(compared):
    print(f"\n{compared['what']}, {compared['unit']}")
    for name, values in compared["programs"].items():
        least, most = (figure(value) for value in values["range"])
        ratio = compared["ratios"].get(name)
        against = f"   gateway / {name} {ratio_text(ratio)}" if ratio else ""
        print(f"  {name:<10} {spread_text(values):<28} ({least}..{most}){against}")
    for remark in remarks(compared):
        print(f"  {remark}")


def print_shares(shares):
    for name, busy in shares.items():
        limit = ": it may have been the limit" if busy["client_share"] > CLIENT_BUSY else ""
        print(
            f"  busy with {name:<10} server {busy['server_share']:.2f}, "
            f"client {busy['client_share']:.2f} of a processor{limit}; "
            f"others {busy['others_share']:.2f}"
        )


def markdown_table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def comparison_table(comparisons):
    """A row a comparison, a column a program and a ratio; then what must be said of them."""
    names = list(dict.fromkeys(name for one in comparisons for name in one["programs"]))
    others = [name for name in names if name != "gateway"]
    heads = ["median [quartiles]", "unit", *names, *(f"gateway / {name}" for name in others)]
    rows = []
    for one in comparisons:
        programs, ratios = one["programs"], one["ratios"]
        row = [one["what"], one["unit"]]
        row += [spread_text(programs[name]) if name in programs else "" for name in names]
        row += [ratio_text(ratios[name]) if name in ratios else "" for name in others]
        rows.append(row)
    lines = markdown_table(heads, rows)
    said = [f"- {one['what']}: {remark}" for one in comparisons for remark in remarks(one)]
    return lines + (["", *said] if said else [])


def shares_table(titled):
    """`titled`: (title, shares) pairs."""
    rows = []
    for title, shares in titled:
        for name, busy in shares.items():
            keys = ("server_share", "client_share", "others_share")
            rows.append([title, name, *(f"{busy[key]:.2f}" for key in keys)])
    heads = ["busy, in shares of a processor", "program", "server", "client", "others"]
    return markdown_table(heads, rows)
