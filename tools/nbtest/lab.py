"""JupyterLab as a reader meets it, for tests: a server on a free port and a page of real Chromium in it."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]


def chromium():
    """The system's Chromium or Chrome, or None."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if path := shutil.which(name):
            return path
    mac = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
    return mac if os.path.exists(mac) else None


@contextlib.contextmanager
def server(folder, settings=None):
    """Serve folder from this interpreter's JupyterLab; yields (url, token). settings: {plugin: {key: value}}."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    token = "test-" + os.urandom(8).hex()
    with tempfile.TemporaryDirectory() as tmp:
        user = pathlib.Path(tmp, "user-settings")
        for plugin, values in (settings or {}).items():
            package, name = plugin.split(":")
            path = user / package / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        custom = pathlib.Path(tmp, "config", "custom")
        custom.mkdir(parents=True)
        shutil.copy(ROOT / "tools/labconfig/custom.css", custom)
        env = dict(os.environ, JUPYTERLAB_SETTINGS_DIR=str(user), JUPYTERLAB_WORKSPACES_DIR=str(pathlib.Path(tmp, "ws")),
                   JUPYTER_CONFIG_DIR=str(pathlib.Path(tmp, "config")))
        log = open(pathlib.Path(tmp, "server.log"), "w+")
        proc = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0",
             f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}", "--allow-root", "--LabApp.news_url=",
             "--LabApp.custom_css=True",
             "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"],
            stdout=log, stderr=subprocess.STDOUT, env=env, start_new_session=True)
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(240):
                try:
                    urllib.request.urlopen(f"{url}/api?token={token}", timeout=2).read()
                    break
                except OSError:
                    if proc.poll() is not None:
                        break
                    time.sleep(0.25)
            else:
                proc.kill()
            if proc.poll() is not None:
                log.seek(0)
                raise RuntimeError("JupyterLab did not start:\n" + log.read())
            yield url, token
        finally:
            os.killpg(proc.pid, signal.SIGINT)
            time.sleep(0.2)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(proc.pid, signal.SIGTERM)
            try:
                proc.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(proc.pid, signal.SIGKILL)
            log.close()


@contextlib.contextmanager
def page(url, token, notebook, width=1250, height=1500, dark=False):
    """A browser page with the notebook open and rendered; yields playwright's page."""
    from playwright.sync_api import sync_playwright
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium(), headless=True, args=CHROMIUM_FLAGS)
        try:
            pg = browser.new_page(viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light")
            pg.goto(f"{url}/lab/tree/{notebook}?token={token}&reset", timeout=120_000)
            pg.wait_for_selector(".jp-Notebook .jp-Cell", timeout=120_000)
            # The indicator says "idle" before there is a kernel, too.
            for _ in range(600):
                if any(s["path"] == notebook and s["kernel"] and s["kernel"]["connections"] for s in json.load(urllib.request.urlopen(f"{url}/api/sessions?token={token}"))):
                    break
                pg.wait_for_timeout(100)
            else:
                raise TimeoutError(f"{notebook}: no kernel in a minute")
            pg.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=60_000)
            pg.wait_for_timeout(1500)
            yield pg
        finally:
            browser.close()


# All cells in the document at once (the default keeps only those in view).
PLAIN = {"@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"}}
DARK = {"@jupyterlab/apputils-extension:themes": {"theme": "JupyterLab Dark"}}


def run_all(pg, seconds=300):
    """Run every cell as the menu does, and wait until the kernel is idle and no cell is pending."""
    pg.click("text=Run >> nth=0")
    pg.click("text=/^Run All Cells$/")
    pg.wait_for_timeout(1000)
    deadline = time.time() + seconds
    while time.time() < deadline:
        prompts = pg.eval_on_selector_all(".jp-CodeCell .jp-InputArea-prompt", "ps => ps.map(p => p.textContent)")
        status = pg.get_attribute(".jp-Notebook-ExecutionIndicator", "data-status")
        if status == "idle" and not any(re.search(r"\[\*\]", p) for p in prompts):
            return
        pg.wait_for_timeout(300)
    raise TimeoutError(f"the notebook did not finish in {seconds} s")
