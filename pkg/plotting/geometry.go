package plotting

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/golatent/latent/pkg/ml"
)

// Ellipse draws the ellipses of a covariance around a mean, at the given numbers of standard
// deviations, or at 1 and 2. mean has two values, cov is 2×2, symmetric and positive semidefinite.
func Ellipse(mean []float64, cov mat.Matrix, deviations ...float64) *Plot {
	l := &ellipse{deviations: deviations}
	if len(deviations) == 0 {
		l.deviations = []float64{1, 2}
	}
	p := &Plot{layers: []laid{{layer: l}}}
	n, c, err := dims("plotting.Ellipse", cov)
	switch {
	case err != nil:
		p.err = err
	case len(mean) != 2 || n != 2 || c != 2:
		p.err = ml.BadShape("plotting.Ellipse", "a mean of %d values and a %d×%d covariance, want 2 and 2×2", len(mean), n, c)
	case !finite(mean[0], mean[1], cov.At(0, 0), cov.At(0, 1), cov.At(1, 0), cov.At(1, 1)):
		p.err = fmt.Errorf("plotting.Ellipse: the mean or the covariance is not finite: %w", ml.ErrNotFinite)
	default:
		p.err = l.decompose(mean, cov)
	}
	return p
}

type ellipse struct {
	plain
	cx, cy     float64
	major      [2]float64 // one standard deviation along each principal axis
	minor      [2]float64
	deviations []float64
}

// decompose finds the axes of a symmetric 2×2 matrix in closed form.
func (l *ellipse) decompose(mean []float64, cov mat.Matrix) error {
	a, b, c := cov.At(0, 0), (cov.At(0, 1)+cov.At(1, 0))/2, cov.At(1, 1)
	scale := max(math.Abs(a), math.Abs(b), math.Abs(c))
	if math.Abs(cov.At(0, 1)-cov.At(1, 0)) > 1e-6*scale {
		return ml.BadParameter("plotting.Ellipse", "cov", fmt.Sprintf("[%g %g; %g %g]", a, cov.At(0, 1), cov.At(1, 0), c), "a symmetric matrix")
	}
	half, diff := a/2+c/2, math.Hypot(a/2-c/2, b)
	big, small := half+diff, half-diff
	if small < -1e-9*scale {
		return ml.BadParameter("plotting.Ellipse", "cov", fmt.Sprintf("[%g %g; %g %g]", a, b, b, c), "a positive semidefinite matrix")
	}
	sin, cos := math.Sincos(math.Atan2(2*b, a-c) / 2)
	s, t := math.Sqrt(max(big, 0)), math.Sqrt(max(small, 0))
	l.cx, l.cy = mean[0], mean[1]
	l.major, l.minor = [2]float64{s * cos, s * sin}, [2]float64{-t * sin, t * cos}
	return nil
}

func (*ellipse) takes() string {
	return "Color Opacity Width Label Dashed"
}

func (l *ellipse) check(o *options) error {
	for _, s := range l.deviations {
		if !(s > 0) || !finite(s) {
			return ml.BadParameter("plotting.Ellipse", "deviations", l.deviations, "positive numbers")
		}
	}
	return nil
}

func (l *ellipse) outline(s float64) (xs, ys []float64) {
	const n = 72
	for i := range n {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / n)
		xs = append(xs, l.cx+s*(cos*l.major[0]+sin*l.minor[0]))
		ys = append(ys, l.cy+s*(cos*l.major[1]+sin*l.minor[1]))
	}
	return xs, ys
}

func (l *ellipse) bounds(o *options) (b box) {
	for _, s := range l.deviations {
		xs, ys := l.outline(s)
		for i := range xs {
			b.include(xs[i], ys[i])
		}
	}
	return b
}

func (l *ellipse) hints(*options) hints { return hints{equal: true} }

func (l *ellipse) color(o *options) color.Color {
	if o.color != nil {
		return o.color
	}
	return ClassColor(o.order)
}

func (l *ellipse) keys(o *options) []key {
	return []key{{name: o.name, color: l.color(o), line: true}}
}

func (l *ellipse) draw(d *drawing, o *options) error {
	c := l.color(o)
	var dash []vg.Length
	if o.dashed {
		dash = []vg.Length{6, 3}
	}
	for _, s := range l.deviations {
		xs, ys := l.outline(s)
		d.fill(xs, ys, faded(c, either(o.opacity, .1)))
		d.line(xs, ys, c, either(o.width, 1.6), dash, true)
	}
	at := d.at(l.cx, l.cy)
	d.marks([]mark{{at: at, shape: plus, r: 4.5, fill: c}}, true)
	return nil
}

func (l *ellipse) describe(o *options) string {
	major, minor := math.Hypot(l.major[0], l.major[1]), math.Hypot(l.minor[0], l.minor[1])
	return fmt.Sprintf("ellipse%s around (%s, %s), standard deviations %s and %s along its axes", before(" ", o.name),
		rounded(l.cx, 10*major), rounded(l.cy, 10*major), rounded(major, 10*major), rounded(minor, 10*major))
}

// maxCells bounds the work for Voronoi cells, which grows with the square of their number.
const maxCells = 2000

// Voronoi draws the cells of centers, an n×2 matrix of at most 2,000 rows: to each the part of the
// plane that is nearer to it than to any other. Cells are exact polygons cut at the frame, colored
// by Classes, or each as the class of its row, and every center is a plus.
//
// The frame is that of the other marks, or some space around the centers; four numbers, xmin, xmax,
// ymin, ymax, set it.
func Voronoi(centers mat.Matrix, frame ...float64) *Plot {
	l, err := newPoints("plotting.Voronoi", centers)
	var fixed box
	switch {
	case err != nil:
	case len(frame) != 0 && (len(frame) != 4 || !finite(frame...) || !(frame[0] < frame[1]) || !(frame[2] < frame[3])):
		err = ml.BadParameter("plotting.Voronoi", "frame", frame, "none, or xmin < xmax, ymin < ymax")
	case l.skipped > 0:
		err = fmt.Errorf("plotting.Voronoi: %d of the centers are not finite: %w", l.skipped, ml.ErrNotFinite)
	case len(l.xs) > maxCells:
		err = ml.BadParameter("plotting.Voronoi", "the number of centers", len(l.xs), fmt.Sprintf("at most %d", maxCells))
	}
	if err == nil && len(frame) == 4 {
		fixed = box{frame[0], frame[1], frame[2], frame[3], true}
	}
	return &Plot{layers: []laid{{layer: &voronoi{*l, fixed}}}, err: err}
}

type voronoi struct {
	points
	fixed box
}

func (*voronoi) takes() string { return "Classes Opacity MarkSize Label" }

func (l *voronoi) bounds(*options) box {
	if l.fixed.filled {
		return l.fixed
	}
	b := l.points.bounds(nil)
	w, h := (b.x1-b.x0)*.15, (b.y1-b.y0)*.15
	return box{b.x0 - w, b.x1 + w, b.y0 - h, b.y1 + h, b.filled}
}

func (l *voronoi) hints(*options) hints {
	return hints{equal: true, noGrid: true, tight: l.fixed.filled}
}
func (*voronoi) heavy(*options) bool          { return false }
func (*voronoi) scale(*options) *colorScale   { return nil }
func (*voronoi) write(d *drawing, _ *options) {}
func (l *voronoi) keys(o *options) []key {
	return []key{{name: o.name, color: Ink, mark: true, shape: plus}}
}

func (l *voronoi) draw(d *drawing, o *options) error {
	f := d.frame
	frame := [][2]float64{{f.x0, f.y0}, {f.x1, f.y0}, {f.x1, f.y1}, {f.x0, f.y1}}
	var centers []mark
	for i := range l.xs {
		class := i
		if o.classes != nil {
			class = o.classes[i]
		}
		var xs, ys []float64
		for _, p := range l.cell(i, frame) {
			xs, ys = append(xs, p[0]), append(ys, p[1])
		}
		if len(xs) > 2 {
			d.fill(xs, ys, faded(ClassColor(class), either(o.opacity, .18)))
			d.line(xs, ys, ink{0xb0}, 1, nil, true)
		}
		centers = append(centers, mark{at: d.at(l.xs[i], l.ys[i]), shape: plus, r: either(o.markSize, 5), fill: Ink, tip: fmt.Sprintf("center %d", i)})
	}
	d.marks(centers, false)
	return nil
}

// cell cuts the frame along the bisector between center i and every other.
func (l *voronoi) cell(i int, frame [][2]float64) [][2]float64 {
	cell := frame
	for j := range l.xs {
		dx, dy := l.xs[j]-l.xs[i], l.ys[j]-l.ys[i]
		if dx == 0 && dy == 0 {
			continue // the same center twice: the cell is both's
		}
		// Positive for what is nearer to j.
		mx, my := l.xs[i]+dx/2, l.ys[i]+dy/2
		beyond := func(p [2]float64) float64 { return (p[0]-mx)*dx + (p[1]-my)*dy }
		var kept [][2]float64
		for k, p := range cell {
			q := cell[(k+1)%len(cell)]
			a, b := beyond(p), beyond(q)
			if a <= 0 {
				kept = append(kept, p)
			}
			if a < 0 && b > 0 || a > 0 && b < 0 {
				t := a / (a - b)
				kept = append(kept, [2]float64{p[0] + t*(q[0]-p[0]), p[1] + t*(q[1]-p[1])})
			}
		}
		if cell = kept; len(cell) == 0 {
			break
		}
	}
	return cell
}

func (l *voronoi) describe(o *options) string {
	return "Voronoi cells of " + count(len(l.xs), "center", "centers")
}

// Edges draws a line between two rows of x, an n×2 matrix, for every pair of row numbers. Values,
// one an edge, makes heavier edges darker. More than 3,000 edges are drawn into an image inside the
// SVG.
func Edges(x mat.Matrix, pairs [][2]int) *Plot {
	l, err := newPoints("plotting.Edges", x)
	for k, e := range pairs {
		if n := len(l.xs); err == nil && (e[0] < 0 || e[0] >= n || e[1] < 0 || e[1] >= n) {
			err = ml.BadParameter("plotting.Edges", fmt.Sprintf("edge %d", k), e, fmt.Sprintf("row numbers from 0 to %d", n-1))
		}
	}
	return &Plot{layers: []laid{{layer: &edges{points: *l, pairs: pairs}}}, err: err}
}

type edges struct {
	points
	pairs [][2]int
}

func (*edges) takes() string { return "Color Opacity Width Label Values" }

func (l *edges) check(o *options) error {
	if o.values != nil && len(o.values) != len(l.pairs) {
		return ml.BadShape("plotting.Edges", "%d values for %d edges", len(o.values), len(l.pairs))
	}
	return nil
}

func (*edges) hints(*options) hints         { return hints{equal: true} }
func (l *edges) heavy(*options) bool        { return len(l.pairs) > heavyMarks }
func (*edges) scale(*options) *colorScale   { return nil }
func (*edges) write(d *drawing, _ *options) {}

func (l *edges) color(o *options) color.Color {
	if o.color != nil {
		return o.color
	}
	return Ink
}

func (l *edges) keys(o *options) []key {
	return []key{{name: o.name, color: l.color(o), line: true}}
}

func (l *edges) draw(d *drawing, o *options) error {
	// Edges of like weight share one path.
	const shades = 8
	var paths [shades]vg.Path
	largest := 0.0
	for _, v := range o.values {
		if finite(v) {
			largest = max(largest, math.Abs(v))
		}
	}
	for k, e := range l.pairs {
		a, b := d.at(l.xs[e[0]], l.ys[e[0]]), d.at(l.xs[e[1]], l.ys[e[1]])
		if !finite(float64(a.X), float64(a.Y), float64(b.X), float64(b.Y)) {
			continue
		}
		s := shades / 2
		if o.values != nil {
			s = 0
			if largest > 0 && finite(o.values[k]) {
				s = min(int(shades*math.Abs(o.values[k])/largest), shades-1)
			}
		}
		paths[s].Move(a)
		paths[s].Line(b)
	}
	d.Push()
	defer d.Pop()
	d.SetLineWidth(vg.Length(either(o.width, 1)))
	d.SetLineDash(nil, 0)
	for s, p := range paths {
		if len(p) > 0 {
			d.SetColor(faded(l.color(o), either(o.opacity, .9)*(.12+.88*float64(s)/(shades-1))))
			d.Stroke(p)
		}
	}
	return nil
}

func (l *edges) describe(o *options) string {
	return fmt.Sprintf("graph of %s and %s", count(len(l.xs), "point", "points"), count(len(l.pairs), "edge", "edges"))
}

// Gonum lays plotters of gonum.org/v1/plot over a figure, for what this package doesn't draw.
func Gonum(plotters ...plot.Plotter) *Plot {
	p := &Plot{}
	for _, q := range plotters {
		if q == nil {
			p.err = fmt.Errorf("plotting.Gonum: a plotter is nil: %w", ml.ErrParameter)
			continue
		}
		p.layers = append(p.layers, laid{layer: foreign{plotter: q}})
	}
	return p
}

type foreign struct {
	plain
	plotter plot.Plotter
}

func (l foreign) bounds(*options) (b box) {
	if r, ok := l.plotter.(plot.DataRanger); ok {
		x0, x1, y0, y1 := r.DataRange()
		b.include(x0, y0)
		b.include(x1, y1)
	}
	return b
}

func (l foreign) draw(d *drawing, _ *options) error {
	p := plot.New()
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = d.frame.x0, d.frame.x1, d.frame.y0, d.frame.y1
	l.plotter.Plot(draw.Canvas{Canvas: d.surface, Rectangle: d.rect}, p)
	return nil
}

func (l foreign) describe(*options) string { return fmt.Sprintf("a %T", l.plotter) }
