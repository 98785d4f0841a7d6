"""Every measurement by its name, in the order of the page.

A module has: TITLE, the heading of its section, if its name will not do; measure(programs,
options), which returns what can become JSON, with "holds" where there is a budget, "comparisons"
(bench_rounds.comparison) where there are peers, and "windows" for what is too much to keep;
print_report(result); and page(result), the lines of its section in Markdown. `options` has rounds,
seconds and variants.
"""

import bench_accept
import bench_bookkeeping
import bench_close
import bench_memory
import bench_ping
import bench_send
import bench_storm
import bench_tls_handshake
import bench_tls_heap
import bench_tls_memory
import bench_tls_ping
import bench_tls_storm

MEASUREMENTS = {
    "ping": bench_ping,
    "accept": bench_accept,
    "send": bench_send,
    "close": bench_close,
    "storm": bench_storm,
    "bookkeeping": bench_bookkeeping,
    "memory": bench_memory,
    "tls_memory": bench_tls_memory,
    "tls_heap": bench_tls_heap,
    "tls_handshake": bench_tls_handshake,
    "tls_ping": bench_tls_ping,
    "tls_storm": bench_tls_storm,
}
