"""What the measurements of TLS have in common: the servers that end it, and words on them."""

import bench_certificate
import bench_nginx
from bench_programs import CannotMeasure

ALPN = {"native": "holdfast/1", "mqtt": "mqtt", "http": "http/1.1"}
SUITE_TEXT = (
    f"One {bench_certificate.KIND} key and certificate for all; the client offers X25519 and "
    "AES-128-GCM alone, so that all do the same cryptography."
)


def gateway_settings(certificate):
    return {
        "listener.tls": "true",
        "tls.cert_file": str(certificate.certificate),
        "tls.key_file": str(certificate.key),
    }


def gateway(programs, certificate):
    return programs.gateway(loops=1, settings=gateway_settings(certificate))


def starts(programs, certificate):
    """The gateway and both peers: name and context manager of a Server."""
    peers = programs.tls_peers()
    if "nginx" not in peers:
        raise CannotMeasure("nginx, which the budget is against, is missing: tools/setup has it")
    servers = {"gateway": gateway(programs, certificate)}
    return servers | {name: start(certificate) for name, start in peers.items()}


def http_text():
    """How nginx stands in for a holder of connections."""
    return (
        "Nginx holds keep-alive connections of HTTP/1.1, its worker and its master counted "
        f"together ({bench_nginx.SETTINGS['worker_processes']} worker)"
    )
