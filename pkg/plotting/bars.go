package plotting

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"

	"github.com/golatent/latent/pkg/ml"
)

// Histogram counts values in bins bars of equal width; 0 means the number that Freedman and
// Diaconis (1981) advise. Normalized makes the area one. Values that are not finite are left out.
func Histogram(values []float64, bins int) *Plot {
	l := &histogram{bins: bins}
	for _, v := range values {
		if finite(v) {
			l.values = append(l.values, v)
		}
	}
	l.skipped = len(values) - len(l.values)
	slices.Sort(l.values)
	p := &Plot{layers: []laid{{layer: l}}}
	if bins < 0 || bins > 2000 {
		p.err = ml.BadParameter("plotting.Histogram", "bins", bins, "0 to 2000")
	} else if len(l.values) == 0 {
		p.err = fmt.Errorf("plotting.Histogram: none of %d values is finite: %w", len(values), ml.ErrEmpty)
	} else if !finite(l.values[len(l.values)-1] - l.values[0]) {
		p.err = ml.BadParameter("plotting.Histogram", "the range of the values", "infinite", "values that a float can subtract")
	}
	return p
}

type histogram struct {
	plain
	values  []float64 // sorted
	bins    int
	skipped int

	normalized bool
}

// Normalized scales a histogram so that its area is one, to be compared with a density.
func (p *Plot) Normalized() *Plot {
	return change(p, "Normalized", func(l *histogram) { l.normalized = true })
}

func (*histogram) takes() string { return "Color Opacity Label" }

// bars returns where the bars start, their common width, and their heights.
func (l *histogram) bars() (start, width float64, heights []float64) {
	n := len(l.values)
	lo, hi := l.values[0], l.values[n-1]
	if hi-lo <= 1e-12*max(math.Abs(lo), math.Abs(hi)) {
		lo, hi = lo-max(.5, math.Abs(lo)*1e-3), hi+max(.5, math.Abs(hi)*1e-3)
	}
	bins := l.bins
	if bins == 0 {
		iqr := l.values[min(n-1, 3*n/4)] - l.values[n/4]
		bins = int(math.Ceil(math.Log2(float64(n)))) + 1
		if iqr > 0 {
			bins = int(min(100, max(5, math.Ceil((hi-lo)/(2*iqr/math.Cbrt(float64(n)))))))
		}
	}
	width = (hi - lo) / float64(bins)
	heights = make([]float64, bins)
	for _, v := range l.values {
		heights[min(max(int((v-lo)/width), 0), bins-1)]++
	}
	if l.normalized {
		for i := range heights {
			heights[i] /= float64(n) * width
		}
	}
	return lo, width, heights
}

func (l *histogram) bounds(o *options) (b box) {
	start, width, heights := l.bars()
	b.include(start, 0)
	b.include(start+width*float64(len(heights)), slices.Max(heights))
	return b
}

func (l *histogram) hints(o *options) hints {
	if l.normalized {
		return hints{yLabel: "density", floor: true}
	}
	return hints{yLabel: "count", floor: true}
}

func (l *histogram) color(o *options) color.Color {
	if o.color != nil {
		return o.color
	}
	return ClassColor(o.order)
}

func (l *histogram) keys(o *options) []key {
	return []key{{name: o.name, color: l.color(o), patch: true, opaque: either(o.opacity, .6)}}
}

func (l *histogram) draw(d *drawing, o *options) error {
	start, width, heights := l.bars()
	c := l.color(o)
	for i, h := range heights {
		if h > 0 {
			x0, x1 := start+width*float64(i), start+width*float64(i+1)
			d.fill([]float64{x0, x1, x1, x0}, []float64{0, 0, h, h}, faded(c, either(o.opacity, .6)))
		}
	}
	// One outline over all bars, drawn solid, so that overlaid histograms can be followed.
	xs, ys := []float64{start}, []float64{0}
	for i, h := range heights {
		xs = append(xs, start+width*float64(i), start+width*float64(i+1))
		ys = append(ys, h, h)
	}
	xs, ys = append(xs, start+width*float64(len(heights))), append(ys, 0)
	d.line(xs, ys, c, 1.4, dashes[o.order%len(dashes)], false)
	return nil
}

func (l *histogram) describe(o *options) string {
	start, width, heights := l.bars()
	top := 0
	for i, h := range heights {
		if h > heights[top] {
			top = i
		}
	}
	from, to := ends(start+width*float64(top), start+width*float64(top+1))
	s := fmt.Sprintf("histogram of %s%s in %s, highest between %s and %s", count(len(l.values), "value", "values"), before(" of ", o.name),
		count(len(heights), "bar", "bars"), from, to)
	if l.skipped > 0 {
		s += fmt.Sprintf(" (%d more are not finite and left out)", l.skipped)
	}
	return s
}

// Bars draws bars at 0, 1, 2, …; a value that is not finite has no bar. Errors adds error bars.
func Bars(heights []float64) *Plot {
	p := BarChart(make([]string, len(heights)), heights)
	p.layers[0].layer.(*bars).numbered = true
	return p
}

// BarChart draws one bar for each name, or, with several values, a group of bars side by side, in
// the order of the legend, which Names fills. Horizontal lays them down, Errors adds error bars; a
// value that is not finite has no bar.
func BarChart(names []string, values ...[]float64) *Plot {
	l := &bars{names: slices.Clone(names), values: values}
	p := &Plot{layers: []laid{{layer: l}}}
	if len(names) == 0 || len(values) == 0 {
		p.err = fmt.Errorf("plotting.BarChart: %d names and %d sets of values: %w", len(names), len(values), ml.ErrEmpty)
	}
	for k, v := range values {
		if len(v) != len(names) {
			p.err = either(p.err, ml.BadShape("plotting.BarChart", "%d values in set %d for %d names", len(v), k, len(names)))
		}
	}
	return p
}

type bars struct {
	plain
	names    []string
	values   [][]float64
	numbered bool // no names
	errors   []float64
}

// Errors draws a line from e below to e above the end of each bar.
func (p *Plot) Errors(e []float64) *Plot {
	return change(p, "Errors", func(l *bars) { l.errors = append([]float64{}, e...) })
}

func (l *bars) check(o *options) error {
	if l.errors != nil && (len(l.errors) != len(l.names) || len(l.values) != 1) {
		return ml.BadShape("plotting.Errors", "%d errors for %d bars in %d groups, want one group and an error each", len(l.errors), len(l.names), len(l.values))
	}
	return nil
}

func (*bars) takes() string {
	return "Color Opacity Label Names Horizontal"
}

func (l *bars) place(i float64, v float64, o *options) (x, y float64) {
	if o.horizontal {
		return v, i
	}
	return i, v
}

func (l *bars) bounds(o *options) (b box) {
	b.include(l.place(-.6, 0, o))
	b.include(l.place(float64(len(l.names))-.4, 0, o))
	for _, set := range l.values {
		for i, v := range set {
			b.include(l.place(0, v, o))
			if l.errors != nil {
				b.include(l.place(0, v-l.errors[i], o))
				b.include(l.place(0, v+l.errors[i], o))
			}
		}
	}
	return b
}

func (l *bars) hints(o *options) hints {
	var ticks []plot.Tick
	if !l.numbered {
		ticks = nameTicks(l.names)
	}
	stands := true
	for _, set := range l.values {
		for i, v := range set {
			stands = stands && !(v < 0) && (l.errors == nil || !(v-math.Abs(l.errors[i]) < 0))
		}
	}
	if o.horizontal {
		return hints{yTicks: ticks, flipY: true, left: stands}
	}
	return hints{xTicks: ticks, floor: stands}
}

func nameTicks(names []string) []plot.Tick {
	out := make([]plot.Tick, len(names))
	for i, s := range names {
		out[i] = plot.Tick{Value: float64(i), Label: either(s, " ")}
	}
	return out
}

func (l *bars) color(o *options, k int) color.Color {
	if o.color != nil {
		return o.color
	}
	return ClassColor(o.order + k)
}

func (l *bars) keys(o *options) []key {
	var out []key
	for k := range l.values {
		name := o.name
		if k < len(o.names) {
			name = o.names[k]
		}
		out = append(out, key{name: name, color: l.color(o, k), patch: true, opaque: either(o.opacity, .8)})
	}
	return out
}

func (l *bars) draw(d *drawing, o *options) error {
	wide := .8 / float64(len(l.values))
	for k, set := range l.values {
		c := l.color(o, k)
		for i, v := range set {
			if !finite(v) {
				continue
			}
			a := float64(i) - .4 + wide*(float64(k)+.06)
			e := a + wide*.88
			x0, y0 := l.place(a, 0, o)
			x1, y1 := l.place(e, v, o)
			xs, ys := []float64{x0, x1, x1, x0}, []float64{y0, y0, y1, y1}
			d.fill(xs, ys, faded(c, either(o.opacity, .8)))
			d.line(xs, ys, c, 1, nil, true)
			if l.errors != nil && finite(l.errors[i]) {
				l.whisker(d, o, float64(i), v, l.errors[i])
			}
		}
	}
	return nil
}

func (l *bars) whisker(d *drawing, o *options, i, v, e float64) {
	for _, s := range [][4]float64{{i, v - e, i, v + e}, {i - .1, v - e, i + .1, v - e}, {i - .1, v + e, i + .1, v + e}} {
		x0, y0 := l.place(s[0], s[1], o)
		x1, y1 := l.place(s[2], s[3], o)
		d.line([]float64{x0, x1}, []float64{y0, y1}, Ink, 1.3, nil, false)
	}
}

func (l *bars) describe(o *options) string {
	s := "bars for " + count(len(l.names), "name", "names")
	if l.numbered {
		s = count(len(l.names), "bar", "bars")
	}
	if len(l.values) > 1 {
		s += fmt.Sprintf(" in groups of %d", len(l.values))
	}
	if len(l.values)*len(l.names) <= 12 {
		for k, set := range l.values {
			for i, v := range set {
				sep := ", "
				if k == 0 && i == 0 {
					sep = ": "
				}
				group := ""
				if k < len(o.names) {
					group = " " + o.names[k]
				}
				s += sep + strings.TrimSpace(l.names[i]+group+" "+figures(v))
			}
		}
	}
	return s
}

// Eigengap draws eigenvalues as a line with points, the first at 1, and marks the largest gap
// between two neighbors, which says how many clusters a graph has when values are its Laplacian's
// smallest eigenvalues in rising order (von Luxburg, 2007).
func Eigengap(values []float64) *Plot {
	if len(values) == 0 {
		return &Plot{err: fmt.Errorf("plotting.Eigengap: no values: %w", ml.ErrEmpty)}
	}
	ranks := make([]float64, len(values))
	for i := range values {
		ranks[i] = float64(i + 1)
	}
	p := Line(ranks, values).Dots().X("index").Y("eigenvalue")
	gap := -1
	for i := 1; i < len(values); i++ {
		if d := math.Abs(values[i] - values[i-1]); finite(d) && (gap < 0 || d > math.Abs(values[gap+1]-values[gap])) {
			gap = i - 1
		}
	}
	if gap < 0 {
		return p
	}
	at := float64(gap) + 1.5
	p = p.Add(VLine(at))
	return p.Add(Note(at, (values[gap]+values[gap+1])/2, fmt.Sprintf("largest gap after %d", gap+1)))
}
