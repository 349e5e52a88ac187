package plotting

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"

	"github.com/golatent/latent/pkg/ml"
)

// Heatmap draws a matrix as colored cells, row 0 on top, with a color bar. With nil for colors they
// are Sequential, or Diverging around zero where values have both signs. Limits sets the ends of
// the scale, RowNames and ColumnNames name the cells, ShowValues writes the values. A cell that
// isn't finite stays empty.
func Heatmap(m mat.Matrix, colors ColorMap) *Plot {
	r, c, err := dims("plotting.Heatmap", m)
	if err == nil && r*c > maxPixels {
		err = ml.BadParameter("plotting.Heatmap", "the number of cells", r*c, fmt.Sprintf("at most %d", maxPixels))
	}
	p := &Plot{layers: []laid{{layer: &matrix{m: m, r: r, c: c}}}, err: err}
	return p.ColorMap(colors)
}

// Matrix is Heatmap with the values written in the cells, for small ones: a confusion matrix, a
// covariance. It takes up to 400 cells.
func Matrix(m mat.Matrix) *Plot { return Heatmap(m, nil).ShowValues() }

type matrix struct {
	plain
	m                     mat.Matrix
	r, c                  int
	shown                 bool // values are written into the cells
	rowNames, columnNames []string
}

// ShowValues writes its value into each cell of a matrix.
func (p *Plot) ShowValues() *Plot {
	return change(p, "ShowValues", func(l *matrix) { l.shown = true })
}

// RowNames names the rows of a matrix, from the top.
func (p *Plot) RowNames(names ...string) *Plot {
	return change(p, "RowNames", func(l *matrix) { l.rowNames = slices.Clone(names) })
}

// ColumnNames names the columns of a matrix.
func (p *Plot) ColumnNames(names ...string) *Plot {
	return change(p, "ColumnNames", func(l *matrix) { l.columnNames = slices.Clone(names) })
}

func (*matrix) takes() string { return "ColorMap Label" }

func (l *matrix) check(o *options) error {
	switch {
	case l.rowNames != nil && len(l.rowNames) != l.r:
		return ml.BadShape("plotting.RowNames", "%d names for %d rows", len(l.rowNames), l.r)
	case l.columnNames != nil && len(l.columnNames) != l.c:
		return ml.BadShape("plotting.ColumnNames", "%d names for %d columns", len(l.columnNames), l.c)
	case l.shown && l.r*l.c > 400:
		return ml.BadParameter("plotting.ShowValues", "the number of cells", l.r*l.c, "at most 400; a Heatmap without takes more")
	}
	return nil
}

func (l *matrix) bounds(*options) (b box) {
	b.include(-.5, -.5)
	b.include(float64(l.c)-.5, float64(l.r)-.5)
	return b
}

func (l *matrix) hints(o *options) hints {
	h := hints{tight: true, flipY: true, noGrid: true, xTicks: l.ticks(l.columnNames, l.c), yTicks: l.ticks(l.rowNames, l.r)}
	h.w, h.h = l.frame(o)
	return h
}

// frame makes cells square where that gives a readable shape.
func (l *matrix) frame(o *options) (w, h float64) {
	cell := min(44, 440/float64(l.c), 340/float64(l.r))
	if l.shown {
		widest := 0.0
		for i := range l.r {
			for j := range l.c {
				widest = max(widest, textWidth(style(textSize, text.XCenter, text.YCenter), l.cell(i, j)))
			}
		}
		cell = max(cell, widest+8, 20)
		return cell * float64(l.c), max(min(cell, 44), 20) * float64(l.r)
	}
	if cell > 1 {
		cell = math.Floor(cell)
	}
	return min(max(cell*float64(l.c), 60), 440), min(max(cell*float64(l.r), 60), 340)
}

// ticks names rows or columns, or numbers some of them.
func (l *matrix) ticks(names []string, n int) []plot.Tick {
	if names != nil {
		return nameTicks(names)
	}
	every := 1
	for _, step := range []int{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000} {
		if every = step; n/step <= 12 {
			break
		}
	}
	var out []plot.Tick
	for i := 0; i < n; i += every {
		out = append(out, plot.Tick{Value: float64(i), Label: fmt.Sprint(i)})
	}
	return out
}

func (l *matrix) cell(i, j int) string {
	v := l.m.At(i, j)
	switch {
	case !finite(v):
		return "–"
	case v == math.Trunc(v) && math.Abs(v) < 1e6:
		return tickLabel(v, 0)
	default:
		return figuresShort(v)
	}
}

func figuresShort(v float64) string {
	if a := math.Abs(v); a >= .01 && a < 1000 {
		return tickLabel(math.Round(v*100)/100, -2)
	}
	return figures(math.Round(v/math.Pow(10, math.Floor(math.Log10(math.Abs(v))))*100) / 100 * math.Pow(10, math.Floor(math.Log10(math.Abs(v)))))
}

func (l *matrix) theScale(o *options) *colorScale {
	values := make([]float64, 0, l.r*l.c)
	for i := range l.r {
		for j := range l.c {
			values = append(values, l.m.At(i, j))
		}
	}
	return newScale(values, o, Sequential)
}

func (l *matrix) scale(o *options) *colorScale {
	if l.shown {
		return nil
	}
	return l.theScale(o)
}

func (l *matrix) draw(d *drawing, o *options) error {
	scale := l.theScale(o)
	// More cells than pixels: average, rather than let the browser pick some.
	shrink := (max(l.r, l.c) + 1199) / 1200
	img := image.NewNRGBA(image.Rect(0, 0, (l.c+shrink-1)/shrink, (l.r+shrink-1)/shrink))
	for py := range img.Rect.Dy() {
		for px := range img.Rect.Dx() {
			sum, n := 0.0, 0
			for i := py * shrink; i < min((py+1)*shrink, l.r); i++ {
				for j := px * shrink; j < min((px+1)*shrink, l.c); j++ {
					sum += l.m.At(i, j)
					n++
				}
			}
			if v := sum / float64(n); finite(v) {
				img.SetNRGBA(px, py, quantized(scale, v))
			}
		}
	}
	a, b := d.at(-.5, float64(l.r)-.5), d.at(float64(l.c)-.5, -.5)
	d.picture(rectangle(float64(a.X), float64(a.Y), float64(b.X), float64(b.Y)), img, false)
	return nil
}

// write puts values on their cells, dark on light and light on dark.
func (l *matrix) write(d *drawing, o *options) {
	if !l.shown {
		return
	}
	scale := l.theScale(o)
	for i := range l.r {
		for j := range l.c {
			sty := style(textSize, text.XCenter, text.YCenter)
			if v := l.m.At(i, j); finite(v) {
				sty.Color = color.NRGBA{0xff, 0xff, 0xff, 0xff}
				if oklab(quantized(scale, v))[0] > .62 {
					sty.Color = color.NRGBA{0x11, 0x11, 0x11, 0xff}
				}
			}
			at := d.at(float64(j), float64(i))
			write(d.surface, sty, float64(at.X), float64(at.Y), l.cell(i, j))
		}
	}
}

func (l *matrix) describe(o *options) string {
	s := l.theScale(&options{limits: o.limits, colors: Grey})
	from, to := ends(s.lo, s.hi)
	out := fmt.Sprintf("matrix of %s and %s%s, values from %s to %s", count(l.r, "row", "rows"), count(l.c, "column", "columns"), before(" of ", o.name), from, to)
	if l.shown && l.r*l.c <= 36 {
		out += ": "
		for i := range l.r {
			if i > 0 {
				out += " / "
			}
			for j := range l.c {
				if j > 0 {
					out += " "
				}
				out += l.cell(i, j)
			}
		}
	}
	return out
}
