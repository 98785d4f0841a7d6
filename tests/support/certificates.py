"""Certificates as tests need them, right and wrong ones, made by the openssl command.

A certificate authority is a folder; what it has issued is in its index, from which it also answers
OCSP requests. Nothing is asked of the network.
"""

import dataclasses
import datetime
import pathlib
import subprocess

DAY = datetime.timedelta(days=1)

# "openssl ca" takes any dates, so that certificates of yesterday and of next year can be had.
CONFIG = """
[ca]
default_ca = authority
[authority]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any_subject
[any_subject]
organizationName = optional
commonName = optional
[req]
distinguished_name = nothing
[nothing]
"""

KEY_KINDS = {
    "ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa": ["-newkey", "rsa:2048"],
    "ed25519": ["-newkey", "ed25519"],
}


@dataclasses.dataclass(frozen=True)
class Pair:
    """A certificate with its key: paths of two PEM files."""

    cert: str
    key: str


def run_openssl(*arguments):
    done = subprocess.run(
        ["openssl", *map(str, arguments)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )
    assert done.returncode == 0, f"openssl {' '.join(map(str, arguments))}:\n{done.stderr}"
    return done


def moment(days):
    """So many days from now, as "openssl ca" wants it."""
    return (datetime.datetime.now(datetime.timezone.utc) + days * DAY).strftime("%Y%m%d%H%M%SZ")


def extensions_text(dns, uri, usage, is_authority):
    names = [f"DNS:{name}" for name in dns] + [f"URI:{name}" for name in uri]
    lines = [f"basicConstraints = critical, CA:{str(is_authority).upper()}"]
    if names:
        lines.append(f"subjectAltName = {','.join(names)}")
    if usage:
        lines.append(f"extendedKeyUsage = {usage}")
    if is_authority:
        lines.append("keyUsage = critical, keyCertSign, cRLSign")
    return "\n".join(lines) + "\n"


class Authority:
    """A certificate authority in a folder of its own, which must be empty."""

    def __init__(self, folder, name="Holdfast test CA", issuer=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        self._config = self.folder / "openssl.cnf"
        self._config.write_text(CONFIG.format(folder=self.folder))
        (self.folder / "index.txt").touch()
        self._count = 0
        own = issuer.issue(cn=name, is_authority=True) if issuer else self._sign_itself(name)
        self.cert, self.key = own.cert, own.key

    def _sign_itself(self, name):
        pair = Pair(str(self.folder / "ca.pem"), str(self.folder / "ca.key"))
        run_openssl(
            "req", "-x509", "-config", self._config, *KEY_KINDS["ec"], "-nodes", "-days", 30,
            "-subj", f"/O=Holdfast tests/CN={name}", "-keyout", pair.key, "-out", pair.cert,
            "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )
        return pair

    def issue(self, *, cn="", dns=(), uri=(), kind="ec", usage="", from_days=-1, to_days=30,
              is_authority=False):
        """A certificate of a new key. `usage`: "serverAuth", "clientAuth" or "" for any."""
        self._count += 1
        base = self.folder / f"issued-{self._count}"
        pair = Pair(f"{base}.pem", f"{base}.key")
        subject = "/O=Holdfast tests" + (f"/CN={cn}" if cn else "")
        run_openssl(
            "req", "-new", "-config", self._config, *KEY_KINDS[kind], "-nodes", "-subj", subject,
            "-keyout", pair.key, "-out", f"{base}.csr",
        )
        pathlib.Path(pair.key).chmod(0o600)
        extensions = pathlib.Path(f"{base}.ext")
        extensions.write_text(extensions_text(dns, uri, usage, is_authority))
        run_openssl(
            "ca", "-batch", "-notext", "-config", self._config, "-cert", self.cert,
            "-keyfile", self.key, "-extfile", extensions, "-startdate", moment(from_days),
            "-enddate", moment(to_days), "-in", f"{base}.csr", "-out", pair.cert,
        )
        return pair

    def issue_server(self, *dns, **options):
        names = dns or ("localhost",)
        return self.issue(cn=names[0], dns=names, usage="serverAuth", **options)

    def issue_device(self, device_id, **options):
        return self.issue(cn=device_id, usage="clientAuth", **options)

    def ocsp_response(self, pair):
        """A path: what this authority says of a certificate of its own, in DER, for a day."""
        request, response = f"{pair.cert}.ocsp-request", f"{pair.cert}.ocsp"
        run_openssl("ocsp", "-issuer", self.cert, "-cert", pair.cert, "-no_nonce",
                    "-reqout", request)
        run_openssl(
            "ocsp", "-index", self.folder / "index.txt", "-CA", self.cert, "-rsigner", self.cert,
            "-rkey", self.key, "-reqin", request, "-respout", response, "-ndays", 1,
        )
        return response


def with_chain(pair, *issuers):
    """A pair whose certificate file goes on with those of its issuers."""
    chain = pathlib.Path(f"{pair.cert}.chain")
    files = [pair.cert, *(issuer.cert for issuer in issuers)]
    chain.write_text("".join(pathlib.Path(file).read_text() for file in files))
    return Pair(str(chain), pair.key)
