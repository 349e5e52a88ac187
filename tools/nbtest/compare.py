"""Compare what a notebook's cells say with what is committed, by what a reader relies on: words to the
letter, numbers to the digits that are printed.

A number may differ by one unit of its last printed digit (12.3 and 12.4, 1.20e-3 and 1.21e-3), a
whole number not at all. Another processor adds in another order, and may change a last digit; where
it changes more, because a method is iterated or draws at random, the cell says how far its numbers
hold:

    // tolerance: 5 %
    // tolerance: 0.02
    // tolerance: 3 in "nearest to a digit"

The first two hold for every number that the cell prints but whole ones, the third for the lines
that contain the words, and whole ones in them too; of several that apply the widest counts. Two
bounds are known from the text: what nb.CheckClose has checked against its own bound (“1.91,
expected 1.92 ± 0.01”) may differ by that much, and the ends of a range in a figure's description
(“from −1.5 to 2.5”, “between 0 and 1”) by a twentieth of the range. Pictures themselves are not
compared.
"""
import re
from decimal import Decimal

# A number that stands by itself: not the 2 of L2 or 2nd. A minus belongs to it unless it stands between two things, as in 3-5.
NUMBER = re.compile(r"((?<![\w.])(?:(?<![\w.)\]])[-−])?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+−]?\d+)?(?!\w))")
TOLERANCE = re.compile(r"^\s*//\s*tolerance:(.*)$", re.MULTILINE)
STATED = re.compile(r'\s*(\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*(%?)(?:\s+in\s+"([^"]+)")?\s*')
RANGE_SHARE = Decimal("0.05")


class Tolerance:
    """What a cell states of its numbers."""

    def __init__(self, source):
        self.stated = []  # (amount, whether of the number itself, words of the lines or "")
        for m in TOLERANCE.finditer(source):
            s = STATED.fullmatch(m[1])
            if not s:
                raise ValueError(f"“// tolerance:{m[1]}” is not understood: write a number, or a number and %, and perhaps in \"some words\"")
            share = bool(s[2])
            self.stated.append((Decimal(s[1]) / (100 if share else 1), share, s[3] or ""))

    def of(self, number, whole, line):
        return max((amount * abs(number) if share else amount for amount, share, words in self.stated if (words or not whole) and words in line), default=Decimal(0))


def said(cell):
    """What a cell says in words, as a list of (kind, text, whether it describes a figure): its streams, then the text/plain of what it shows. The two reach the kernel by pipes of
    their own, so that which of them comes first is chance; within each the order is the cell's."""
    streams, shown = {}, []
    for o in cell.get("outputs", []):
        if o.output_type == "stream":
            streams[o.name] = streams.get(o.name, "") + o.text
        elif o.output_type in ("display_data", "execute_result"):
            figure = any(k.startswith("image/") for k in o.data) or re.search("<(svg|img|canvas)", o.data.get("text/html", "")) is not None
            shown.append(("shown", o.data.get("text/plain", ", ".join(sorted(o.data))), figure))
        elif o.output_type == "error":
            shown.append(("error", o.evalue, False))
    return [(name, streams[name], False) for name in sorted(streams)] + shown


def text_of(cell):
    """said, to be read by a person."""
    return "".join(f"[{kind}] {text}" + ("" if text.endswith("\n") else "\n") for kind, text, _ in said(cell))


def value(number):
    return Decimal(number.replace(",", "").replace("−", "-"))


def allowed(committed, now):
    """One unit of the last digit of whichever has more of them, nothing where both are whole."""
    if not any(set(".eE") & set(s) for s in (committed, now)):
        return Decimal(0)
    return Decimal(1).scaleb(min(value(s).as_tuple().exponent for s in (committed, now)))


def line_differs(committed, now, tolerance=Tolerance(""), figure=False):
    """Why a line is not the one that is committed, or None. Spaces count as one: a column is as wide as its longest number."""
    a, b = (NUMBER.split(re.sub(r"\s+", " ", s).strip()) for s in (committed, now))
    if a[::2] != b[::2]:
        return "other words"
    for i in range(1, len(a), 2):
        x, y = value(a[i]), value(b[i])
        unit = allowed(a[i], b[i])
        bound = max(unit, tolerance.of(x, unit == 0, committed))
        if a[i + 1].startswith(", expected") and i + 4 < len(a) and a[i + 3] == " ± ":
            bound = max(bound, value(a[i + 4]))
        if figure:
            for first in (i - 2, i):  # the number is the second end of a range, or the first
                if first > 0 and first + 2 < len(a) and a[first - 1].split(" ")[-2:-1] + [a[first + 1]] in (["from", " to "], ["between", " and "]):
                    bound = max(bound, RANGE_SHARE * abs(value(a[first + 2]) - value(a[first])))
        if abs(x - y) > bound:
            return f"{b[i]} is not within {bound.normalize():g} of {a[i]}"
    return None


def cell_differences(committed, now):
    """What a cell says otherwise than committed, as lines to print."""
    tolerance = Tolerance(now.source)
    a, b = said(committed), said(now)
    if [x[0] for x in a] != [x[0] for x in b]:
        return ["other outputs", "- " + ", ".join(x[0] for x in a), "+ " + ", ".join(x[0] for x in b)]
    out = []
    for (kind, old, _), (_, new, figure) in zip(a, b):
        old, new = old.rstrip("\n").split("\n"), new.rstrip("\n").split("\n")
        if len(old) != len(new):
            out += [f"[{kind}] {len(new)} lines, {len(old)} are committed", *("- " + s for s in old[:20]), *("+ " + s for s in new[:20])]
            continue
        for x, y in zip(old, new):
            if why := line_differs(x, y, tolerance, figure):
                out += [f"[{kind}] {why}", "- " + x, "+ " + y]
    return out


def differences(committed, executed):
    """Cells that say something else than what is committed."""
    out = []
    for i, (a, b) in enumerate(zip(committed.cells, executed.cells)):
        if a.cell_type == "code" and (found := cell_differences(a, b)):
            out.append(f"cell {i + 1} says something else than what is committed\n" + "\n".join("    " + s for s in found[:60]))
    return out
