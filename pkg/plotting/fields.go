package plotting

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

func interquartile(values []float64) float64 {
	v := slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	slices.Sort(v)
	return v[(3*len(v))/4] - v[len(v)/4]
}

// FieldLayer colors the plane behind the data: decision regions, a density, a heat map.
type FieldLayer struct {
	xmin, xmax, ymin, ymax float64
	cell                   func(x, y float64) color.Color
	contour                func(x, y float64) float64
	levels                 []float64
	what                   string
	snug                   bool
	err                    error
}

const fieldCells = 160 // along the longer side

// Regions colors each point of the rectangle by the class that class(x, y) gives: decision regions, Voronoi cells. Lighter than the data on it.
func Regions(xmin, xmax, ymin, ymax float64, class func(x, y float64) int) *FieldLayer {
	return field("regions by class", xmin, xmax, ymin, ymax, func(x, y float64) color.Color {
		return translucent(ClassColor(class(x, y)), 0.25)
	})
}

// Density colors each point of the rectangle by value(x, y), from its least to its greatest on the grid.
func Density(xmin, xmax, ymin, ymax float64, value func(x, y float64) float64) *FieldLayer {
	lo, hi := math.Inf(1), math.Inf(-1)
	const n = 60
	for i := range n + 1 {
		for j := range n + 1 {
			v := value(xmin+(xmax-xmin)*float64(i)/n, ymin+(ymax-ymin)*float64(j)/n)
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	return field("a field of values", xmin, xmax, ymin, ymax, func(x, y float64) color.Color {
		return translucent(Sequential(quantile(value(x, y), lo, hi)), 0.85)
	})
}

// Contours draws the lines on which value(x, y) equals each of the levels.
func Contours(xmin, xmax, ymin, ymax float64, value func(x, y float64) float64, levels ...float64) *FieldLayer {
	l := field(fmt.Sprintf("contours at %d levels", len(levels)), xmin, xmax, ymin, ymax, nil)
	l.contour, l.levels = value, levels
	return l
}

func field(what string, xmin, xmax, ymin, ymax float64, cell func(x, y float64) color.Color) *FieldLayer {
	l := &FieldLayer{xmin: xmin, xmax: xmax, ymin: ymin, ymax: ymax, cell: cell, what: what, snug: true}
	if !(xmin < xmax && ymin < ymax) || math.IsInf(xmax-xmin, 0) || math.IsInf(ymax-ymin, 0) {
		l.err = fmt.Errorf("%s: the rectangle is [%g, %g]×[%g, %g], want finite bounds in order", what, xmin, xmax, ymin, ymax)
	}
	return l
}

// Voronoi colors the plane by the nearest row of centers and draws the borders between them, over the rectangle.
func Voronoi(centers mat.Matrix, xmin, xmax, ymin, ymax float64) *VoronoiLayer {
	l := &VoronoiLayer{centers: centers, xmin: xmin, xmax: xmax, ymin: ymin, ymax: ymax}
	if _, d := centers.Dims(); d != 2 {
		l.err = fmt.Errorf("Voronoi: the centers have %d columns, want 2", d)
	} else if !(xmin < xmax && ymin < ymax) {
		l.err = fmt.Errorf("Voronoi: the rectangle is [%g, %g]×[%g, %g], want bounds in order", xmin, xmax, ymin, ymax)
	}
	return l
}

// VoronoiLayer holds the cells of centers.
type VoronoiLayer struct {
	centers                mat.Matrix
	xmin, xmax, ymin, ymax float64
	err                    error
}

func (l *VoronoiLayer) check() error { return l.err }
func (l *VoronoiLayer) extent() (a, b, c, d float64) {
	return l.xmin, l.xmax, l.ymin, l.ymax
}
func (l *VoronoiLayer) tight() bool     { return true }
func (l *VoronoiLayer) marks() int      { return 0 }
func (l *VoronoiLayer) legend() []entry { return nil }
func (l *VoronoiLayer) words() string {
	k, _ := l.centers.Dims()
	return fmt.Sprintf("the Voronoi cells of %d centers", k)
}

func (l *VoronoiLayer) draw(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	k, _ := l.centers.Dims()
	for i := range k {
		var poly []vg.Point
		for _, q := range l.Cell(i) {
			poly = append(poly, vg.Point{X: tx(q[0]), Y: ty(q[1])})
		}
		if len(poly) < 3 {
			continue
		}
		c.FillPolygon(translucent(ClassColor(i), 0.22), poly)
		c.StrokeLines(draw.LineStyle{Color: Ink, Width: 0.8}, append(poly, poly[0]))
	}
}

// Cell is the polygon of center i: the rectangle, cut by the bisector with every other center.
func (l *VoronoiLayer) Cell(i int) [][2]float64 {
	poly := [][2]float64{{l.xmin, l.ymin}, {l.xmax, l.ymin}, {l.xmax, l.ymax}, {l.xmin, l.ymax}}
	ax, ay := l.centers.At(i, 0), l.centers.At(i, 1)
	k, _ := l.centers.Dims()
	for j := range k {
		bx, by := l.centers.At(j, 0), l.centers.At(j, 1)
		if ax == bx && ay == by {
			if j < i {
				return nil // of equal centers the first has the cell
			}
			continue
		}
		// side is positive where a point is nearer to center i.
		side := func(q [2]float64) float64 {
			return (ax-bx)*(q[0]-(ax+bx)/2) + (ay-by)*(q[1]-(ay+by)/2)
		}
		poly = clipHalfPlane(poly, side)
	}
	return poly
}

// clipHalfPlane keeps the part of a convex polygon where side ≥ 0 (Sutherland & Hodgman, 1974).
func clipHalfPlane(poly [][2]float64, side func([2]float64) float64) (out [][2]float64) {
	for i, q := range poly {
		next := poly[(i+1)%len(poly)]
		s, t := side(q), side(next)
		if s >= 0 {
			out = append(out, q)
		}
		if s*t < 0 {
			u := s / (s - t)
			out = append(out, [2]float64{q[0] + u*(next[0]-q[0]), q[1] + u*(next[1]-q[1])})
		}
	}
	return out
}

func (l *FieldLayer) check() error { return l.err }
func (l *FieldLayer) extent() (a, b, c, d float64) {
	return l.xmin, l.xmax, l.ymin, l.ymax
}
func (l *FieldLayer) tight() bool     { return l.snug }
func (l *FieldLayer) marks() int      { return 0 }
func (l *FieldLayer) legend() []entry { return nil }
func (l *FieldLayer) words() string   { return l.what }

func (l *FieldLayer) draw(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	w, h := float64(tx(l.xmax)-tx(l.xmin)), float64(ty(l.ymax)-ty(l.ymin))
	scale := fieldCells / max(w, h)
	nx, ny := max(int(w*scale), 2), max(int(h*scale), 2)
	if l.contour != nil {
		l.drawContours(c, tx, ty, nx, ny)
		return
	}
	img := image.NewNRGBA(image.Rect(0, 0, nx, ny))
	for i := range nx {
		for j := range ny {
			x := l.xmin + (l.xmax-l.xmin)*(float64(i)+0.5)/float64(nx)
			y := l.ymax - (l.ymax-l.ymin)*(float64(j)+0.5)/float64(ny)
			img.Set(i, j, l.cell(x, y))
		}
	}
	c.DrawImage(vg.Rectangle{Min: vg.Point{X: tx(l.xmin), Y: ty(l.ymin)}, Max: vg.Point{X: tx(l.xmax), Y: ty(l.ymax)}}, img)
}

// drawContours walks the squares of a grid (marching squares; Lorensen & Cline, 1987, in the plane): in each square a level's line runs between the
// points at which it crosses the edges, found by linear interpolation.
func (l *FieldLayer) drawContours(c draw.Canvas, tx, ty func(float64) vg.Length, nx, ny int) {
	xs, ys, v := make([]float64, nx+1), make([]float64, ny+1), make([][]float64, nx+1)
	for j := range ys {
		ys[j] = l.ymin + (l.ymax-l.ymin)*float64(j)/float64(ny)
	}
	for i := range xs {
		xs[i] = l.xmin + (l.xmax-l.xmin)*float64(i)/float64(nx)
		v[i] = make([]float64, ny+1)
		for j := range ys {
			v[i][j] = l.contour(xs[i], ys[j])
		}
	}
	style := draw.LineStyle{Color: Ink, Width: 1}
	for _, level := range l.levels {
		for i := range nx {
			for j := range ny {
				corner := [4][3]float64{{xs[i], ys[j], v[i][j]}, {xs[i+1], ys[j], v[i+1][j]}, {xs[i+1], ys[j+1], v[i+1][j+1]}, {xs[i], ys[j+1], v[i][j+1]}}
				var cross []vg.Point
				for e := range 4 {
					a, b := corner[e], corner[(e+1)%4]
					if (a[2] < level) != (b[2] < level) {
						u := (level - a[2]) / (b[2] - a[2])
						cross = append(cross, vg.Point{X: tx(a[0] + u*(b[0]-a[0])), Y: ty(a[1] + u*(b[1]-a[1]))})
					}
				}
				for k := 0; k+1 < len(cross); k += 2 {
					c.StrokeLines(style, cross[k:k+2])
				}
			}
		}
	}
}

// Heatmap plots a matrix, row 0 at the top, colored from its smallest to its largest value; a map of nil means Sequential. With few enough
// cells the numbers stand in them.
func Heatmap(m mat.Matrix, cmap ColorMap) *Plot {
	if cmap == nil {
		cmap = Sequential
	}
	l := &heatLayer{m: m, cmap: cmap}
	r, c := m.Dims()
	p := New(l)
	for j := range c {
		if c <= 20 || j%(c/8) == 0 {
			p.xticks = append(p.xticks, plot.Tick{Value: float64(j), Label: fmt.Sprint(j)})
		}
	}
	for i := range r {
		if r <= 20 || i%(r/8) == 0 {
			p.yticks = append(p.yticks, plot.Tick{Value: float64(r - 1 - i), Label: fmt.Sprint(i)})
		}
	}
	return p
}

type heatLayer struct {
	m    mat.Matrix
	cmap ColorMap
}

func (l *heatLayer) check() error {
	r, c := l.m.Dims()
	if r == 0 || c == 0 {
		return fmt.Errorf("Heatmap: the matrix is %d×%d", r, c)
	}
	return nil
}
func (l *heatLayer) extent() (a, b, c, d float64) {
	r, n := l.m.Dims()
	return -0.5, float64(n) - 0.5, -0.5, float64(r) - 0.5
}
func (l *heatLayer) tight() bool     { return true }
func (l *heatLayer) marks() int      { return 0 }
func (l *heatLayer) legend() []entry { return nil }
func (l *heatLayer) bounds() (lo, hi float64) {
	r, c := l.m.Dims()
	v := make([]float64, 0, r*c)
	for i := range r {
		for j := range c {
			v = append(v, l.m.At(i, j))
		}
	}
	return finiteRange(v)
}

func (l *heatLayer) words() string {
	r, c := l.m.Dims()
	lo, hi := l.bounds()
	return fmt.Sprintf("a matrix of %d rows and %d columns, from %.4g to %.4g", r, c, lo, hi)
}

func (l *heatLayer) draw(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	r, n := l.m.Dims()
	lo, hi := l.bounds()
	img := image.NewNRGBA(image.Rect(0, 0, n, r))
	for i := range r {
		for j := range n {
			img.Set(j, i, l.cmap(quantile(l.m.At(i, j), lo, hi)))
		}
	}
	c.DrawImage(vg.Rectangle{Min: vg.Point{X: tx(-0.5), Y: ty(-0.5)}, Max: vg.Point{X: tx(float64(n) - 0.5), Y: ty(float64(r) - 0.5)}}, img)
	if float64(tx(1)-tx(0)) < 30 || float64(ty(1)-ty(0)) < 16 {
		return // no room for numbers
	}
	sty := draw.TextStyle{Font: sans(11), XAlign: draw.XCenter, YAlign: draw.YCenter, Handler: plot.DefaultTextHandler}
	for i := range r {
		for j := range n {
			sty.Color = color.White
			if lightness(img.At(j, i)) > 0.6 {
				sty.Color = color.Black
			}
			c.FillText(sty, vg.Point{X: tx(float64(j)), Y: ty(float64(r - 1 - i))}, fmt.Sprintf("%.3g", l.m.At(i, j)))
		}
	}
}

// lightness is OKLab's, near enough for choosing black or white text.
func lightness(c color.Color) float64 {
	r, g, b, _ := c.RGBA()
	linear := func(v uint32) float64 { return math.Pow(float64(v)/0xffff, 2.2) }
	return math.Cbrt(0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b))
}

// Ellipse draws the curve of the points at the given Mahalanobis distance (standard deviations) from the mean of a Gaussian.
func Ellipse(mean []float64, cov mat.Symmetric, deviations float64) *LineLayer {
	l := &LineLayer{col: Ink, width: 1.6}
	if len(mean) != 2 || cov.SymmetricDim() != 2 {
		l.err = fmt.Errorf("Ellipse: a mean of length %d and a covariance of order %d, want 2 and 2", len(mean), cov.SymmetricDim())
		return l
	}
	var e mat.EigenSym
	if !e.Factorize(cov, true) {
		l.err = fmt.Errorf("Ellipse: the covariance can't be decomposed")
		return l
	}
	var v mat.Dense
	e.VectorsTo(&v)
	w := e.Values(nil)
	for i := range 97 {
		s, c := math.Sincos(2 * math.Pi * float64(i) / 96)
		a, b := deviations*math.Sqrt(max(w[0], 0))*c, deviations*math.Sqrt(max(w[1], 0))*s
		l.x = append(l.x, mean[0]+a*v.At(0, 0)+b*v.At(0, 1))
		l.y = append(l.y, mean[1]+a*v.At(1, 0)+b*v.At(1, 1))
	}
	return l
}
