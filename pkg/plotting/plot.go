package plotting

import (
	"fmt"
	"image/color"
	"slices"
	"strings"

	"github.com/golatent/latent/pkg/ml"
)

// Plot is a figure with two axes: marks laid over each other. Every function of this package that
// draws data returns one, Add lays plots over each other, and every method changes the plot and
// returns it, so that calls can be chained or stand alone. Clone copies.
//
//	plotting.Scatter(x, labels).Names("setosa", "versicolor", "virginica").X("petal length (cm)").Y("petal width (cm)")
//	plotting.Scatter(x, fit.Labels).Add(plotting.Voronoi(fit.Centers))
//
// Methods of two kinds: those about the whole figure (Title, X, Y, Size, XLim, Equal …) and those
// about the marks (Color, Name, Dashed, Labels …). The latter change all marks that the Plot holds
// when they are called and that know the option, so they stand before Add.
//
// Errors (shapes that don't fit, a parameter out of range) surface at Render, which names the
// function and what is wrong. A point with a NaN or infinite coordinate is left out, and the
// description says how many were.
type Plot struct {
	title, alt     string
	xLabel, yLabel string
	width, height  float64
	xRange, yRange *[2]float64
	logX, logY     bool
	equal          *bool
	bare, noLegend bool
	layers         []laid
	shared         *box // bounds to take in place of the data's own, for frames of a film and cells of a grid
	err            error
}

// laid is a layer and its options.
type laid struct {
	layer
	options
}

// New returns a figure with the marks of plots laid over each other, the first at the bottom.
func New(plots ...*Plot) *Plot { return new(Plot).Add(plots...) }

// Add lays the marks of others over those of p. Title, axes' labels and ranges are p's own, or,
// where p has none, the first that has. Marks are copied: what is done to a plot later doesn't
// change those that it was added to.
func (p *Plot) Add(others ...*Plot) *Plot {
	for _, o := range others {
		if o == nil {
			p.err = either(p.err, fmt.Errorf("plotting.Add: a plot is nil: %w", ml.ErrEmpty))
			continue
		}
		p.layers = append(p.layers, o.layers...)
		p.title, p.alt = either(p.title, o.title), either(p.alt, o.alt)
		p.xLabel, p.yLabel = either(p.xLabel, o.xLabel), either(p.yLabel, o.yLabel)
		p.xRange, p.yRange, p.equal = either(p.xRange, o.xRange), either(p.yRange, o.yRange), either(p.equal, o.equal)
		p.logX, p.logY = p.logX || o.logX, p.logY || o.logY
		p.width, p.height = either(p.width, o.width), either(p.height, o.height)
		p.err = either(p.err, o.err)
	}
	return p
}

// Clone returns a copy, from which another figure can be made.
func (p *Plot) Clone() *Plot {
	q := *p
	q.layers = slices.Clone(p.layers)
	return &q
}

func either[T comparable](a, b T) T {
	var zero T
	if a == zero {
		return b
	}
	return a
}

// Title sets the line above the figure.
func (p *Plot) Title(s string) *Plot { p.title = s; return p }

// X sets the label of the horizontal axis.
func (p *Plot) X(label string) *Plot { p.xLabel = label; return p }

// Y sets the label of the vertical axis.
func (p *Plot) Y(label string) *Plot { p.yLabel = label; return p }

// Alt sets the description for readers who can't see the figure. Without it, one is made from the
// content.
func (p *Plot) Alt(s string) *Plot { p.alt = s; return p }

// Size sets the width and height in CSS pixels, legend and axes included. The default is 520 × 360,
// or what the content needs for images and matrices.
func (p *Plot) Size(width, height float64) *Plot {
	if !(width >= 60 && width <= 4000 && height >= 60 && height <= 4000) {
		p.err = either(p.err, ml.BadParameter("plotting.Size", "width and height", fmt.Sprintf("%v, %v", width, height), "60 to 4000 pixels each"))
		return p
	}
	p.width, p.height = width, height
	return p
}

// XLim sets the ends of the horizontal axis; marks beyond them are cut off.
func (p *Plot) XLim(lo, hi float64) *Plot {
	p.xRange, p.err = span("plotting.XLim", lo, hi, p.err)
	return p
}

// YLim sets the ends of the vertical axis; marks beyond them are cut off.
func (p *Plot) YLim(lo, hi float64) *Plot {
	p.yRange, p.err = span("plotting.YLim", lo, hi, p.err)
	return p
}

func span(method string, lo, hi float64, err error) (*[2]float64, error) {
	if !(lo < hi) || !finite(lo, hi, hi-lo) {
		return nil, either(err, ml.BadParameter(method, "lo, hi", fmt.Sprintf("%v, %v", lo, hi), "lo < hi, both finite"))
	}
	return &[2]float64{lo, hi}, err
}

// LogX makes the horizontal axis logarithmic; every value must be positive.
func (p *Plot) LogX() *Plot { p.logX = true; return p }

// LogY makes the vertical axis logarithmic; every value must be positive.
func (p *Plot) LogY() *Plot { p.logY = true; return p }

// Equal gives a unit the same length on both axes. It has that anyway where geometry is drawn
// (ellipses, balls, cells, graphs, images), and in a scatter plot whose two ranges differ by less
// than a factor of 2.5, since they then probably share a unit; Stretch undoes it.
func (p *Plot) Equal() *Plot { p.equal = new(true); return p }

// Stretch lets the data fill the frame, whatever length a unit then has on each axis.
func (p *Plot) Stretch() *Plot { p.equal = new(false); return p }

// Bare leaves out axes, ticks and grid, for pictures in which coordinates mean nothing.
func (p *Plot) Bare() *Plot { p.bare = true; return p }

// HideLegend leaves out the legend and the color bar.
func (p *Plot) HideLegend() *Plot { p.noLegend = true; return p }

// options are what methods about marks set that marks of several kinds know. What marks of one kind
// alone know is a field of that layer, beside its method.
type options struct {
	color                    color.Color
	opacity, width, markSize float64
	name                     string
	names, labels            []string
	dashed, horizontal       bool
	classes                  []int
	values                   []float64
	colors                   ColorMap
	limits                   *[2]float64
	class                    *int
	order                    int // which of the figure's marks without a color of their own this is; set when drawn
}

// set applies an option to the layers that take it.
func (p *Plot) set(method string, change func(*options)) *Plot {
	found := false
	for i := range p.layers {
		if takes(p.layers[i], method) {
			change(&p.layers[i].options)
			found = true
		}
	}
	return p.found(method, found)
}

// takes reports whether an option is among those that a layer knows.
func takes(l layer, method string) bool {
	return slices.Contains(strings.Fields(l.takes()), method)
}

// change applies an option that marks of one kind alone know, to a copy of each: layers may be
// shared by plots.
func change[L any, P interface {
	*L
	layer
}](p *Plot, method string, f func(P)) *Plot {
	found := false
	for i := range p.layers {
		if l, ok := p.layers[i].layer.(P); ok {
			fresh := P(new(*l))
			f(fresh)
			p.layers[i].layer, found = fresh, true
		}
	}
	return p.found(method, found)
}

func (p *Plot) found(method string, found bool) *Plot {
	if !found && p.err == nil {
		p.err = fmt.Errorf("plotting.%s: nothing in the figure takes this option; call it right after the function that draws what it is about", method)
	}
	return p
}

// Color sets one color for all marks. Classes and values of points go before it.
func (p *Plot) Color(c color.Color) *Plot {
	return p.set("Color", func(o *options) { o.color = c })
}

// Opacity sets how opaque marks are, from 0 to 1.
func (p *Plot) Opacity(a float64) *Plot {
	if !(a >= 0 && a <= 1) {
		p.err = either(p.err, ml.BadParameter("plotting.Opacity", "a", a, "0 ≤ a ≤ 1"))
		return p
	}
	return p.set("Opacity", func(o *options) { o.opacity = a })
}

// Width sets the width of lines in pixels.
func (p *Plot) Width(w float64) *Plot {
	if !(w > 0 && w <= 50) {
		p.err = either(p.err, ml.BadParameter("plotting.Width", "w", w, "0 < w ≤ 50"))
		return p
	}
	return p.set("Width", func(o *options) { o.width = w })
}

// MarkSize sets the radius of points in pixels.
func (p *Plot) MarkSize(r float64) *Plot {
	if !(r > 0 && r <= 100) {
		p.err = either(p.err, ml.BadParameter("plotting.MarkSize", "r", r, "0 < r ≤ 100"))
		return p
	}
	return p.set("MarkSize", func(o *options) { o.markSize = r })
}

// Label sets the entry in the legend, or the title of the color bar.
func (p *Plot) Label(s string) *Plot {
	return p.set("Label", func(o *options) { o.name = s })
}

// Names sets the names of classes 0, 1, …, of the lines of Lines, or of the groups of Bars, in the
// legend.
func (p *Plot) Names(names ...string) *Plot {
	return p.set("Names", func(o *options) { o.names = slices.Clone(names) })
}

// Labels writes a text beside each point or arrow, or at each leaf of a dendrogram.
func (p *Plot) Labels(labels ...string) *Plot {
	return p.set("Labels", func(o *options) { o.labels = slices.Clone(labels) })
}

// Dashed draws lines with dashes.
func (p *Plot) Dashed() *Plot {
	return p.set("Dashed", func(o *options) { o.dashed = true })
}

// Classes gives each point a class, shown by color and by shape; a negative class is noise, gray
// and crossed. names are those of classes 0, 1, … in the legend.
func (p *Plot) Classes(classes []int, names ...string) *Plot {
	return p.set("Classes", func(o *options) {
		o.classes = append([]int{}, classes...)
		if len(names) > 0 {
			o.names = slices.Clone(names)
		}
	})
}

// Class sets the color, and for lines the dashes, of class k.
func (p *Plot) Class(k int) *Plot {
	return p.set("Color", func(o *options) { o.color, o.class = ClassColor(k), &k })
}

// Values gives each point a number, shown by a color map and a color bar.
func (p *Plot) Values(values []float64) *Plot {
	return p.set("Values", func(o *options) { o.values = append([]float64{}, values...) })
}

// ColorMap sets the map from values to colors: Sequential, Diverging, Grey.
func (p *Plot) ColorMap(m ColorMap) *Plot {
	return p.set("ColorMap", func(o *options) { o.colors = m })
}

// Limits sets the values at the two ends of the color map. Values beyond them take the color of the
// end.
func (p *Plot) Limits(lo, hi float64) *Plot {
	var limits *[2]float64
	if limits, p.err = span("plotting.Limits", lo, hi, p.err); limits == nil {
		return p
	}
	return p.set("ColorMap", func(o *options) { o.limits = limits })
}

// Horizontal draws bars from left to right, and a dendrogram with its root at the right.
func (p *Plot) Horizontal() *Plot {
	return p.set("Horizontal", func(o *options) { o.horizontal = true })
}
