"""Bytes a session from numbers of sessions: what there is without any does not count."""


def slope(samples, value_of):
    """The straight line of least squares through the samples, by their "sessions"."""
    points = [(one["sessions"], value_of(one)) for one in samples]
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
