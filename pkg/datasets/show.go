package datasets

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/golatent/latent/internal/figure"
)

// Head is the first rows of a table, to be shown.
type Head struct {
	table Table
	rows  int
}

// Head returns the first n rows as a figure for nb.Show, under a description of every column.
func (t Table) Head(n int) Head { return Head{t, n} }

// Render shows the table: of every column its kind, its range or its classes, and how many cells
// are missing; the first five rows; how the file was read; and the notes. nb.Show(t) calls it.
func (t Table) Render() (figure.Rendering, error) { return t.Head(5).Render() }

// Render shows the data as Table.Render does, with the classes as a column, and at most 20 columns.
func (d Dataset) Render() (figure.Rendering, error) {
	if d.X == nil {
		return figure.Rendering{}, malformed("the data set %q has no X", d.Name)
	}
	return d.Table().Render()
}

// maxShown bounds the columns that are shown: the first 15 and the last 5 of more.
const maxShown = 20

// Render shows the rows.
func (h Head) Render() (figure.Rendering, error) {
	t := h.table
	if err := t.check(); err != nil {
		return figure.Rendering{}, err
	}
	n, d := t.Dims()
	shown := make([]int, 0, maxShown)
	for j := range d {
		if d <= maxShown || j < maxShown-5 || j >= d-5 {
			shown = append(shown, j)
		}
	}
	rows := max(0, min(h.rows, n))
	title := fmt.Sprintf("%d rows × %d columns", n, d)
	if t.Name != "" {
		title = t.Name + ": " + title
	}
	var words, out strings.Builder
	fmt.Fprintln(&words, title)
	fmt.Fprintf(&out, `<div style="overflow-x:auto;font:13px sans-serif"><div style="padding:.2em 0"><b>%s</b></div>`, html.EscapeString(title))
	out.WriteString(`<table style="border-collapse:collapse;font-variant-numeric:tabular-nums">`)
	line := func(head string, bold, rule bool, cell func(c *Column) string) {
		tag, style := "td", ""
		if bold {
			tag = "th"
		}
		if rule {
			style = "border-bottom:1px solid currentColor;"
		}
		fmt.Fprintf(&out, `<tr><td style="%spadding:.15em .8em;opacity:.7;text-align:left;white-space:nowrap">%s</td>`, style, html.EscapeString(head))
		for k, j := range shown {
			if k > 0 && j > shown[k-1]+1 {
				fmt.Fprintf(&out, `<td style="%spadding:.15em .8em">…</td>`, style)
			}
			c := &t.Columns[j]
			align := "right"
			if c.Kind == Text {
				align = "left"
			}
			fmt.Fprintf(&out, `<%s style="%spadding:.15em .8em;text-align:%s;white-space:nowrap">%s</%s>`, tag, style, align, html.EscapeString(short(cell(c), 40)), tag)
		}
		out.WriteString("</tr>")
	}
	line("", true, false, func(c *Column) string { return c.Name })
	line("kind", false, false, func(c *Column) string { return c.Kind.String() })
	ranges := map[*Column]string{}
	line("range", false, false, func(c *Column) string {
		ranges[c] = c.span()
		return ranges[c]
	})
	line("missing", false, true, func(c *Column) string { return strconv.Itoa(c.CountMissing()) })
	for i := range rows {
		line(strconv.Itoa(i), false, false, func(c *Column) string {
			if c.IsMissing(i) {
				return "—"
			}
			return c.shown(i)
		})
	}
	out.WriteString("</table>")
	for k, j := range shown {
		if k > 0 && j > shown[k-1]+1 {
			fmt.Fprintf(&words, "… %d columns more …\n", j-shown[k-1]-1)
		}
		c := &t.Columns[j]
		fmt.Fprintf(&words, "%s: %v, %s, %d missing\n", c.Name, c.Kind, ranges[c], c.CountMissing())
	}
	var below []string
	if t.Found.Format != "" {
		below = append(below, "read as "+t.Found.String())
	}
	for _, note := range t.Notes { // of the file; a verb may have changed what they speak of
		below = append(below, "in the file, "+note)
	}
	for _, note := range below {
		fmt.Fprintln(&words, note)
		fmt.Fprintf(&out, `<div style="padding:.1em 0;opacity:.85">%s</div>`, html.EscapeString(note))
	}
	out.WriteString("</div>")
	return figure.Rendering{MIME: "text/html", Data: []byte(out.String()), Alt: strings.TrimRight(words.String(), "\n")}, nil
}

// span describes what the cells range over.
func (c *Column) span() string {
	switch c.Kind {
	case Text, Boolean:
		_, classes := labels(c)
		switch {
		case len(classes) == 0:
			return "no cell"
		case len(classes) > 4 || len(strings.Join(classes, ", ")) > 38:
			return fmt.Sprintf("%d values", len(classes))
		}
		return strings.Join(classes, ", ")
	case Date:
		var lo, hi time.Time
		seen := false
		for i, v := range c.Dates {
			if c.IsMissing(i) {
				continue
			}
			if !seen || v.Before(lo) {
				lo = v
			}
			if !seen || v.After(hi) {
				hi = v
			}
			seen = true
		}
		if !seen {
			return "no cell"
		}
		return lo.Format("2006-01-02") + " … " + hi.Format("2006-01-02")
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for i, v := range c.Numbers {
		if !c.IsMissing(i) {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	if lo > hi {
		return "no cell"
	}
	return brief(lo) + " … " + brief(hi)
}

// shown is a cell as a reader wants it: numbers to four digits.
func (c *Column) shown(i int) string {
	if c.Kind == Number {
		return brief(c.Numbers[i])
	}
	return c.Cell(i)
}

func brief(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// short cuts a text that is too long for a cell.
func short(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most-1]) + "…"
}
