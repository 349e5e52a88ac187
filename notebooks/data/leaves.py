"""Writes leaves.csv, which notebook 00-your-own-data reads: invented leaves of three species, in the state in which files come.
A title, remarks, semicolons, decimal commas, points between thousands, Latin-1, several words for a missing cell.

Run in this folder with NumPy: python leaves.py
"""
import datetime

import numpy as np

r = np.random.default_rng(7)
species = {"ash": (62, 24, 480), "elm": (88, 52, 1350), "oak": (118, 60, 900)}  # length and width in mm, mass in mg
names = list(species)
sites = ["Düren", "Köln", "Bonn"]


def german(v, digits):
    return f"{v:,.{digits}f}".replace(",", "_").replace(".", ",").replace("_", ".")


rows = []
for k in range(240):
    kind = names[r.integers(3)]
    size = np.exp(r.normal(0, 0.07))
    length, width, mass = np.array(species[kind]) * [size, size, size**2] * np.exp(r.normal(0, 0.08, 3))
    cells = [german(length, 1), german(width, 1), german(mass, 1)]
    for j, word in enumerate(("NA", "", "?")):
        if r.random() < 0.05:
            cells[j] = word
    day = datetime.date(2024, 5, 1) + datetime.timedelta(days=int(r.integers(0, 60)))
    note = {3: '"first of the ""north"" row; wet"', 17: "NA"}.get(k, "dry" if r.random() < 0.1 else "")
    rows.append([f"{k + 1:04d}", kind, sites[r.integers(3)], f"{day:%d.%m.%Y}", *cells, str(bool(r.random() < 0.4)).lower(), note])

lines = ["Leaf survey, spring 2024", "# lengths to 0.1 mm, fresh mass", "# species by hand",
         "leaf;species;site;picked;length (mm);width (mm);mass (mg);in shade;note"]
lines += [";".join(row) for row in rows]
with open("leaves.csv", "wb") as f:
    f.write(("\r\n".join(lines) + "\r\n").encode("latin-1"))
