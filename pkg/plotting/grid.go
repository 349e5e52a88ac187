package plotting

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"github.com/golatent/latent/pkg/ml"
)

// GridFigure is several plots side by side, made by Grid. Like a Plot it is a value.
type GridFigure struct {
	plots      []*Plot
	columns    int
	shared     bool
	title, alt string
	err        error
}

// Grid lays plots out in rows of columns each: small multiples. Their frames line up. Each keeps
// its Size; without one it gets a share of some 860 pixels.
func Grid[F Figure](columns int, plots ...F) *GridFigure {
	g := &GridFigure{columns: columns}
	if columns < 1 {
		g.err = ml.BadParameter("plotting.Grid", "columns", columns, "columns ≥ 1")
	}
	for i, f := range plots {
		p, ok := any(f).(*Plot)
		if !ok {
			g.err = either(g.err, ml.BadParameter("plotting.Grid", fmt.Sprintf("figure %d", i), fmt.Sprintf("a %T", f), "a Plot"))
		}
		g.plots = append(g.plots, p)
	}
	return g
}

// Shared gives all plots the same axes, so that they can be compared, and one legend where all have
// the same.
func (f *GridFigure) Shared() *GridFigure { f.shared = true; return f }

// Title sets the line above all plots.
func (f *GridFigure) Title(s string) *GridFigure { f.title = s; return f }

// Alt sets the description; without it, one is made from those of the plots.
func (f *GridFigure) Alt(s string) *GridFigure { f.alt = s; return f }

// Render draws the plots as one SVG.
func (f *GridFigure) Render() (r Rendering, err error) {
	defer guard(&err)
	g, err := f.settle()
	if err != nil {
		return Rendering{}, err
	}
	return renderSVG(g, f.title)
}

// table is a grid whose cells' sizes are settled.
type table struct {
	figure        *GridFigure
	pages         []*page
	columns       int
	widths        []float64 // of columns
	heights       []float64 // of rows
	legend        *page     // draws the legend that all share, or nil
	width, height float64
}

const gridGap = 10

func (f *GridFigure) settle() (*table, error) {
	if f.err != nil {
		return nil, f.err
	}
	n := len(f.plots)
	if n == 0 {
		return nil, fmt.Errorf("plotting.Grid: no plots: %w", ml.ErrEmpty)
	}
	t := &table{figure: f, columns: min(f.columns, n)}
	plots, err := f.cells(t.columns)
	if err != nil {
		return nil, err
	}
	for i, p := range plots {
		g, err := p.page()
		if err != nil {
			return nil, fmt.Errorf("plot %d of the grid: %w", i, err)
		}
		t.pages = append(t.pages, g)
	}
	t.shareLegend(plots)
	t.lineUp()
	return t, nil
}

// cells gives plots a size and, where asked for, shared axes.
func (f *GridFigure) cells(columns int) ([]*Plot, error) {
	plots := append([]*Plot{}, f.plots...)
	width := math.Floor(min(420, 860/float64(columns)))
	for i := range plots {
		p, err := plots[i].prepared()
		if err != nil {
			return nil, fmt.Errorf("plot %d of the grid: %w", i, err)
		}
		natural := false
		for k := range p.layers {
			natural = natural || p.layers[k].hints(&p.layers[k].options).w > 0
		}
		if p.width == 0 && !natural {
			plots[i] = plots[i].Clone().Size(width, math.Floor(width*.78))
		}
	}
	if f.shared {
		return together(plots)
	}
	return plots, nil
}

// together gives plots the range that covers all.
func together(plots []*Plot) ([]*Plot, error) {
	var all box
	out := make([]*Plot, len(plots))
	for i := range plots {
		p, err := plots[i].prepared()
		if err != nil {
			return nil, fmt.Errorf("plot %d: %w", i, err)
		}
		all.join(p.bounds())
		out[i] = plots[i].Clone()
	}
	for i := range plots {
		if all.filled {
			out[i].shared = &all
		}
	}
	return out, nil
}

// shareLegend takes a legend that is the same in all cells out of them, and draws it once.
func (t *table) shareLegend(plots []*Plot) {
	if !t.figure.shared || len(t.pages) < 2 || t.pages[0].side == 0 {
		return
	}
	same := func(g *page) string {
		s := fmt.Sprint(g.keys, g.more)
		if g.bar != nil {
			s += fmt.Sprint(g.bar.lo, g.bar.hi, g.bar.name)
		}
		return s
	}
	for _, g := range t.pages[1:] {
		if same(g) != same(t.pages[0]) {
			return
		}
	}
	legend := *t.pages[0]
	t.legend = &legend
	for i := range plots {
		if g, err := plots[i].Clone().HideLegend().page(); err == nil {
			t.pages[i] = g
		}
	}
}

// lineUp settles the sizes of columns and rows.
func (t *table) lineUp() {
	t.widths = make([]float64, t.columns)
	t.heights = make([]float64, (len(t.pages)+t.columns-1)/t.columns)
	for i, g := range t.pages {
		c, r := i%t.columns, i/t.columns
		t.widths[c] = max(t.widths[c], g.width)
		t.heights[r] = max(t.heights[r], g.height)
	}
	t.width, t.height = -gridGap, -gridGap
	for _, w := range t.widths {
		t.width += w + gridGap
	}
	for _, h := range t.heights {
		t.height += h + gridGap
	}
	if t.legend != nil {
		t.width += t.legend.side
	}
	if t.figure.title != "" {
		t.height += titleSize*1.25 + 12
		t.width = max(t.width, textWidth(bold(style(titleSize+1, text.XCenter, text.YTop)), t.figure.title)+20)
	}
}

func (t *table) size() (float64, float64) { return t.width, t.height }

func (t *table) drawOn(s surface, rect vg.Rectangle) error {
	top := float64(rect.Max.Y)
	if t.figure.title != "" {
		write(s, bold(style(titleSize+1, text.XCenter, text.YTop)), float64(rect.Min.X+rect.Max.X)/2, top-4, t.figure.title)
		top -= titleSize*1.25 + 12
	}
	legendTop := top - 24
	for r, h := range t.heights {
		left := float64(rect.Min.X)
		for c, w := range t.widths {
			i := r*t.columns + c
			if i >= len(t.pages) {
				break
			}
			if err := t.drawCell(s, i, left, top, w, h); err != nil {
				return fmt.Errorf("plot %d of the grid: %w", i, err)
			}
			left += w + gridGap
		}
		top -= h + gridGap
	}
	if t.legend != nil {
		drawLegend(s, t.legend, float64(rect.Max.X)-t.legend.side+10, legendTop, t.heights[0]-40)
	}
	return nil
}

// drawCell draws a plot with the margins that the widest labels of its row and column ask for.
func (t *table) drawCell(s surface, i int, left, top, w, h float64) error {
	g := t.pages[i]
	if g.hints.w > 0 && g.p.width == 0 {
		// A picture of a size of its own stands in the middle of its cell.
		x, y := left+(w-g.width)/2, top-h+(h-g.height)/2
		return g.drawOn(s, rectangle(x, y, x+g.width, y+g.height))
	}
	extra := margins{right: g.side}
	for j, o := range t.pages {
		if o.hints.w > 0 && o.p.width == 0 {
			continue
		}
		if j%t.columns == i%t.columns {
			extra.left = max(extra.left, o.margin.left-g.margin.left)
			extra.right = max(extra.right, o.margin.right-g.margin.right+g.side)
		}
		if j/t.columns == i/t.columns {
			extra.bottom = max(extra.bottom, o.margin.bottom-g.margin.bottom)
			extra.top = max(extra.top, o.margin.top-g.margin.top)
		}
	}
	return g.drawWith(s, rectangle(left, top-h, left+w, top), extra)
}

func (t *table) describe() string {
	if t.figure.alt != "" {
		return t.figure.alt
	}
	var parts []string
	for i, g := range t.pages {
		if i == 6 {
			parts = append(parts, fmt.Sprintf("%d more.", len(t.pages)-6))
			break
		}
		parts = append(parts, fmt.Sprintf("(%d) %s", i+1, g.describe()))
	}
	out := count(len(t.pages), "plot", "plots") + ". " + strings.Join(parts, " ")
	if t.figure.title != "" {
		out = t.figure.title + ": " + out
	}
	return out
}
