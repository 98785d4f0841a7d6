"""What may be run in a guest: how many devices, how long, and what has to hold."""

import dataclasses
import math

# Of a source address's 64,512 ports, the kernel hands out every other one first. When those are
# used up each connect(2) looks at all of them before it finds one of the rest, and the ramp stands
# still.
CONNECTIONS_PER_SOURCE = 25_000


@dataclasses.dataclass(frozen=True)
class Scenario:
    """Devices connect, beat for a calm in which each is answered at least once, and then a share
    of them falls silent and is evicted.

    The guest's processors are emulated, many times slower than real ones, so heartbeats are as far
    apart as it takes for the whole to keep up. Devices that will fall silent ask for a
    shorter one, so that their deaths come soon.
    """

    name: str
    what: str
    connections: int
    loops: int
    memory_mib: int
    profile: str
    heartbeat_s: int
    step: int  # samples are taken each time this many more sessions are there
    # Buckets of the guest's table of sockets: as its profile advises, 0 leaves it to the kernel.
    thash_entries: int = 0
    mute_share: float = 0.0
    mute_heartbeat_s: int = 0
    # Of the round trips' p99.9, while silent devices are evicted against the calm; 0: only told.
    rtt_ratio_max: float = 0.0
    late_ms_max: int = 100  # evictions, as docs/life_of_a_connection.md promises
    user_bytes_max: int = 0  # of memory a session, slope; 0: so few sessions that it is only told
    time_limit_s: int = 3600
    processors: int = 2

    @property
    def mute(self):
        return round(self.connections * self.mute_share)

    @property
    def sources(self):
        """Addresses that the devices connect from, as conn_flood takes them."""
        count = max(2, math.ceil(self.connections / CONNECTIONS_PER_SOURCE))
        return f"127.0.0.2-127.0.0.{1 + count}"

    @property
    def calm_s(self):
        """Longer than any wait between two PINGs of a device, with time for the answer."""
        return self.heartbeat_s + 10

    @property
    def sample_s(self):
        """Into the calm: reading the kernel's slabs stops everything for a tenth of a second, which
        is not to meet the last PINGs of those that fall silent.
        """
        return self.calm_s - self.mute_heartbeat_s - 10

    @property
    def hold_s(self):
        """Until the last of the silent is overdue: timeout (3 heartbeats) and some seconds."""
        return self.calm_s + (self.mute_heartbeat_s * 3 + 10 if self.mute else 0)


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="twenty-thousand",
            what="20,000 devices, of which 2,000 fall silent; part of tools/check",
            connections=20_000,
            loops=1,
            memory_mib=1536,
            profile="gateway-100k",
            heartbeat_s=20,
            step=5_000,
            mute_share=0.1,
            mute_heartbeat_s=10,
            # Other programs may want the machine at the same time.
            late_ms_max=2000,
            time_limit_s=300,
        ),
        Scenario(
            name="million",
            what="1,000,000 devices on one loop, of which 100,000 fall silent; about half an hour",
            connections=1_000_000,
            loops=1,
            memory_mib=14_336,
            profile="gateway-1m",
            thash_entries=1 << 20,
            heartbeat_s=600,
            step=250_000,
            mute_share=0.1,
            mute_heartbeat_s=180,
            rtt_ratio_max=2.0,
            user_bytes_max=160,
        ),
        Scenario(
            name="two-million",
            what="2,000,000 devices on two loops; about half an hour, and 21 GiB of memory",
            connections=2_000_000,
            loops=2,
            memory_mib=20_992,
            profile="gateway-2m",
            thash_entries=1 << 21,
            heartbeat_s=900,
            step=250_000,
            user_bytes_max=160,
        ),
    )
}
