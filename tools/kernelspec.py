"""Print the kernelspec of this clone's Go kernel. LATENT_ROOT names the clone."""
import json
import os
import subprocess

root = os.environ["LATENT_ROOT"]
latent = f"{root}/.venv/latent"
# The go that the repository's go.mod picks, which need not be the first on the PATH: an older one fetches what it needs and hands over.
goroot, modcache = subprocess.check_output(["go", "env", "GOROOT", "GOMODCACHE"], cwd=root, text=True).split("\n")[:2]
env = {
    # The cells' go and goimports come first; the rest of the PATH is the reader's own. gopls is not on it: the kernel asks its own.
    "PATH": f"{latent}/cell:${{PATH}}",
    "LATENT_ROOT": root,
    "LATENT_GO": f"{goroot}/bin/go",
    "LATENT_GOIMPORTS": f"{latent}/bin/goimports",
    "LATENT_GOPLS": f"{latent}/bin/gopls",
    "LATENT_MODCACHE": modcache,
    # go build -mod=readonly, no proxy: a cell never asks the network.
    "GOFLAGS": "-mod=readonly",
    "GOPROXY": "off",
    "GOTOOLCHAIN": "local",
    "GOEXPERIMENT": "simd",
    "GOMLX_NO_AUTO_INSTALL": "1",
}
# "xla" takes CUDA before the CPU; go-xla passes the CUDA plugin over where there is no GPU.
plugins = [f"{latent}/cuda/pjrt/pjrt_c_api_cuda_plugin.so", f"{latent}/xla/pjrt_c_api_cpu_plugin.so"]
plugins = [os.path.dirname(p) for p in plugins if os.path.exists(p)]
if plugins:
    env["PJRT_PLUGIN_LIBRARY_PATH"] = ":".join(plugins)
print(json.dumps({
    # gonb's log, goroutine dumps of gopls at shutdown among it, goes to a file instead of the server's terminal.
    "argv": [f"{latent}/bin/latent-kernel", f"{latent}/bin/gonb", "--kernel", "{connection_file}", "-logtostderr=false", "-stderrthreshold=FATAL",
             "-raw_error",
             f"-log_file={root}/.venv/log/gonb.log", f"-go_work={root}"],
    "display_name": "Go (Latent)",
    "language": "go",
    "interrupt_mode": "signal",
    "env": env,
}, indent=1))
