"""How long a reader waits: for `make lab` the second time, to the server's first answer; and for a cell, by kind, from sending it to the kernel to its
last output. Each cell's text is new, so that it is compiled and linked; an unchanged cell is quicker. Run it on an idle machine.
"""
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request

import jupyter_client

KINDS = [
    ("plain", 0.5, "", 'fmt.Println("hi", {i})'),
    ("plotting", 0.8, 'import "github.com/golatent/latent/pkg/nb"\nimport "github.com/golatent/latent/pkg/plotting"',
     'nb.Show(plotting.New(plotting.Line(nil, []float64{{1, {i}}})))'),
    ("classical method", 0.8, 'import "github.com/golatent/latent/pkg/ml/cluster"\nimport "github.com/golatent/latent/pkg/datasets"\nimport "github.com/golatent/latent/pkg/nb"',
     'fmt.Println(nb.Must(cluster.KMeans{{K: 3, Seed: {i}}}.Fit(nb.Context(), datasets.Iris().X)).Inertia > 0)'),
    ("GoMLX, Go backend", 1.0, 'import _ "github.com/gomlx/compute/gobackend"\nimport "github.com/gomlx/compute"\nimport "github.com/gomlx/gomlx/core/graph"',
     'b, err := compute.NewWithConfig("go")\nif err != nil {{ panic(err) }}\nfmt.Println(graph.MustNewExec1(b, func(x *graph.Node) *graph.Node {{ return graph.AddScalar(x, {i}) }}).MustCall(float32(1)))'),
    ("GoMLX, XLA", 1.5, 'import _ "github.com/gomlx/go-xla/compute/xla"\nimport "github.com/gomlx/compute"\nimport "github.com/gomlx/gomlx/core/graph"',
     'b, err := compute.NewWithConfig("xla:cpu")\nif err != nil {{ panic(err) }}\nfmt.Println(graph.MustNewExec1(b, func(x *graph.Node) *graph.Node {{ return graph.AddScalar(x, {i}) }}).MustCall(float32(1)))'),
]
REPEATS = 7
LAB_STARTS, LAB_AIM = 3, 2.0


def lab():
    """Seconds from `make lab` to the server's first answer, set up as it is."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    begun = time.perf_counter()
    proc = subprocess.Popen(["make", "lab", "OPEN=no", f"PORT={port}"], cwd=pathlib.Path(__file__).parents[2], stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=1)
            except urllib.error.HTTPError:
                pass  # it answers: that it wants its token
            except OSError:
                if proc.poll() is not None:
                    sys.exit("make lab ended:\n" + proc.stderr.read()[-3000:])
                if time.perf_counter() - begun > 60:
                    sys.exit("make lab: no answer after 60 s")
                time.sleep(0.02)
                continue
            return time.perf_counter() - begun
    finally:
        if proc.poll() is None:
            os.killpg(proc.pid, signal.SIGTERM)
        proc.communicate(timeout=20)


def row(name, aim, times):
    median = statistics.median(times)
    print(f"{name:<20} {aim:>5} {min(times):>6.2f} {median:>7.2f} {max(times):>6.2f}   {'within' if median <= aim else 'over'}", flush=True)


def main():
    print(f"{'':<20} {'aim':>5} {'least':>6} {'median':>7} {'most':>6}   seconds; {LAB_STARTS} starts, {REPEATS} cells of each kind, new text every time")
    row("make lab, again", LAB_AIM, [lab() for _ in range(LAB_STARTS)])
    km = jupyter_client.KernelManager(kernel_name="gonb")
    km.start_kernel()
    kc = km.client()
    kc.start_channels()
    kc.wait_for_ready(120)

    def run(source):
        out = []
        begun = time.perf_counter()
        reply = kc.execute_interactive(source, timeout=300, output_hook=lambda m: out.append(m))
        seconds = time.perf_counter() - begun
        if reply["content"]["status"] != "ok":
            sys.exit("\n".join(str(m["content"]) for m in out)[-3000:])
        return seconds

    try:
        for name, aim, imports, body in KINDS:
            run("%reset")
            run(f"{imports}\n%%\n{body.format(i=99)}")  # the first pays for what the build cache lacks
            times = [run(f"{imports}\n%%\n{body.format(i=i)}") for i in range(REPEATS)]
            row(name, aim, times)
    finally:
        kc.stop_channels()
        km.shutdown_kernel()


if __name__ == "__main__":
    main()
