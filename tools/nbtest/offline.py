"""A cell needs no network: run cells of each kind in a network namespace that holds nothing but the loopback interface.

Says so and passes where the system lets nobody make such a namespace (macOS, some containers).
"""
import fcntl
import socket
import struct
import subprocess
import sys

CELLS = [  # what is imported decides what is built and linked
    '%%\nfmt.Println("ok", 6*7)',
    '%%\nm := nb.Must(cluster.KMeans{K: 3}.Fit(nb.Context(), datasets.Iris().X))\nnb.Show(plotting.Scatter(datasets.Iris().X.Slice(0, 150, 2, 4), m.Labels))\nfmt.Println("ok")',
    '%%\nfmt.Println("ok", nb.Must(neural.Open("")).Config != "")',
]


def loopback_up():
    """What `ip link set lo up` does."""
    siocgifflags, siocsifflags, up = 0x8913, 0x8914, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = fcntl.ioctl(s, siocgifflags, struct.pack("16sH14s", b"lo", 0, b""))
        flags = struct.unpack("16sH14s", request)[1]
        fcntl.ioctl(s, siocsifflags, struct.pack("16sH14s", b"lo", flags | up, b""))


def inside():
    loopback_up()
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=2)
        sys.exit("offline: there is a network here")
    except OSError as e:
        print(f"the network: {e.strerror or e}")
    import jupyter_client
    km = jupyter_client.KernelManager(kernel_name="gonb")
    km.start_kernel()
    kc = km.client()
    try:
        kc.start_channels()
        kc.wait_for_ready(120)
        for source in CELLS:
            out = []
            reply = kc.execute_interactive(source, timeout=300, output_hook=out.append)
            said = "".join(m["content"].get("text", "") for m in out)
            if reply["content"]["status"] != "ok" or not said.startswith("ok"):
                sys.exit(f"offline: this cell fails without a network:\n{source}\n" + "\n".join(str(m["content"])[:2000] for m in out))
    finally:
        kc.stop_channels()
        km.shutdown_kernel()
    print(f"without a network {len(CELLS)} cells of {len(CELLS)} run")


def main():
    if sys.argv[1:] == ["--inside"]:
        return inside()
    for unshare in (["unshare", "-n"], ["unshare", "-rn"]):
        try:
            allowed = subprocess.run(unshare + ["true"], capture_output=True).returncode == 0
        except OSError:
            allowed = False
        if allowed:
            sys.exit(subprocess.run(unshare + [sys.executable, __file__, "--inside"]).returncode)
    print("this system makes no network namespaces: cells were not run without a network")


if __name__ == "__main__":
    main()
