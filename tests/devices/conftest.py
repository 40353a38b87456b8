"""A private PulseAudio server with a virtual speaker and a virtual microphone, fed by `micfeed`."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

# Without norewinds a null sink sits in a block of 2 s, and the first second of sound is lost.
_MODULES = """
.fail
load-module module-native-protocol-unix auth-anonymous=1
load-module module-null-sink sink_name=speaker rate=48000 channels=1 channel_map=mono format=float32le norewinds=1 sink_properties=device.description=Virtual_Speaker
load-module module-null-sink sink_name=micfeed rate=48000 channels=1 channel_map=mono format=float32le norewinds=1 sink_properties=device.description=Mic_Feed
load-module module-remap-source source_name=microphone master=micfeed.monitor channels=1 channel_map=mono master_channel_map=mono remix=no source_properties=device.description=Virtual_Microphone
set-default-sink speaker
set-default-source microphone
"""  # noqa: E501


@pytest.fixture
def pulseaudio(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for program in ("pulseaudio", "paplay"):
        if shutil.which(program) is None:
            pytest.fail(f"{program} is missing: apt-get install pulseaudio pulseaudio-utils")
    # Not tmp_path: its long name does not fit into a socket's.
    with TemporaryDirectory(prefix="pulse-") as name:
        folder = Path(name)
        (folder / "state").mkdir()
        (folder / "run" / "pulse").mkdir(parents=True)
        (folder / "run").chmod(0o700)
        script = folder / "default.pa"
        script.write_text(_MODULES)
        for variable, value in {
            "XDG_RUNTIME_DIR": folder / "run",
            "PULSE_RUNTIME_PATH": folder / "run" / "pulse",
            "PULSE_STATE_PATH": folder / "state",
            "PULSE_COOKIE": folder / "cookie",
            "PULSE_SERVER": f"unix:{folder}/run/pulse/native",
        }.items():
            monkeypatch.setenv(variable, str(value))
        command = ["pulseaudio", "-n", "-v", "--log-target=stderr", "--system=false", "--daemonize=no"]
        command += ["--exit-idle-time=-1", "--realtime=yes", "--high-priority=yes", "--use-pid-file=no"]
        server = subprocess.Popen([*command, "-F", str(script)], stderr=subprocess.PIPE, text=True)
        assert server.stderr is not None
        try:
            told = []
            for line in server.stderr:
                told.append(line)
                if "startup complete" in line:
                    break
            else:
                pytest.fail("pulseaudio does not start:\n" + "".join(told))
            yield
        finally:
            server.terminate()
            server.communicate(timeout=10)
