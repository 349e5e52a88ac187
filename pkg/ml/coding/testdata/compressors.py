"""What standard compressors make of held-out text and digits, for the notebook on compression.

    python compressors.py        writes compressors.json beside itself; needs the program zstd

Text is the last 5 % of Shakespeare. "after" is a compressor that has read the first 90 % before: what train + test take, less what train takes (zstd and xz,
whose windows reach that far). Binary digits are the 8×8 pictures in which a value above 7 is 1 and i mod 9 is 0 or 1, eight pixels a byte; gray
digits are the same pictures, a byte a pixel with values from 0 to 16.
"""
import bz2
import gzip
import json
import lzma
import pathlib
import subprocess

here = pathlib.Path(__file__).parent
data = here / "../../../datasets/data"


def zstd(b):
    return subprocess.run(["zstd", "--ultra", "-22", "--long=27", "-c", "-q"], input=b, capture_output=True, check=True).stdout


def xz(b):
    return lzma.compress(b, preset=9 | lzma.PRESET_EXTREME)


methods = {"gzip": lambda b: gzip.compress(b, 9), "bzip2": lambda b: bz2.compress(b, 9), "xz": xz, "zstd": zstd}


def pack(rows):
    bits = "".join("1" if v > 7 else "0" for r in rows for v in r)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


text = gzip.open(data / "tinyshakespeare.txt.gz").read()
n = len(text)
lines = gzip.open(data / "digits.csv.gz").read().decode().split()
digits = [[int(v) for v in line.split(",")[:64]] for line in lines]
train = [d for i, d in enumerate(digits) if i % 9 > 2]
test = [d for i, d in enumerate(digits) if i % 9 < 2]
sets = {
    "text": (text[: n * 9 // 10], text[n * 95 // 100 :]),
    "binary digits": (pack(train), pack(test)),
    "gray digits": (bytes(v for d in train for v in d), bytes(v for d in test for v in d)),
}
out = {}
for name, (before, held) in sets.items():
    out[name] = {m: len(f(held)) for m, f in methods.items()}
    for m in ("xz", "zstd"):
        out[name][m + " after"] = len(methods[m](before + held)) - len(methods[m](before))
out["versions"] = {"zstd": subprocess.run(["zstd", "--version"], capture_output=True, text=True).stdout.split("v")[-1].split(",")[0], "xz": "liblzma of Python " + __import__("platform").python_version()}
(here / "compressors.json").write_text(json.dumps(out, indent=1) + "\n")
print(json.dumps(out, indent=1))
