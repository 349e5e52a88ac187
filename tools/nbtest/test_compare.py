"""The comparison must be able to fail: what moves by more than its tolerance is caught, words to the letter, and what a processor may change is not."""
import unittest

from nbformat.v4 import new_code_cell, new_notebook, new_output

import compare


def cell(text, source="%%", figure=False):
    data = {"text/plain": text}
    if figure:
        data["text/html"] = "<svg></svg>"
    return new_code_cell(source, outputs=[new_output("display_data", data)])


def differ(committed, now, source="%%", figure=False):
    return bool(compare.cell_differences(cell(committed, source, figure), cell(now, source, figure)))


class Compare(unittest.TestCase):
    def test_numbers_and_words(self):
        for committed, now, want in [
            ("purity 0.893", "purity 0.893", False),
            ("purity 0.893", "purity 0.894", False),  # one unit of the last digit
            ("purity 0.893", "purity 0.895", True),
            ("purity 0.893", "impurity 0.893", True),
            ("purity above 0.85", "purity below 0.85", True),
            ("150 flowers", "151 flowers", True),  # a whole number is exact
            ("1,797 digits", "1,798 digits", True),
            ("1,797 digits", "1797 digits", False),
            ("gap -0.02", "gap −0.02", False),
            ("gap 0.02", "gap −0.02", True),
            ("gap -0.001", "gap 0", False),
            ("0.99 or so", "0.9901 or so", False),  # trailing zeros are not printed
            ("0.99 or so", "0.9902 or so", True),
            ("J = 1.376e+06", "J = 1.377e+06", False),
            ("J = 1.376e+06", "J = 1.378e+06", True),
            ("J = 1.376e+06", "J = 1.376e+05", True),
            ("J is 3", "J is NaN", True),
            ("L2 distance", "L3 distance", True),  # a name, no number
            ("C2.5", "C2.6", True),
            ("rows 3-5", "rows 3-6", True),
            ("one  two\nthree", "one two\nthree", False),
            ("one two\nthree", "one two three", True),
            ("one\ntwo", "one", True),
            ("setosa (50), virginica (50)", "setosa (50), virginica (49)", True),
        ]:
            with self.subTest(committed=committed, now=now):
                self.assertEqual(differ(committed, now), want)
                self.assertEqual(differ(now, committed), want)

    def test_stated_tolerances(self):
        for source, committed, now, want in [
            ("// tolerance: 5 %", "KL 0.730", "KL 0.760", False),
            ("// tolerance: 5 %", "KL 0.730", "KL 0.780", True),
            ("// tolerance: 5 %", "100 steps", "101 steps", True),  # a whole number is exact unless its line is named
            ('// tolerance: 5 % in "steps"', "100 steps", "105 steps", False),
            ('// tolerance: 5 % in "steps"', "100 steps", "106 steps", True),
            ('// tolerance: 5 % in "steps"', "100 steps", "100 rounds", True),
            ("%%\n  // tolerance: 0.02\nx := 1", "0.5", "0.52", False),
            ("%%\n  // tolerance: 0.02\nx := 1", "0.5", "0.53", True),
            ('// tolerance: 3 in "found"', "found  281\nof     297", "found  284\nof     297", False),
            ('// tolerance: 3 in "found"', "found  281\nof     297", "found  285\nof     297", True),
            ('// tolerance: 3 in "found"', "found  281\nof     297", "found  281\nof     298", True),
            ('// tolerance: 3 in "found"\n// tolerance: 1 in "of"', "found  281\nof     297", "found  284\nof     298", False),
        ]:
            with self.subTest(source=source, now=now):
                self.assertEqual(differ(committed, now, source), want)
        for bad in ["// tolerance: wide", "// tolerance: -1", "// tolerance:", "// tolerance: 5 per cent", "// tolerance: 5 in found"]:
            with self.assertRaises(ValueError, msg=bad):
                compare.Tolerance(bad)

    def test_a_checked_bound_is_the_tolerance(self):
        self.assertFalse(differ("✓ root: 1.91, expected 1.92 ± 0.05", "✓ root: 1.96, expected 1.92 ± 0.05"))
        self.assertTrue(differ("✓ root: 1.91, expected 1.92 ± 0.05", "✓ root: 1.97, expected 1.92 ± 0.05"))
        self.assertTrue(differ("✓ root: 1.91, expected 1.92 ± 0.05", "✓ root: 1.91, expected 1.95 ± 0.05"))
        self.assertTrue(differ("✓ root: 1.91, expected 1.92 ± 0.05", "✓ root: 1.91, expected 1.92 ± 0.08"))
        self.assertTrue(differ("✓ root: 1.91, expected 1.92 ± 0.05", "✗ root: 1.91, expected 1.92 ± 0.05"))

    def test_ranges_in_descriptions_of_figures(self):
        was = "line between 0.1 and 2.1. Axes: step from −1 to 21, J (nats) from 0 to 2."
        for now, want in [
            ("line between 0.2 and 2. Axes: step from −2 to 22, J (nats) from 0 to 1.9.", False),
            ("line between 0.3 and 2.1. Axes: step from −1 to 21, J (nats) from 0 to 2.", True),
            ("line between 0.1 and 2.1. Axes: step from −1 to 23, J (nats) from 0 to 2.", True),
            ("line between 0.1 and 2.1. Axes: step from −1 to 21, J (bits) from 0 to 2.", True),
        ]:
            with self.subTest(now):
                self.assertEqual(differ(was, now, figure=True), want)
        self.assertTrue(differ("from 1 to 21", "from 2 to 21"), "no figure, so no range")

    def test_outputs_and_notebooks(self):
        one, two = cell("a"), cell("a")
        two.outputs.append(new_output("stream", name="stderr", text="oops"))
        self.assertTrue(compare.cell_differences(one, two))
        # Streams and figures come by pipes of their own: their order is chance.
        one.outputs, two.outputs = [new_output("stream", text="x\n"), *cell("a").outputs], [*cell("a").outputs, new_output("stream", text="x\n")]
        self.assertFalse(compare.cell_differences(one, two))
        found = compare.differences(new_notebook(cells=[cell("a"), cell("b")]), new_notebook(cells=[cell("a"), cell("c")]))
        self.assertEqual(len(found), 1)
        self.assertIn("cell 2", found[0])


if __name__ == "__main__":
    unittest.main()
