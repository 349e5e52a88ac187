"""Witten and Bell's 5-gram on Shakespeare, by dictionaries, for ngram_test.go: bits a character on the first 20,000 characters of the last 5 %,
trained on the first 90 %, and the probabilities after some contexts.

    python ngram.py        writes ngram.json beside itself
"""
import collections
import gzip
import json
import math
import pathlib

here = pathlib.Path(__file__).parent
text = gzip.open(here / "../../../datasets/data/tinyshakespeare.txt.gz").read().decode()
alphabet = sorted(set(text))
n = len(text)
train, test = text[: n * 9 // 10], text[n * 95 // 100 :][:20000]

follow = collections.defaultdict(collections.Counter)
for order in range(1, 7):
    for i in range(order - 1, len(train)):
        follow[train[i - order + 1 : i]][train[i]] += 1
total = {h: sum(c.values()) for h, c in follow.items()}


def probability(history, symbol):
    p = 1 / len(alphabet)
    for d in range(len(history) + 1):
        h = history[len(history) - d :]
        if h in total:
            types = len(follow[h])
            p = (follow[h][symbol] + types * p) / (total[h] + types)
    return p


out = {"alphabet": "".join(alphabet), "bits": {}, "after": {}}
for order in (1, 2, 5, 6):
    bits = -sum(math.log2(probability(test[max(0, i - order + 1) : i], test[i])) for i in range(len(test)))
    out["bits"][order] = bits / len(test)
for h in ("", "t", "th", "the ", "Zqx", "qu"):
    out["after"][h] = [probability(h, s) for s in alphabet]
(here / "ngram.json").write_text(json.dumps(out) + "\n")
print(out["bits"])
