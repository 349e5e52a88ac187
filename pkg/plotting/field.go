package plotting

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/plot/vg"

	"github.com/golatent/latent/pkg/ml"
)

// Field gives a number for each row of an n×2 matrix of points: a density, a score, a distance. A
// model's method is one as it stands:
//
//	plotting.Isolines(gmm.LogProb)
type Field func(points mat.Matrix) ([]float64, error)

// Pointwise makes a Field of a function of two coordinates.
func Pointwise(f func(x, y float64) float64) Field {
	if f == nil {
		return nil
	}
	return func(points mat.Matrix) ([]float64, error) {
		n, _ := points.Dims()
		out := make([]float64, n)
		for i := range out {
			out[i] = f(points.At(i, 0), points.At(i, 1))
		}
		return out, nil
	}
}

// lattice returns nx × ny points spread over the frame, edges included, row by row from the bottom.
func lattice(d *drawing, nx, ny int, centered bool) *mat.Dense {
	g := mat.NewDense(nx*ny, 2, nil)
	share := func(i, n int) float64 {
		if centered {
			return (float64(i) + .5) / float64(n)
		}
		return float64(i) / float64(n-1)
	}
	for j := range ny {
		for i := range nx {
			u, v := share(i, nx), share(j, ny)
			g.Set(j*nx+i, 0, d.frame.x0*(1-u)+d.frame.x1*u)
			g.Set(j*nx+i, 1, d.frame.y0*(1-v)+d.frame.y1*v)
		}
	}
	return g
}

// evaluate asks the field and checks what comes back.
func evaluate(method string, f Field, at *mat.Dense) ([]float64, error) {
	z, err := f(at)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	if n, _ := at.Dims(); len(z) != n {
		return nil, ml.BadShape(method, "the function gave %d values for %d points", len(z), n)
	}
	return z, nil
}

// fielded is what marks share that fill whatever the figure shows: they have no bounds of their
// own.
type fielded struct {
	plain
	field Field
}

func newField(method string, f Field, l layer) *Plot {
	p := &Plot{layers: []laid{{layer: l}}}
	if f == nil {
		p.err = fmt.Errorf("%s: the function is nil: %w", method, ml.ErrParameter)
	}
	return p
}

// Isolines draws lines of equal value of f over what the rest of the figure shows, or over XLim and
// YLim. Levels sets the values; the default is eight, evenly from f's lower twentieth (a log
// density's floor is far away) to its maximum. Colors run with the values; Color sets one. f is
// evaluated at 161 × 121 points.
func Isolines(f Field) *Plot {
	return newField("plotting.Isolines", f, &contour{fielded: fielded{field: f}})
}

type contour struct {
	fielded
	levels []float64
}

// Levels sets the values at which contours are drawn.
func (p *Plot) Levels(levels ...float64) *Plot {
	return change(p, "Levels", func(l *contour) { l.levels = slices.Clone(levels) })
}

func (*contour) takes() string {
	return "Color Opacity Width ColorMap Label Dashed"
}

func (*contour) keys(o *options) []key {
	c := o.color
	if c == nil {
		c = Sequential(.5)
	}
	return []key{{name: o.name, color: c, line: true}}
}

func (l *contour) draw(d *drawing, o *options) error {
	const nx, ny = 161, 121
	z, err := evaluate("plotting.Isolines", l.field, lattice(d, nx, ny, false))
	if err != nil {
		return err
	}
	levels := l.levels
	if levels == nil {
		levels = levelsOf(z)
	}
	scale := newScale(levels, o, Sequential)
	if o.colors == nil {
		// Neither end of the map, which a dark or a white page would swallow.
		scale.colors = func(t float64) color.NRGBA { return Sequential(.15 + .65*t) }
	}
	for _, level := range levels {
		c := o.color
		if c == nil {
			c = scale.at(level)
		}
		var dash []vg.Length
		if o.dashed || level < 0 && scale.hi > 0 {
			dash = []vg.Length{5, 3}
		}
		l.isoline(d, z, nx, ny, level, faded(c, either(o.opacity, 1)), either(o.width, 1.4), dash)
	}
	return nil
}

func (fielded) isoline(d *drawing, z []float64, nx, ny int, level float64, c color.Color, width float64, dash []vg.Length) {
	var p vg.Path
	for _, line := range isolines(z, nx, ny, level) {
		closed := len(line) > 2 && line[0] == line[len(line)-1]
		if closed {
			line = line[:len(line)-1]
		}
		for i, q := range line {
			at := vg.Point{
				X: d.rect.Min.X + d.rect.Size().X*vg.Length(q[0]/float64(nx-1)),
				Y: d.rect.Min.Y + d.rect.Size().Y*vg.Length(q[1]/float64(ny-1)),
			}
			if i == 0 {
				p.Move(at)
			} else {
				p.Line(at)
			}
		}
		if closed {
			p.Close()
		}
	}
	if len(p) == 0 {
		return
	}
	d.Push()
	defer d.Pop()
	d.SetColor(c)
	d.SetLineWidth(vg.Length(width))
	d.SetLineDash(dash, 0)
	d.Stroke(p)
}

func levelsOf(z []float64) []float64 {
	var sorted []float64
	for _, v := range z {
		if finite(v) {
			sorted = append(sorted, v)
		}
	}
	if len(sorted) == 0 {
		return nil
	}
	slices.Sort(sorted)
	lo, hi := sorted[len(sorted)/20], sorted[len(sorted)-1]
	levels := make([]float64, 8)
	for i := range levels {
		levels[i] = lo + (hi-lo)*(float64(i)+.5)/8
	}
	return levels
}

// isolines follows the curve z = level through a grid of nx × ny values (marching squares; where a
// cell's corners leave two ways, its mean decides) and returns lines in units of the grid; one that
// ends where it starts is closed. A cell with a value that isn't finite is passed over.
func isolines(z []float64, nx, ny int, level float64) [][][2]float64 {
	// An edge of the grid is named by its lower or left end and its direction.
	edge := func(i, j int, vertical bool) int {
		e := 2 * (j*nx + i)
		if vertical {
			e++
		}
		return e
	}
	crossing := func(e int) [2]float64 {
		i, j := e/2%nx, e/2/nx
		a, b := z[e/2], 0.0
		if e%2 == 0 {
			b = z[e/2+1]
		} else {
			b = z[e/2+nx]
		}
		t := unit((level - a) / (b - a))
		if e%2 == 0 {
			return [2]float64{float64(i) + t, float64(j)}
		}
		return [2]float64{float64(i), float64(j) + t}
	}
	next := map[int][]int{} // the edges that an edge is joined with: at most one in each of its two cells
	join := func(a, b int) { next[a], next[b] = append(next[a], b), append(next[b], a) }
	for j := range ny - 1 {
		for i := range nx - 1 {
			k := j*nx + i
			a, b, c, e := z[k], z[k+1], z[k+nx+1], z[k+nx] // counterclockwise from below left
			if !finite(a, b, c, e) {
				continue
			}
			bottom, right, top, left := edge(i, j, false), edge(i+1, j, true), edge(i, j+1, false), edge(i, j, true)
			var cut []int
			for _, s := range []struct {
				u, v float64
				edge int
			}{{a, b, bottom}, {b, c, right}, {c, e, top}, {e, a, left}} {
				if (s.u > level) != (s.v > level) {
					cut = append(cut, s.edge)
				}
			}
			switch {
			case len(cut) == 2:
				join(cut[0], cut[1])
			case len(cut) == 4 && (a > level) == ((a+b+c+e)/4 > level):
				join(bottom, right)
				join(top, left)
			case len(cut) == 4:
				join(bottom, left)
				join(top, right)
			}
		}
	}
	return follow(next, crossing)
}

// follow strings joined edges into lines: open ones from their ends first, then closed ones, in the
// order of the edges, so that the result is always the same.
func follow(next map[int][]int, crossing func(int) [2]float64) (lines [][][2]float64) {
	edges := make([]int, 0, len(next))
	for e := range next {
		edges = append(edges, e)
	}
	slices.Sort(edges)
	done := map[int]bool{}
	for _, ends := range []bool{true, false} {
		for _, start := range edges {
			if done[start] || ends && len(next[start]) != 1 {
				continue
			}
			line := [][2]float64{crossing(start)}
			at, from := start, -1
			for {
				done[at] = true
				step := -1
				for _, n := range next[at] {
					if n != from && (!done[n] || n == start && from >= 0) {
						step = n
						break
					}
				}
				if step < 0 {
					break
				}
				line = append(line, crossing(step))
				if step == start {
					break
				}
				from, at = at, step
			}
			lines = append(lines, line)
		}
	}
	return lines
}

func (l *contour) describe(o *options) string {
	return "contours of equal " + either(o.name, "value")
}

// Shade colors what the rest of the figure shows, or XLim and YLim, by the value of f, evaluated
// once every two pixels.
func Shade(f Field) *Plot {
	return newField("plotting.Shade", f, &shade{fielded: fielded{field: f}, found: new([2]float64)})
}

type shade struct {
	fielded
	found *[2]float64
}

func (*shade) takes() string { return "ColorMap Opacity Label" }

func (*shade) hints(*options) hints { return hints{noGrid: true} }

func (l *shade) draw(d *drawing, o *options) error {
	nx, ny := cellsOf(d)
	z, err := evaluate("plotting.Shade", l.field, lattice(d, nx, ny, true))
	if err != nil {
		return err
	}
	scale := newScale(z, o, Sequential)
	img := image.NewNRGBA(image.Rect(0, 0, nx, ny))
	for k, v := range z {
		if finite(v) {
			c := quantized(scale, v)
			c.A = uint8(255 * either(o.opacity, 1))
			img.SetNRGBA(k%nx, ny-1-k/nx, c)
		}
	}
	d.picture(d.rect, img, true)
	return nil
}

// quantized keeps to 250 colors, which the eye can't tell from more and which make the file a third
// as large.
func quantized(s *colorScale, v float64) color.NRGBA {
	if s.hi <= s.lo {
		return s.at(v)
	}
	return s.colors(math.Round(249*unit((v-s.lo)/(s.hi-s.lo))) / 249)
}

// cellsOf is how many cells of two pixels fill the frame.
func cellsOf(d *drawing) (nx, ny int) {
	size := d.rect.Size()
	return max(2, int(size.X/2)), max(2, int(size.Y/2))
}

func (l *shade) describe(o *options) string { return "the plane shaded by " + either(o.name, "value") }

// Decision colors what the rest of the figure shows, or XLim and YLim, by the class that predict
// gives each point, with lines between the classes. A model's Predict is one as it stands:
//
//	plotting.Decision(fit.Predict).Add(plotting.Scatter(x, fit.Labels))
//
// predict is asked once, for one point every two pixels.
func Decision(predict func(points mat.Matrix) ([]int, error)) *Plot {
	p := &Plot{layers: []laid{{layer: &regions{predict: predict}}}}
	if predict == nil {
		p.err = fmt.Errorf("plotting.Decision: the function is nil: %w", ml.ErrParameter)
	}
	return p
}

type regions struct {
	plain
	predict func(mat.Matrix) ([]int, error)
}

func (*regions) takes() string            { return "Opacity" }
func (*regions) hints(*options) hints     { return hints{noGrid: true} }
func (*regions) describe(*options) string { return "the plane divided into regions by predicted class" }

func (l *regions) draw(d *drawing, o *options) error {
	nx, ny := cellsOf(d)
	classes, err := l.predict(lattice(d, nx, ny, true))
	if err != nil {
		return fmt.Errorf("plotting.Decision: %w", err)
	}
	if len(classes) != nx*ny {
		return ml.BadShape("plotting.Decision", "the function gave %d classes for %d points", len(classes), nx*ny)
	}
	img := image.NewNRGBA(image.Rect(0, 0, nx, ny))
	for k, class := range classes {
		c := ClassColor(class)
		c.A = uint8(255 * either(o.opacity, .25))
		i, j := k%nx, k/nx
		if i+1 < nx && classes[k+1] != class || j+1 < ny && classes[k+nx] != class {
			c = color.NRGBA{0x80, 0x80, 0x80, 0xc0}
		}
		img.SetNRGBA(i, ny-1-j, c)
	}
	d.picture(d.rect, img, true)
	return nil
}

// Ball draws the unit ball of a norm or of a distance from the origin: the points at which it is 1,
// over −1.25 to 1.25.
func Ball(norm func(x, y float64) float64) *Plot {
	return newField("plotting.Ball", Pointwise(norm), &ball{fielded{field: Pointwise(norm)}})
}

type ball struct{ fielded }

func (*ball) takes() string {
	return "Color Opacity Width Label Dashed"
}

func (l *ball) bounds(*options) (b box) {
	const reach = 1.25
	b.include(-reach, -reach)
	b.include(reach, reach)
	return b
}

func (l *ball) hints(*options) hints { return hints{equal: true} }

func (l *ball) look(o *options) (color.Color, []vg.Length) {
	c := o.color
	if c == nil {
		c = ClassColor(o.order)
	}
	if o.dashed {
		return faded(c, either(o.opacity, 1)), []vg.Length{6, 3}
	}
	return faded(c, either(o.opacity, 1)), dashes[o.order%len(dashes)]
}

func (l *ball) keys(o *options) []key {
	c, dash := l.look(o)
	return []key{{name: o.name, color: c, line: true, dash: dash}}
}

func (l *ball) draw(d *drawing, o *options) error {
	const n = 241
	z, err := evaluate("plotting.Ball", l.field, lattice(d, n, n, false))
	if err != nil {
		return err
	}
	c, dash := l.look(o)
	l.isoline(d, z, n, n, 1, c, either(o.width, 2), dash)
	return nil
}

func (l *ball) describe(o *options) string {
	return "unit ball" + before(" of ", o.name)
}
