"""Private sound servers with virtual cards: speakers whose monitors can be recorded, a microphone to feed."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import pytest

PATIENCE = 30.0

# Without norewinds a null sink sits in a block of 2 s, and the first second of sound is lost.
_SINK = (
    "module-null-sink sink_name={name} rate=48000 channels=1 channel_map=mono format=float32le norewinds=1 "
    "sink_properties=device.description={title}"
)
_SOURCE = (
    "module-remap-source source_name={name} master={feed}.monitor channels=1 channel_map=mono "
    "master_channel_map=mono remix=no source_properties=device.description={title}"
)


class SoundServer:
    """A sound server of its own in a folder of its own; the environment points to it while it is entered.

    It begins with the sinks `speaker` (the default) and `micfeed`, and the default source `microphone`, which
    hears what is played to `micfeed`.
    """

    packages = ""
    programs: tuple[str, ...] = ()

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self._stack = ExitStack()
        self._running: list[subprocess.Popen[bytes]] = []
        self._modules: dict[str, str] = {}

    def __enter__(self) -> Self:
        for program in (*self.programs, "pactl", "paplay", "parecord"):
            if shutil.which(program) is None:
                pytest.fail(f"{program} is missing: apt-get install {self.packages} pulseaudio-utils")
        # Not tmp_path: its long name does not fit into a socket's.
        self.folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="sound-")))
        run = self.folder / "run"
        (run / "pulse").mkdir(parents=True)
        run.chmod(0o700)
        for variable, value in {
            "XDG_RUNTIME_DIR": run,
            "XDG_CONFIG_HOME": self.folder / "config",
            "XDG_STATE_HOME": self.folder / "state",
            "PULSE_RUNTIME_PATH": run / "pulse",
            "PULSE_STATE_PATH": self.folder / "state",
            "PULSE_COOKIE": self.folder / "cookie",
            "PULSE_SERVER": f"unix:{run}/pulse/native",
        }.items():
            self._patch.setenv(variable, str(value))
        self._stack.callback(self.kill)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self) -> None:
        """Start the server with its first devices."""
        self._launch()
        self._try("info")
        self.add_sink("speaker", "Virtual_Speaker")
        self.add_sink("micfeed", "Mic_Feed")
        self.add_source("microphone", "Virtual_Microphone", feed="micfeed")
        self._try("set-default-sink", "speaker")
        self._try("set-default-source", "microphone")

    def kill(self) -> None:
        """Kill the server without a warning."""
        for process in reversed(self._running):
            process.kill()
            process.wait()
        self._running.clear()
        self._modules.clear()

    def stall(self, seconds: float) -> None:
        """Let the server do nothing for a while."""
        with self.hanging():
            time.sleep(seconds)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Let the server do nothing meanwhile."""
        for process in self._running:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in self._running:
                process.send_signal(signal.SIGCONT)

    def add_sink(self, name: str, title: str) -> None:
        """Plug in a speaker."""
        self._add(name, _SINK.format(name=name, title=title))

    def add_source(self, name: str, title: str, *, feed: str) -> None:
        """Plug in a microphone that hears what a sink plays."""
        self._add(name, _SOURCE.format(name=name, title=title, feed=feed))

    def remove(self, name: str) -> None:
        """Unplug a device."""
        self.pactl("unload-module", self._modules.pop(name))

    def pactl(self, *arguments: str) -> str:
        """Give the server an order; return what it says."""
        done = subprocess.run(["pactl", *arguments], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout.strip()

    def _try(self, *arguments: str) -> None:
        """Repeat an order until the server is so far as to obey."""
        until = time.monotonic() + PATIENCE
        while (done := subprocess.run(["pactl", *arguments], capture_output=True, text=True)).returncode:
            if time.monotonic() > until:
                pytest.fail(f"the sound server does not start: {arguments[0]}: {done.stderr}")
            time.sleep(0.05)

    def _add(self, name: str, module: str) -> None:
        self._modules[name] = self.pactl("load-module", *module.split())

    def _launch(self) -> None:
        raise NotImplementedError

    def _run(self, *command: str) -> None:
        log = (self.folder / f"{Path(command[0]).name}.log").open("ab")
        with log:
            self._running.append(
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ)
            )


class PulseAudio(SoundServer):
    """A PulseAudio server."""

    packages = "pulseaudio"
    programs = ("pulseaudio",)

    def _launch(self) -> None:
        socket = self.folder / "run" / "pulse" / "native"
        socket.unlink(missing_ok=True)
        script = self.folder / "default.pa"
        script.write_text("load-module module-native-protocol-unix auth-anonymous=1\n")
        self._run(
            *("pulseaudio", "-n", "--system=false", "--daemonize=no", "--exit-idle-time=-1"),
            *("--realtime=yes", "--high-priority=yes", "--use-pid-file=no", "-F", str(script)),
        )


class PipeWire(SoundServer):
    """A PipeWire server that speaks PulseAudio's protocol, with its session manager and a bus for that."""

    packages = "pipewire pipewire-pulse wireplumber pipewire-bin dbus"
    programs = ("pipewire", "pipewire-pulse", "wireplumber", "dbus-daemon")

    def _launch(self) -> None:
        run = self.folder / "run"
        for name in ("bus", "pipewire-0"):
            (run / name).unlink(missing_ok=True)
        self._patch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={run}/bus")
        self._run("dbus-daemon", "--session", "--nofork", f"--address=unix:path={run}/bus")
        self._run("pipewire")
        # The session manager ends for good where it does not find both.
        until = time.monotonic() + PATIENCE
        while not ((run / "bus").exists() and (run / "pipewire-0").exists()):
            if time.monotonic() > until:
                pytest.fail(f"neither bus nor server in {run}")
            time.sleep(0.01)
        self._run("wireplumber")
        self._run("pipewire-pulse")
