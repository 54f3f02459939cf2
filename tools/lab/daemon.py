"""headgated under a lab's control: start, ask, change, end."""
import http.client
import json
import os
import signal
import socket
import subprocess

from lab.world import LabError, until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("HEADGATE_BUILD", os.path.join(ROOT, "build"))
HEADGATED = os.path.join(BUILD, "apps", "headgated")
HEADGATE = os.path.join(BUILD, "apps", "headgate")

# As in the systemd unit: who carries everyone's packets goes before those who make them.
NICE = -20


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Daemon:
    """One headgated with a socket, a state file and a log of its own in the world's folder."""

    def __init__(self, world, name="headgated", netns=None):
        """netns: the namespace that plays the host; None: this one."""
        self.world = world
        self.netns = netns
        self.socket = world.path(f"{name}.sock")
        self.state = world.path(f"{name}.state")
        self.log = world.path(f"{name}.log")
        self.options = []  # more of the daemon's own, such as --workers
        self.program = HEADGATED
        self.is_real_time = False  # whatever else runs on the machine
        self.process = None
        self.waited_before_s = 0.0  # of processes that have handed over

    def command(self, config=None):
        return ((["chrt", "--fifo", "1"] if self.is_real_time else []) + [self.program] + (["--config", config] if config else []) +
                ["--socket", self.socket, "--state", self.state] + self.options)

    def start(self, config=None):
        """Starts it and waits until it answers."""
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = self.world.start(self.command(config), self.netns, NICE, stdout=log,
                                            stderr=subprocess.STDOUT)
        until(self._answers, 15, "headgated to answer")
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise LabError(f"headgated ended with {self.process.returncode}: {self.last_words()}")
        try:
            return self.get("/v1/status")
        except (OSError, http.client.HTTPException):
            return None

    def last_words(self, lines=5):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return " / ".join(log.read().strip().splitlines()[-lines:])

    def ask(self, method, path, body=None, timeout=10):
        """One request; returns (status, decoded answer)."""
        connection = _UnixConnection(self.socket, timeout)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            text = answer.read().decode()
            is_json = "json" in (answer.getheader("Content-Type") or "")
            return answer.status, json.loads(text) if is_json else text
        finally:
            connection.close()

    def get(self, path):
        status, answer = self.ask("GET", path)
        if status != 200:
            raise LabError(f"GET {path}: {answer}")
        return answer

    def status(self):
        return self.get("/v1/status")

    def instance(self, name):
        return self.get(f"/v1/instances/{name}")

    def port(self, name):
        return self.get(f"/v1/ports/{name}")

    def kept_waiting_s(self):
        """How long its busiest thread was ready and had no processor, since it started; over restarts, the sum."""
        waited = [0.0]
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            try:
                with open(f"/proc/{self.process.pid}/task/{task}/schedstat",
                          encoding="ascii") as stat:
                    waited.append(int(stat.read().split()[1]) / 1e9)
            except OSError:
                pass  # a kernel that does not count it, or a thread that has ended
        return self.waited_before_s + max(waited)

    def headgate(self, *args, text=None, timeout=30):
        """Runs the operator's command against this daemon; returns the finished process."""
        return subprocess.run([HEADGATE, "--socket", self.socket, *args], input=text, text=True,
                              capture_output=True, timeout=timeout, check=False)

    def apply(self, config, *options):
        done = self.headgate("apply", config, *options)
        if done.returncode != 0:
            raise LabError(f"headgate apply: {done.stderr.strip() or done.stdout.strip()}")
        return done

    def follow(self):
        """After a restart: the process that answers is ours."""
        pid = self.get("/v1/restart")["pid"]
        if pid != self.process.pid:
            self.process = self.world.adopt(pid)
        return self.process

    def restart(self):
        """headgate restart; returns what it answered, as JSON."""
        waited_s = self.kept_waiting_s()
        done = self.headgate("-j", "restart", timeout=100)
        if done.returncode != 0:
            raise LabError(f"headgate restart: {done.stderr.strip() or done.stdout.strip()}")
        self.follow()
        self.waited_before_s = waited_s
        return json.loads(done.stdout)

    def links_up(self, seconds=10):
        """Waits until every uplink and every port is up."""
        def all_up():
            things = self.status()["uplinks"] + self.get("/v1/ports")["ports"]
            return all(thing["link"] == "up" for thing in things)
        until(all_up, seconds, "all ports to be up")

    def kill(self):
        """As a crash would: no time to clean up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        return self.world.end(self.process)
