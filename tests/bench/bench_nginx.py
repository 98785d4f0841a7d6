"""The peer that ends TLS: nginx, a web server of Debian's package, with keep-alive connections.

It answers two paths without a body, so that a client can speak HTTP as the others speak their
protocols: a first word, and pings.
"""

import pathlib
import re
import subprocess

# What a fair comparison needs: one worker, as many connections as are wanted, no log, and idle
# connections that stay. Everything else is its own default: tickets, and no cache of sessions.
SETTINGS = {
    "worker_processes": "1",
    "worker_connections": "19000",
    "access_log": "off",
    "keepalive_timeout": "3600s",
    "keepalive_requests": "1000000",
    "ssl_protocols": "TLSv1.2 TLSv1.3",
}
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
CONFIG = """\
daemon off;
worker_processes {worker_processes};
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{
  worker_connections {worker_connections};
}}
http {{
{temporary}
  access_log {access_log};
  keepalive_timeout {keepalive_timeout};
  keepalive_requests {keepalive_requests};
  server {{
    listen {address} ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols {ssl_protocols};
    location = /hello {{ return 202; }}
    location = /ping {{ return 200; }}
  }}
}}
"""


def write_config(folder, address, certificate):
    """Writes a configuration that touches nothing outside the folder; returns its path."""
    temporary = [f"  {name}_temp_path {folder}/{name};" for name in TEMPORARY]
    path = pathlib.Path(folder) / "nginx.conf"
    text = CONFIG.format(
        folder=folder,
        address=address,
        certificate=certificate.certificate,
        key=certificate.key,
        temporary="\n".join(temporary),
        **SETTINGS,
    )
    path.write_text(text, encoding="utf-8")
    # Started by root its worker becomes another user and must still find its way here.
    path.parent.chmod(0o755)
    return path


def command(binary, config):
    """-e: before it reads its configuration it would write into /var/log."""
    folder = config.parent
    return [binary, "-p", folder, "-e", folder / "error.log", "-c", config]


def version(binary):
    """Such as "1.22.1"."""
    text = subprocess.run([binary, "-v"], capture_output=True, text=True, check=False).stderr
    found = re.search(r"nginx/(\S+)", text)
    return found.group(1) if found else "unknown"
