"""nginx as a process of a test, with the configuration that the guides name on ports of its own."""

import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from tests.programs import MissingError, Program, free_ports

CONFIGURATION = Path(__file__).parents[1] / "docker" / "nginx" / "undertow.conf"
PORTS = {"dashboard": "8080", "api": "8081"}
BEHIND = {"dashboard": "127.0.0.1:8501", "api": "127.0.0.1:8321"}

MAIN = """daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/undertow.conf;
}}
"""


class Nginx:
    """Answers on `ports` for the `dashboard` and the `api`; `behind` says where those are, as HOST:PORT."""

    def __init__(self, folder: Path, behind: dict[str, str], text: str = "", ports: Sequence[int] = ()) -> None:
        program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
        if program is None:
            raise MissingError("there is no nginx: apt-get install nginx-light")
        self.ports = dict(zip(PORTS, ports or free_ports(len(PORTS)), strict=True))
        self.error_log = folder / "error.log"
        (folder / "undertow.conf").write_text(self._placed(text or CONFIGURATION.read_text(), behind))
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
        command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(self.error_log)]
        self._program = Program("nginx", command, folder / "nginx.log", self._ready)

    def _placed(self, text: str, behind: dict[str, str]) -> str:
        text = text.replace("/var/log/nginx/undertow.log", str(self.error_log))
        for name, port in PORTS.items():
            changes = ((f"listen {port};", f"listen {self.ports[name]};"), (BEHIND[name], behind[name]))
            for old, new in changes:
                assert text.count(old) == 1
                text = text.replace(old, new)
        return text

    def start(self) -> None:
        """Return when it answers; MissingError with its log when it does not."""
        self._program.start()

    def stop(self) -> None:
        """End it."""
        self._program.stop()

    def _ready(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.ports["api"])) == 0
