"""The peer that holds device connections too: Mosquitto, a broker of MQTT, of Debian's package."""

import pathlib
import re
import subprocess

# What a fair comparison needs: no limit, no log, nothing written to disk, and no statistics of its
# own to publish.
SETTINGS = {
    "max_connections": "-1",
    "allow_anonymous": "true",
    "persistence": "false",
    "set_tcp_nodelay": "true",
    "log_dest": "none",
    "sys_interval": "0",
}


def write_config(folder, address, certificate=None):
    """Writes mosquitto.conf(5) for a listener at the address, of TLS where there is a certificate;
    returns its path.
    """
    host, _, port = address.partition(":")
    # The listener comes first: max_connections is the limit of the one before it.
    lines = [f"listener {port} {host}", *(f"{key} {value}" for key, value in SETTINGS.items())]
    if certificate:
        lines += [f"certfile {certificate.certificate}", f"keyfile {certificate.open_key}"]
    path = pathlib.Path(folder) / "mosquitto.conf"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    # Started by root it becomes the user `mosquitto` and must still find its way here.
    path.parent.chmod(0o755)
    return path


def version(binary):
    """Such as "2.0.11"; it has no option that prints this alone and succeeds."""
    text = subprocess.run([binary, "-h"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\S+)", text)
    return found.group(1) if found else "unknown"
