"""A terminal, its platform and a server of releases: for tests of the upgrade as a whole. Owns the server's process."""

import contextlib
import json
import ssl
import sys
import urllib.request

from hanma.release import bundle
from host_tests.port import boot_choice
from host_tests.release import forge
from host_tests.system.harness import Process, World, free_port, staged_tree, wait_for

EXPIRES_MS = 1_990_000_000_000
_WAIT_S = 90


def release(out, version, changes=None, base=None, key="A", plan=None):
    """Make a bundle of the staged tree with these changes ({name: bytes or None}); returns its path."""
    files = bundle.tree_files(staged_tree())
    for name, data in (changes or {}).items():
        files.pop(name, None)
        if data is not None:
            files[name] = data
    facts = {"version": version, "expires_ms": EXPIRES_MS, "boards": ("unix",), "text": f"0.{version}", **(plan or {})}
    bundle.build(files, bundle.Plan(**facts), forge.private(key), out, base)
    return out


def image(out, version, content=b"MicroPython", key="A", plan=None, raw=None):
    """Make a bundle of a whole MicroPython image with this content, or of raw bytes; returns its path."""
    facts = {"version": version, "expires_ms": EXPIRES_MS, "boards": ("unix",), "text": f"0.{version}", **(plan or {})}
    files = {bundle.IMAGE_NAME: raw or boot_choice.app_image(content)}
    bundle.build(files, bundle.Plan(**facts), forge.private(key), out, kind="image")
    return out


def damaged(path, at):
    """Flip one bit of a bundle; returns its path."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    return path


class Upgrading:
    """`with Upgrading(tmp_path, …) as upgrading:`; options are those of `World`. world: it; the server serves one file."""

    def __init__(self, directory, **options):
        self.directory = directory
        self._stack = contextlib.ExitStack()
        config = {"trial_s": 60, "heartbeat_s": 10, **options.pop("config", {})}
        self.world = World(directory / "world", tls="good", config=config, power=False, **options)

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.world)
            (self.world.flash / "release.keys").write_bytes(forge.public("A") + forge.public("B"))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *details):
        self._stack.__exit__(*details)

    def configure(self, **settings):
        """Change settings of the terminal, which takes them at its next boot."""
        path = self.world.flash / "config.json"
        self.world.write_config({**json.loads(path.read_text()), **settings})

    def started(self, path, **options):
        """Serve the bundle as serve() does, power on, wait for the session; returns the address."""
        url = self.serve(path, **options)
        self.world.chip.power_on()
        self.world.until_online()
        return url

    def serve(self, path, files=None, **behaviour):
        """Serve a bundle; returns its address. files: the server's certificate (`ServerFiles`), the world's where left out."""
        self.port = free_port()
        files = files or self.world.tls_files
        command = [sys.executable, "-m", "hanma.cli", "release", "serve", str(path)]
        command += ["--port", str(self.port), "--cert", str(files.certificate), "--key", str(files.key)]
        server = Process(command, self.directory / "serve.log")
        self._stack.callback(server.close)
        self.hello = server.hello()
        if behaviour:
            self.behave(**behaviour)
        return f"https://localhost:{self.port}/{path.name}"

    def behave(self, port=None, **behaviour):
        """Change what a server does wrong; port: see asked()."""
        return self._control("behaviour", json.dumps(behaviour).encode(), port)

    def asked(self, port=None):
        """Return what a server was asked for, oldest first; of the one started last where no other's port is given."""
        return self._control("ledger", port=port)

    def _control(self, what, data=None, port=None):
        request = urllib.request.Request(f"https://localhost:{port or self.port}/_control/{what}", data)
        context = ssl._create_unverified_context()  # its certificate may be as bad as a test wants it
        with urllib.request.urlopen(request, context=context) as answer:
            return json.load(answer)

    def order(self, url, code=200, **more):
        """Order the upgrade; returns the answer's text."""
        platform = self.world.platform
        request_id = f"u{len(platform.messages)}"
        message = {"actionCode": "UP", "content": {"upgrade": {"url": url, **more}}}
        platform.publish(platform.topic("command", request_id), message)
        answer = platform.answer(request_id)
        assert answer["code"] == code, answer
        return answer["result"]["answer"]

    def told(self):
        """Return what the terminal has reported of upgrades, oldest first."""
        return [content["upgrade"] for content in self.world.platform.uplinks("FF") if "upgrade" in content]

    def until(self, state, timeout_s=_WAIT_S, **facts):
        """Wait until an upgrade is reported to be in this state."""

        def found():
            for told in self.told():
                if told["state"] == state and all(told.get(name) == facts[name] for name in facts):
                    return told
            return None

        return wait_for(found, lambda: f"upgrade {state} {facts}: {self.told()}\n{self.world.story()}", timeout_s)

    def pointer(self):
        """Return what the file `slot` says, None where there is none."""
        path = self.world.flash / "slot"
        return path.read_text() if path.exists() else None
