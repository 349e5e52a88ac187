package plotting

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"github.com/golatent/latent/pkg/ml"
)

// Scatter draws the rows of x, an n×2 matrix, as points. labels holds each point's class, shown by
// color and by shape, or is nil. It is short for Points(x).Classes(labels).
func Scatter(x mat.Matrix, labels []int) *Plot {
	p := Points(x)
	if labels != nil {
		p = p.Classes(labels)
	}
	return p
}

// Points draws the rows of x, an n×2 matrix, as points. Classes or Values color them, Labels names
// them, Color sets one color. Up to 200 points tell their row, coordinates and class when the
// pointer rests on them. More than 3,000 points are drawn into an image inside the SVG.
func Points(x mat.Matrix) *Plot {
	l, err := newPoints("plotting.Points", x)
	return &Plot{layers: []laid{{layer: l}}, err: err}
}

// XY is Points for coordinates in two slices.
func XY(x, y []float64) *Plot {
	if len(x) != len(y) {
		return &Plot{err: ml.BadShape("plotting.XY", "%d x for %d y", len(x), len(y))}
	}
	if len(x) == 0 {
		return &Plot{err: fmt.Errorf("plotting.XY: no points: %w", ml.ErrEmpty)}
	}
	m := mat.NewDense(len(x), 2, nil)
	m.SetCol(0, x)
	m.SetCol(1, y)
	return Points(m)
}

// Centers draws the rows of x, an n×2 matrix, as large crosses in the page's color: centers of
// clusters over their points.
func Centers(x mat.Matrix) *Plot {
	p := Points(x)
	p.layers[0].layer.(*points).centers = true
	return p.Color(Ink).Opacity(1).MarkSize(7)
}

type points struct {
	xs, ys  []float64
	skipped int // rows that are not finite
	centers bool
	tips    []string
	tags    bool
}

// LabelClasses writes each class's name on a tag in its color, over the point of the class that
// lies nearest to the middle of it, and leaves the classes out of the legend.
func (p *Plot) LabelClasses() *Plot {
	return change(p, "LabelClasses", func(l *points) { l.tags = true })
}

// Tips sets what is shown when the reader's pointer rests on a point, one text a point. It works on
// up to 3,000 points; up to 200 have tips of their own without it.
func (p *Plot) Tips(tips ...string) *Plot {
	return change(p, "Tips", func(l *points) { l.tips = slices.Clone(tips) })
}

func newPoints(method string, x mat.Matrix) (*points, error) {
	xs, ys, err := pairs(method, x)
	l := &points{xs: xs, ys: ys}
	for i := range xs {
		if !finite(xs[i], ys[i]) {
			l.skipped++
		}
	}
	return l, err
}

// pairs splits an n×2 matrix into its columns; a single column lies on the horizontal axis.
func pairs(method string, x mat.Matrix) (xs, ys []float64, err error) {
	n, d, err := dims(method, x)
	if err != nil {
		return nil, nil, err
	}
	if d > 2 {
		return nil, nil, ml.BadShape(method, "the matrix is %d×%d, want two columns: pick two, or project first", n, d)
	}
	xs, ys = make([]float64, n), make([]float64, n)
	for i := range n {
		xs[i] = x.At(i, 0)
		if d == 2 {
			ys[i] = x.At(i, 1)
		}
	}
	return xs, ys, nil
}

// dims refuses a nil or empty matrix.
func dims(method string, x mat.Matrix) (n, d int, err error) {
	if dense, ok := x.(*mat.Dense); x == nil || ok && dense == nil {
		return 0, 0, fmt.Errorf("%s: the matrix is nil: %w", method, ml.ErrEmpty)
	}
	n, d = x.Dims()
	if n == 0 || d == 0 {
		return n, d, fmt.Errorf("%s: the matrix is %d×%d, want at least one row and column: %w", method, n, d, ml.ErrEmpty)
	}
	return n, d, nil
}

func (*points) takes() string {
	return "Color Opacity MarkSize Label Names Labels Classes Values ColorMap"
}

func (l *points) check(o *options) error {
	n := len(l.xs)
	switch {
	case o.classes != nil && len(o.classes) != n:
		return ml.BadShape("plotting.Points", "%d classes for %d points", len(o.classes), n)
	case o.values != nil && len(o.values) != n:
		return ml.BadShape("plotting.Points", "%d values for %d points", len(o.values), n)
	case o.labels != nil && len(o.labels) != n:
		return ml.BadShape("plotting.Points", "%d labels for %d points", len(o.labels), n)
	case l.tips != nil && len(l.tips) != n:
		return ml.BadShape("plotting.Points", "%d tips for %d points", len(l.tips), n)
	case l.tags && o.classes == nil:
		return fmt.Errorf("plotting.LabelClasses: the points have no classes: %w", ml.ErrParameter)
	case o.classes != nil && o.values != nil:
		return fmt.Errorf("plotting.Points: both Classes and Values: want one of them: %w", ml.ErrParameter)
	}
	return nil
}

func (l *points) bounds(*options) (b box) {
	for i := range l.xs {
		b.include(l.xs[i], l.ys[i])
	}
	return b
}

func (l *points) hints(*options) hints  { return hints{maybeEqual: true} }
func (l *points) heavy(o *options) bool { return len(l.xs) > heavyMarks }

func (l *points) scale(o *options) *colorScale {
	if o.values == nil {
		return nil
	}
	return newScale(o.values, o, Sequential)
}

func (l *points) keys(o *options) []key {
	if o.values != nil || l.tags {
		return nil
	}
	if o.classes == nil {
		return []key{{name: o.name, color: l.one(o), mark: true, shape: l.shape(o)}}
	}
	var out []key
	for _, k := range distinct(o.classes) {
		c := color.Color(ClassColor(k))
		if o.color != nil {
			c = o.color
		}
		out = append(out, key{name: className(o, k), color: c, mark: true, shape: classShape(k)})
	}
	return out
}

func (l *points) one(o *options) color.Color {
	if o.color != nil {
		return o.color
	}
	return ClassColor(o.order)
}

// shape is that of points without classes: another for every set of points in the figure.
func (l *points) shape(o *options) shape {
	switch {
	case l.centers:
		return cross
	case o.class != nil:
		return classShape(*o.class)
	default:
		return classShape(o.order)
	}
}

func className(o *options, k int) string {
	switch {
	case k < 0:
		return "noise"
	case k < len(o.names):
		return o.names[k]
	default:
		return fmt.Sprint(k)
	}
}

func distinct(classes []int) []int {
	out := slices.Clone(classes)
	slices.Sort(out)
	return slices.Compact(out)
}

// sizeFor makes points smaller where there are many.
func (l *points) sizeFor(o *options) float64 {
	switch n := len(l.xs); {
	case o.markSize > 0:
		return o.markSize
	case n <= 200:
		return 3.5
	case n <= 1000:
		return 3
	case n <= heavyMarks:
		return 2.2
	default:
		return 1.5
	}
}

func (l *points) draw(d *drawing, o *options) error {
	opacity := o.opacity
	if opacity == 0 {
		opacity = .85
		if len(l.xs) > heavyMarks {
			opacity = .6
		}
	}
	r := l.sizeFor(o)
	edged := len(l.xs) <= heavyMarks && r >= 2
	scale := l.scale(o)
	marks := make([]mark, 0, len(l.xs))
	one := faded(l.one(o), opacity)
	for i := range l.xs {
		at := d.at(l.xs[i], l.ys[i])
		if !finite(float64(at.X), float64(at.Y)) {
			continue
		}
		m := mark{at: at, r: r, shape: l.shape(o), fill: one, tip: l.tip(o, i)}
		switch {
		case o.classes != nil:
			m.shape = classShape(o.classes[i])
			if o.color == nil {
				m.fill = faded(ClassColor(o.classes[i]), opacity)
			}
		case scale != nil && !finite(o.values[i]):
			m.fill = faded(noiseColor, opacity/2)
		case scale != nil:
			m.fill = faded(scale.at(o.values[i]), opacity)
		}
		marks = append(marks, m)
	}
	if o.classes != nil && edged {
		// Few points: those of one class stand together in the file, which is shorter. Many are
		// drawn in their order, so that no class covers all others.
		slices.SortStableFunc(marks, func(a, b mark) int { return int(a.shape) - int(b.shape) })
	}
	d.marks(marks, edged)
	return nil
}

func (l *points) tip(o *options, i int) string {
	if l.tips != nil {
		return l.tips[i]
	}
	if len(l.xs) > 200 {
		return ""
	}
	s := fmt.Sprintf("%d: (%s, %s)", i, figures(l.xs[i]), figures(l.ys[i]))
	switch {
	case o.classes != nil:
		s += ", " + className(o, o.classes[i])
	case o.values != nil:
		s += ", " + figures(o.values[i])
	}
	if o.labels != nil && o.labels[i] != "" {
		s = o.labels[i] + ", " + s
	}
	return s
}

// write puts labels to the right of their points, or to the left near the frame's right edge.
func (l *points) write(d *drawing, o *options) {
	for i, s := range o.labels {
		at := d.at(l.xs[i], l.ys[i])
		if s == "" || !finite(float64(at.X), float64(at.Y)) || !inside(d.rect, at) {
			continue
		}
		sty := style(textSize, text.XLeft, text.YCenter)
		x := float64(at.X) + l.sizeFor(o) + 3
		if x+textWidth(sty, s) > float64(d.rect.Max.X) {
			sty.XAlign = text.XRight
			x = float64(at.X) - l.sizeFor(o) - 3
		}
		write(d.surface, sty, x, float64(at.Y), s)
	}
	if l.tags {
		l.writeTags(d, o)
	}
}

// writeTags names the classes. A tag that would cover another moves up until it is free.
func (l *points) writeTags(d *drawing, o *options) {
	sty := bold(style(textSize, text.XCenter, text.YCenter))
	const height = textSize + 5
	var placed []vg.Rectangle
	for _, k := range distinct(o.classes) {
		at, ok := l.middle(d, o.classes, k)
		if k < 0 || !ok {
			continue
		}
		name := className(o, k)
		half := textWidth(sty, name)/2 + 4
		x := min(max(float64(at.X), float64(d.rect.Min.X)+half), float64(d.rect.Max.X)-half)
		y := min(max(float64(at.Y), float64(d.rect.Min.Y)+height/2), float64(d.rect.Max.Y)-height/2)
		tag := rectangle(x-half, y-height/2, x+half, y+height/2)
		for i := 0; i < len(placed); i++ {
			if q := placed[i]; q.Min.X < tag.Max.X && tag.Min.X < q.Max.X && q.Min.Y < tag.Max.Y && tag.Min.Y < q.Max.Y {
				y = float64(q.Max.Y) + height/2 + 1
				tag = rectangle(x-half, y-height/2, x+half, y+height/2)
				i = -1
			}
		}
		placed = append(placed, tag)
		fill := o.color
		if fill == nil {
			fill = ClassColor(k)
		}
		d.Push()
		d.SetColor(fill)
		d.Fill(tag.Path())
		d.Pop()
		sty.Color = color.NRGBA{0xff, 0xff, 0xff, 0xff}
		if oklab(color.NRGBAModel.Convert(fill).(color.NRGBA))[0] > .62 {
			sty.Color = color.NRGBA{0x11, 0x11, 0x11, 0xff}
		}
		write(d.surface, sty, x, y, name)
	}
}

// middle is the point of a class that is nearest to the medians of its coordinates, where the frame
// shows it.
func (l *points) middle(d *drawing, classes []int, k int) (at vg.Point, ok bool) {
	var all []vg.Point
	var xs, ys []float64
	for i, c := range classes {
		if p := d.at(l.xs[i], l.ys[i]); c == k && finite(float64(p.X), float64(p.Y)) && inside(d.rect, p) {
			all, xs, ys = append(all, p), append(xs, float64(p.X)), append(ys, float64(p.Y))
		}
	}
	if len(all) == 0 {
		return at, false
	}
	slices.Sort(xs)
	slices.Sort(ys)
	x, y := xs[len(xs)/2], ys[len(ys)/2]
	least := math.Inf(1)
	for _, p := range all {
		if r := math.Hypot(float64(p.X)-x, float64(p.Y)-y); r < least {
			at, least = p, r
		}
	}
	return at, true
}

func inside(r vg.Rectangle, p vg.Point) bool {
	return p.X >= r.Min.X && p.X <= r.Max.X && p.Y >= r.Min.Y && p.Y <= r.Max.Y
}

func (l *points) describe(o *options) string {
	s := "scatter plot of " + count(len(l.xs)-l.skipped, "point", "points")
	if l.centers {
		s = count(len(l.xs)-l.skipped, "center", "centers")
	}
	switch {
	case o.classes != nil:
		var parts []string
		classes := distinct(o.classes)
		sizes := map[int]int{}
		for _, k := range o.classes {
			sizes[k]++
		}
		for _, k := range classes {
			parts = append(parts, fmt.Sprintf("%s (%d)", className(o, k), sizes[k]))
		}
		if len(parts) > 10 {
			parts = append(parts[:9], fmt.Sprintf("%d more", len(parts)-9))
		}
		s += " in " + count(len(classes), "class", "classes") + ": " + strings.Join(parts, ", ")
	case o.values != nil:
		c := l.scale(o)
		from, to := ends(c.lo, c.hi)
		s += fmt.Sprintf(" colored by %s from %s to %s", either(o.name, "value"), from, to)
	case o.name != "":
		s += ", " + o.name
	}
	if l.skipped > 0 {
		s += fmt.Sprintf(" (%d more are not finite and not drawn)", l.skipped)
	}
	return s
}
