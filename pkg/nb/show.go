package nb

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/golatent/latent/internal/figure"
	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"
)

const thisPackage = "github.com/golatent/latent/pkg/nb."

func inThisPackage(function string) bool { return strings.HasPrefix(function, thisPackage) }

// Figure is whatever can be rendered: every figure of package plotting.
type Figure = figure.Figure

// display sends one output to the notebook, its words and its picture in one bundle. id, when not
// empty, names an output that a later call replaces. It is a variable so that tests can listen.
var display = func(words, htmlText, id string) {
	if !gonbui.IsNotebook {
		if words != "" && id == "" {
			fmt.Fprintln(os.Stdout, words)
		}
		return
	}
	data := map[protocol.MIMEType]any{protocol.MIMETextPlain: words}
	if htmlText != "" {
		data[protocol.MIMETextHTML] = htmlText
	}
	gonbui.SendData(&protocol.DisplayData{Data: data, DisplayID: id})
	// Wait until the kernel has it, so that what is printed next comes after it.
	gonbui.Sync()
}

// say prints one line. It goes the same way as figures do: standard output has a pipe of its own,
// and lines of both would change places.
func say(line string) {
	display(line, `<div style="font-family:var(--jp-code-font-family,monospace);font-size:13px;white-space:pre-wrap">`+html.EscapeString(line)+`</div>`, "")
}

// Show shows figures, one under the other, each as one output: a description in words, and SVG, PNG
// or HTML. A figure that can't be drawn ends the cell with the reason.
func Show(figures ...Figure) {
	for _, f := range figures {
		r := render(f)
		display(r.Alt, r.HTML(), "")
	}
}

func render(f Figure) figure.Rendering {
	if f == nil {
		stop("error: nb.Show: the figure is nil")
		return figure.Rendering{}
	}
	r, err := f.Render()
	if err != nil {
		fail(err)
	}
	return r
}

// HTML shows a piece of HTML; words say the same for those who can't see it.
func HTML(words, htmlText string) { display(words, htmlText, "") }

// Table shows rows under a header: numbers to four digits and aligned to the right, everything else
// as fmt prints it.
//
//	nb.Table([]string{"method", "ARI"}, []any{"k-means", 0.7302}, []any{"GMM", 0.9039})
func Table(header []string, rows ...[]any) {
	for i, row := range rows {
		if len(row) != len(header) {
			stop(fmt.Sprintf("error: nb.Table: row %d has %d cells, the header has %d", i, len(row), len(header)))
			return
		}
	}
	display(tableText(header, rows), tableHTML(header, rows), "")
}

func tableText(header []string, rows [][]any) string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(header, "\t"))
	for _, row := range rows {
		cells := make([]string, len(row))
		for j, v := range row {
			cells[j], _ = cell(v)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	w.Flush()
	return strings.TrimRight(b.String(), "\n")
}

func tableHTML(header []string, rows [][]any) string {
	var b strings.Builder
	b.WriteString(`<table style="border-collapse:collapse;font-variant-numeric:tabular-nums"><thead><tr>`)
	for _, h := range header {
		fmt.Fprintf(&b, `<th style="text-align:left;border-bottom:1px solid currentColor;padding:.2em .8em">%s</th>`, html.EscapeString(h))
	}
	b.WriteString(`</tr></thead><tbody>`)
	for _, row := range rows {
		b.WriteString("<tr>")
		for _, v := range row {
			text, number := cell(v)
			align := "left"
			if number {
				align = "right"
			}
			fmt.Fprintf(&b, `<td style="text-align:%s;padding:.15em .8em">%s</td>`, align, html.EscapeString(text))
		}
		b.WriteString("</tr>")
	}
	b.WriteString(`</tbody></table>`)
	return b.String()
}

// cell formats a value and says whether it is a number.
func cell(v any) (text string, number bool) {
	switch x := v.(type) {
	case float64:
		return Number(x), true
	case float32:
		return Number(float64(x)), true
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return fmt.Sprint(x), true
	case nil:
		return "", false
	}
	return fmt.Sprint(v), false
}

// Number formats a number as tables do: four significant digits, whole numbers in full.
func Number(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e15 {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return strconv.FormatFloat(x, 'g', 4, 64)
}

// Badge shows what belongs to this run and not to the notebook, a backend or a number of
// processors: the picture says "label: value", and the words that are kept with it only the label,
// since the text of an output is the same on every machine.
func Badge(label, value string) {
	if !gonbui.IsNotebook {
		display(label+": "+value, "", "")
		return
	}
	display(label, `<div style="display:inline-block;font:13px sans-serif;border:1px solid currentColor;border-radius:1em;padding:.1em .8em;opacity:.75">`+
		html.EscapeString(label+": "+value)+`</div>`, "")
}
