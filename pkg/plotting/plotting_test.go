package plotting

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/plot/vg"
	"pgregory.net/rapid"

	"github.com/golatent/latent/pkg/ml"
)

// wellFormed reads the whole document as XML and looks for numbers that aren't.
func wellFormed(doc []byte) error {
	d := xml.NewDecoder(bytes.NewReader(doc))
	for {
		t, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if e, ok := t.(xml.StartElement); ok {
			for _, a := range e.Attr {
				if (strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf")) && a.Name.Local != "href" {
					return fmt.Errorf("<%s %s=%q>", e.Name.Local, a.Name.Local, a.Value)
				}
			}
		}
	}
}

func TestSVGIsSmallAndServesBothThemes(t *testing.T) {
	x, y := blobs(1000)
	values := mat.Col(nil, 0, x)
	for name, p := range map[string]*Plot{"classes": Scatter(x, y), "values": Points(x).Values(values)} {
		r, err := p.Title("A title").X("x1").Render()
		if err != nil {
			t.Fatal(err)
		}
		svg := string(r.Data)
		if len(svg) > 60_000 {
			t.Errorf("%s: 1,000 points take %d bytes, want at most 60,000", name, len(svg))
		}
		for _, want := range []string{`fill="currentColor"`, `stroke="currentColor"`, `role="img"`, "<desc>", ">x1</text>", `width="520"`} {
			if !strings.Contains(svg, want) {
				t.Errorf("%s: no %s", name, want)
			}
		}
		for _, bad := range []string{` id="`, "#000", "#808080", "http://", "<script"} {
			if strings.Contains(strings.Replace(svg, `xmlns="http://www.w3.org/2000/svg"`, "", 1), bad) {
				t.Errorf("%s: contains %s", name, bad)
			}
		}
	}
	r, err := Scatter(x, y).Render()
	if err != nil || !strings.Contains(r.Alt, "1000 points in 3 classes: 0 (334), 1 (333), 2 (333)") {
		t.Errorf("alt %q, %v", r.Alt, err)
	}
}

func TestManyMarksBecomeAnImageWhoseSizeIsBounded(t *testing.T) {
	for _, n := range []int{heavyMarks, heavyMarks + 1, 70_000} {
		x, y := blobs(n)
		r, err := Scatter(x, y).Render()
		if err != nil {
			t.Fatal(err)
		}
		if raster := bytes.Contains(r.Data, []byte("data:image/png")); raster != (n > heavyMarks) {
			t.Errorf("%d points: image %t", n, raster)
		}
		if len(r.Data) > 130_000 {
			t.Errorf("%d points take %d bytes", n, len(r.Data))
		}
	}
	long := make([]float64, 200_000)
	for i := range long {
		long[i] = math.Sin(float64(i)/3000) + math.Sin(float64(i)*1.7)/9
	}
	r, err := Line(nil, long).Render()
	if err != nil || len(r.Data) > 40_000 {
		t.Errorf("a line of 200,000 values takes %d bytes, %v", len(r.Data), err)
	}
}

func TestBadInputIsRefusedWithWords(t *testing.T) {
	x, y := blobs(9)
	nan := math.NaN()
	notFinite := mat.NewDense(2, 2, []float64{nan, nan, math.Inf(1), 0})
	broken := func(mat.Matrix) ([]float64, error) { return nil, errors.New("not fitted") }
	for name, c := range map[string]struct {
		fig  Figure
		kind error
		want string
	}{
		"nothing":         {New(), ml.ErrEmpty, "empty"},
		"nil matrix":      {Points(nil), ml.ErrEmpty, "nil"},
		"nil dense":       {Points((*mat.Dense)(nil)), ml.ErrEmpty, "nil"},
		"no rows":         {Points(&mat.Dense{}), ml.ErrEmpty, "0×0"},
		"columns":         {Points(mat.NewDense(4, 3, nil)), ml.ErrShape, "4×3"},
		"not finite":      {Points(notFinite), ml.ErrEmpty, "no finite point"},
		"classes":         {Scatter(x, y[:3]), ml.ErrShape, "3 classes for 9 points"},
		"values":          {Points(x).Values(nil), ml.ErrShape, "0 values for 9"},
		"both":            {Scatter(x, y).Values(make([]float64, 9)), ml.ErrParameter, "both"},
		"labels":          {Points(x).Labels("a"), ml.ErrShape, "1 labels"},
		"tips":            {Points(x).Tips("a"), ml.ErrShape, "1 tips"},
		"line":            {Line([]float64{1}, []float64{1, 2}), ml.ErrShape, "2 values for 1 xs"},
		"no line":         {Lines(nil), ml.ErrEmpty, "no line"},
		"empty line":      {Line(nil, nil), ml.ErrEmpty, "no values"},
		"band":            {Line(nil, []float64{1, 2}).Band(nil, nil), ml.ErrShape, "Band"},
		"function":        {Function(nil, 0, 1), ml.ErrParameter, "nil"},
		"size":            {Points(x).Size(10, 10), ml.ErrParameter, "60 to 4000"},
		"no room":         {Points(x).X("a").Title("b").Size(60, 60), ml.ErrParameter, "no room"},
		"limits":          {Points(x).XLim(1, 0), ml.ErrParameter, "XLim"},
		"nan limits":      {Points(x).YLim(nan, 0), ml.ErrParameter, "YLim"},
		"log":             {Points(x).LogX(), ml.ErrParameter, "logarithmic"},
		"useless option":  {Points(x).Cut(1), nil, "plotting.Cut: nothing"},
		"opacity":         {Points(x).Opacity(2), ml.ErrParameter, "Opacity"},
		"width":           {Line(nil, []float64{1, 2}).Width(nan), ml.ErrParameter, "Width"},
		"mark size":       {Points(x).MarkSize(-1), ml.ErrParameter, "MarkSize"},
		"bar names":       {BarChart([]string{"a"}, nil), ml.ErrShape, "0 values"},
		"no bars":         {Bars(nil), ml.ErrEmpty, "0 names"},
		"bar errors":      {Bars([]float64{1, 2}).Errors([]float64{1}), ml.ErrShape, "1 errors"},
		"histogram":       {Histogram([]float64{nan}, 0), ml.ErrEmpty, "none of 1"},
		"bins":            {Histogram([]float64{1}, -1), ml.ErrParameter, "bins"},
		"histogram range": {Histogram([]float64{-1e308, 1e308}, 0), ml.ErrParameter, "range"},
		"images":          {Images(x, 3, 3), ml.ErrShape, "3 × 3"},
		"image size":      {Images(x, -1, -2), ml.ErrParameter, "-1 × -2"},
		"captions":        {Images(x, 1, 2).Captions("a"), ml.ErrShape, "1 captions for 9"},
		"columns of none": {Images(x, 1, 2).Columns(0), ml.ErrParameter, "Columns"},
		"no images":       {ColorImages(), ml.ErrEmpty, "no images"},
		"uneven images":   {ColorImages(image.NewGray(image.Rect(0, 0, 1, 1)), image.NewGray(image.Rect(0, 0, 2, 1))), ml.ErrShape, "image 1"},
		"thumbnails":      {Thumbnails(x, mat.NewDense(2, 4, nil), 2, 2), ml.ErrShape, "2 images for 9"},
		"matrix":          {Matrix(mat.NewDense(30, 30, nil)), ml.ErrParameter, "Heatmap"},
		"row names":       {Heatmap(x, nil).RowNames("a"), ml.ErrShape, "1 names for 9 rows"},
		"nil class":       {Decision(nil), ml.ErrParameter, "nil"},
		"nil field":       {Shade(Pointwise(nil)), ml.ErrParameter, "nil"},
		"field's error":   {Points(x).Add(Isolines(broken)), nil, "not fitted"},
		"field's length":  {Points(x).Add(Shade(func(mat.Matrix) ([]float64, error) { return make([]float64, 3), nil })), ml.ErrShape, "3 values"},
		"no frame":        {Shade(Pointwise(math.Hypot)), ml.ErrEmpty, "XLim"},
		"classes' length": {Points(x).Add(Decision(func(mat.Matrix) ([]int, error) { return nil, nil })), ml.ErrShape, "0 classes"},
		"voronoi":         {Voronoi(mat.NewDense(1, 3, nil)), ml.ErrShape, "1×3"},
		"voronoi frame":   {Voronoi(x, 1, 0, 0, 1), ml.ErrParameter, "frame"},
		"voronoi nan":     {Voronoi(notFinite), ml.ErrNotFinite, "2 of the centers"},
		"edges":           {Edges(x, [][2]int{{0, 9}}), ml.ErrParameter, "edge 0"},
		"weights":         {Edges(x, [][2]int{{0, 1}}).Values([]float64{1, 2}), ml.ErrShape, "2 values for 1 edges"},
		"ellipse":         {Ellipse([]float64{1}, mat.NewSymDense(2, nil)), ml.ErrShape, "a mean of 1"},
		"indefinite":      {Ellipse([]float64{1, 2}, mat.NewSymDense(2, []float64{1, 2, 2, 1})), ml.ErrParameter, "semidefinite"},
		"asymmetric":      {Ellipse([]float64{1, 2}, mat.NewDense(2, 2, []float64{1, 0, .5, 1})), ml.ErrParameter, "symmetric"},
		"deviations":      {Ellipse([]float64{1, 2}, mat.NewSymDense(2, []float64{1, 0, 0, 1}), -1), ml.ErrParameter, "deviations"},
		"arrows":          {Arrows(x, x.Slice(0, 2, 0, 2)), ml.ErrShape, "9 starts"},
		"merges":          {Dendrogram(nil, nil, nil), ml.ErrEmpty, "no merges"},
		"merge lengths":   {Dendrogram([]int{0}, nil, []float64{1}), ml.ErrShape, "1 left, 0 right"},
		"merge twice":     {Dendrogram([]int{0, 0}, []int{1, 2}, []float64{1, 2}), ml.ErrParameter, "merge 1 = 0"},
		"merge ahead":     {Dendrogram([]int{0, 1}, []int{4, 2}, []float64{1, 2}), ml.ErrParameter, "merge 0 = 4"},
		"merge height":    {Dendrogram([]int{0}, []int{1}, []float64{nan}), ml.ErrNotFinite, "height[0]"},
		"leaf names":      {Dendrogram([]int{0}, []int{1}, []float64{1}).Labels("a"), ml.ErrShape, "1 labels for 2 leaves"},
		"eigengap":        {Eigengap(nil), ml.ErrEmpty, "no values"},
		"rule":            {HLine(nan), ml.ErrParameter, "NaN"},
		"note":            {Note(nan, 0, "a"), ml.ErrParameter, "NaN"},
		"gonum":           {Gonum(nil), ml.ErrParameter, "nil"},
		"no frames":       {Animation[*Plot](), ml.ErrEmpty, "no frames"},
		"frame labels":    {Animation(Points(x)).Labels("a", "b"), nil, "2 labels"},
		"broken frame":    {Animation[Figure](Points(x), Grid[*Plot](1)), ml.ErrEmpty, "frame 1"},
		"no columns":      {Grid(0, Points(x)), ml.ErrParameter, "columns"},
		"film in a grid":  {Grid[Figure](1, Animation(Points(x))), ml.ErrParameter, "Film"},
		"broken cell":     {Grid(1, Points(x), Points(notFinite)), ml.ErrEmpty, "plot 1"},
		"scale":           {Images(x, 1, 2).Scale(nan), ml.ErrParameter, "Scale"},
		"color limits":    {Heatmap(x, nil).Limits(2, 1), ml.ErrParameter, "Limits"},
	} {
		_, err := c.fig.Render()
		if err == nil || !strings.Contains(err.Error(), c.want) || c.kind != nil && !errors.Is(err, c.kind) {
			t.Errorf("%s: error %v, want %v with %q", name, err, c.kind, c.want)
		}
	}
}

func TestOddButLegalInput(t *testing.T) {
	nan := math.NaN()
	x, _ := blobs(9)
	for name, fig := range map[string]Figure{
		"one point":      Scatter(mat.NewDense(1, 2, []float64{3, 3}), nil),
		"one column":     Scatter(mat.NewDense(3, 1, []float64{1, 2, 3}), nil),
		"a view":         Scatter(x.Slice(2, 5, 0, 2), nil),
		"a transpose":    Scatter(mat.NewDense(2, 3, []float64{1, 2, 3, 4, 5, 6}).T(), nil),
		"a NaN row":      Points(mat.NewDense(2, 2, []float64{1, 2, nan, 4})),
		"a gap":          Line(nil, []float64{1, nan, 3, 4}).Band([]float64{0, 1, nan, 3}, []float64{2, 3, 4, 5}).Dots(),
		"huge":           Points(mat.NewDense(2, 2, []float64{1e299, -1e299, 1, 1})),
		"tiny":           Points(mat.NewDense(2, 2, []float64{1e-299, 0, 0, 1e-299})),
		"narrow":         Points(mat.NewDense(2, 2, []float64{1e9, 1, 1e9 + 1e-6, 1})),
		"noise":          Scatter(mat.NewDense(2, 2, []float64{1, 2, 3, 4}), []int{-1, 12}),
		"huge class":     Scatter(mat.NewDense(2, 2, []float64{1, 2, 3, 4}), []int{math.MinInt, math.MaxInt}),
		"no classes":     Scatter(x, make([]int, 9)),
		"NaN values":     Points(x).Values([]float64{nan, 1, 2, nan, math.Inf(1), 3, 4, 5, 6}),
		"equal values":   Points(x).Values(make([]float64, 9)),
		"constant":       Histogram([]float64{2, 2, 2}, 0),
		"huge constant":  Histogram([]float64{1e300, 1e300}, 0),
		"NaN bars":       Bars([]float64{nan, 1, math.Inf(1), -2}),
		"all NaN matrix": Heatmap(mat.NewDense(1, 1, []float64{nan}), nil),
		"equal centers":  Voronoi(mat.NewDense(2, 2, nil), -1, 1, -1, 1),
		"point ellipse":  Ellipse([]float64{1, 2}, mat.NewSymDense(2, nil)),
		"flat ellipse":   Ellipse([]float64{1, 2}, mat.NewSymDense(2, []float64{1, 1, 1, 1})),
		"escaped":        Scatter(x, make([]int, 9)).Names("<script>").Title("<b>\"&\x00\xff").X("a<b").Labels(strings.Split("<i>&abcdef", "")[:9]...),
		"constant image": Images(mat.NewDense(1, 4, nil), 2, 2),
		"flat field":     Shade(Pointwise(func(_, _ float64) float64 { return 1 })).XLim(-1, 1).YLim(-1, 1),
		"NaN field":      New(Shade(Pointwise(func(x, _ float64) float64 { return math.Sqrt(x) })), Isolines(Pointwise(func(_, _ float64) float64 { return nan }))).XLim(-1, 1).YLim(-1, 1),
		"inversion":      Dendrogram([]int{0, 3}, []int{1, 2}, []float64{2, 1}).Cut(1.5),
		"large tree":     chain(20_000),
		"no edges":       Edges(x, nil),
		"log of one":     Line([]float64{1}, []float64{1}).LogX().LogY(),
		"beyond":         Points(x).XLim(100, 101),
	} {
		r, err := fig.Render()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := wellFormed(r.Data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(string(r.Data), "<b>") || strings.Contains(string(r.Data), "<script") {
			t.Errorf("%s: text is not escaped", name)
		}
		if len(r.Data) > 800_000 {
			t.Errorf("%s: %d bytes", name, len(r.Data))
		}
	}
}

// chain is the deepest tree: each merge adds one leaf.
func chain(n int) *Plot {
	left, right, height := make([]int, n-1), make([]int, n-1), make([]float64, n-1)
	for i := range n - 1 {
		left[i], right[i], height[i] = n+i-1, i+1, float64(i)
	}
	left[0] = 0
	return Dendrogram(left, right, height)
}

// Rendering changes nothing, a clone is apart from its origin, and what was added is apart from
// where it came from.
func TestPlotsAreApart(t *testing.T) {
	x, y := blobs(30)
	draw := func(f Figure) string {
		r, err := f.Render()
		if err != nil {
			t.Fatal(err)
		}
		return string(r.Data)
	}
	base := Scatter(x, y).Title("base")
	before := draw(base)
	base.Clone().Title("other").X("x").Color(ClassColor(3)).Names("a").Add(Line(nil, []float64{1, 2})).Stretch().Size(300, 300)
	draw(Grid(2, base, Scatter(x, nil)).Shared())
	draw(Animation(base, Line(nil, []float64{0, 90})))
	if draw(base) != before {
		t.Error("a clone, a grid or a film changed the plot it came from")
	}
	both := New(base, HLine(1))
	whole := draw(both)
	base.Color(Ink).Labels(make([]string, 30)...)
	if draw(both) != whole {
		t.Error("changing a plot changed one that it was added to")
	}
	labels := []int{0, 1, 0}
	p := Scatter(x.Slice(0, 3, 0, 2), labels)
	first := draw(p)
	labels[0] = 5
	if draw(p) != first {
		t.Error("changing the caller's slice changed the plot")
	}
	q := New(Points(x))
	q.Add(VLine(2)) // a call whose result is dropped has its effect
	if !strings.Contains(draw(q), "stroke-dasharray") {
		t.Error("the added line is not drawn")
	}
}

// The sequential map must read in gray: its lightness rises evenly, so that equal steps of a value
// look equal.
func TestColorMapsAreEven(t *testing.T) {
	light := func(m ColorMap, t float64) float64 { return oklab(m(t))[0] }
	for i := range 32 {
		a, b := float64(i)/32, float64(i+1)/32
		if d := light(Sequential, b) - light(Sequential, a); d < 0.012 || d > 0.028 {
			t.Errorf("from %d to %d of 32 the lightness rises by %.4f, want about 0.02", i, i+1, d)
		}
		if light(Grey, b) <= light(Grey, a) || light(InvertedGrey, b) >= light(InvertedGrey, a) {
			t.Errorf("gray is not monotone at %d of 32", i)
		}
		if i < 16 && (light(Diverging, b) <= light(Diverging, a) || light(Diverging, 1-b) <= light(Diverging, 1-a)) {
			t.Errorf("the diverging map is not monotone towards its middle at %d of 32", i)
		}
	}
	for i := range 17 {
		a, b := light(Diverging, 0.5-float64(i)/32), light(Diverging, 0.5+float64(i)/32)
		if math.Abs(a-b) > 0.05 {
			t.Errorf("%d steps below and above the middle are %.3f and %.3f light", i, a, b)
		}
	}
	if Sequential(math.NaN()) != Sequential(0) || Sequential(7) != Sequential(1) || Sequential(math.Inf(-1)) != Sequential(0) {
		t.Error("values outside [0, 1] are not brought into it")
	}
	if c := Sequential(0); c != (color.NRGBA{0x44, 0x01, 0x54, 0xff}) {
		t.Errorf("the map starts at %v", c)
	}
}

func TestClassesCanBeToldApart(t *testing.T) {
	seen := map[string]int{}
	for k := -1; k < 64; k++ {
		look := fmt.Sprint(ClassColor(k), classShape(k))
		if j, ok := seen[look]; ok {
			t.Errorf("class %d looks like class %d", k, j)
		}
		seen[look] = k
	}
}

// Voronoi cells cover the frame once, and each corner of a cell is nearest to its center.
func TestVoronoiCellsTileTheFrame(t *testing.T) {
	x, _ := blobs(25)
	l, err := newPoints("test", x)
	if err != nil {
		t.Fatal(err)
	}
	v := voronoi{points: *l}
	total := 0.0
	for i := range 25 {
		cell := v.cell(i, [][2]float64{{-5, -4}, {5, -4}, {5, 4}, {-5, 4}})
		for k := range cell {
			a, b := cell[k], cell[(k+1)%len(cell)]
			total += (a[0]*b[1] - a[1]*b[0]) / 2
			own := math.Hypot(a[0]-x.At(i, 0), a[1]-x.At(i, 1))
			for j := range 25 {
				if d := math.Hypot(a[0]-x.At(j, 0), a[1]-x.At(j, 1)); d < own-1e-9 {
					t.Fatalf("a corner of cell %d is nearer to center %d", i, j)
				}
			}
		}
	}
	if math.Abs(total-80) > 1e-9 {
		t.Errorf("the cells cover %.12f, want 80", total)
	}
}

// The isoline of a distance is one closed circle of the right length; that of a saddle is two open
// lines.
func TestIsolines(t *testing.T) {
	const n = 101
	field := func(f func(x, y float64) float64) []float64 {
		z := make([]float64, n*n)
		for i := range z {
			z[i] = f(float64(i%n)/(n-1)*4-2, float64(i/n)/(n-1)*4-2)
		}
		return z
	}
	lines := isolines(field(math.Hypot), n, n, 1.3)
	if len(lines) != 1 || lines[0][0] != lines[0][len(lines[0])-1] {
		t.Fatalf("%d lines, want one that is closed", len(lines))
	}
	length := 0.0
	for i := 1; i < len(lines[0]); i++ {
		a, b := lines[0][i-1], lines[0][i]
		length += math.Hypot(a[0]-b[0], a[1]-b[1]) * 4 / (n - 1)
	}
	if want := 2 * math.Pi * 1.3; math.Abs(length-want) > 0.01*want {
		t.Errorf("the circle is %.4f long, want %.4f", length, want)
	}
	if lines := isolines(field(func(x, y float64) float64 { return x*y - .01 }), n, n, 0); len(lines) != 2 {
		t.Errorf("a hyperbola has %d branches, want 2", len(lines))
	}
	if lines := isolines(field(func(x, _ float64) float64 { return math.Sqrt(x) }), n, n, 1); len(lines) != 1 {
		t.Errorf("%d lines beside a region that is not defined, want 1", len(lines))
	}
}

// An ellipse's axes are the covariance's eigenvectors times the roots of its eigenvalues.
func TestEllipse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := rapid.Float64Range(-3, 3).Draw(t, "a"), rapid.Float64Range(-3, 3).Draw(t, "b"), rapid.Float64Range(-3, 3).Draw(t, "c")
		cov := mat.NewSymDense(2, []float64{a*a + b*b, b * c, b * c, c * c})
		p := Ellipse([]float64{1, 2}, cov)
		if p.err != nil {
			t.Fatal(p.err)
		}
		l := p.layers[0].layer.(*ellipse)
		for i, want := range []float64{a*a + b*b, b * c, c * c} {
			r, s := []int{0, 0, 1}[i], []int{0, 1, 1}[i]
			if got := l.major[r]*l.major[s] + l.minor[r]*l.minor[s]; math.Abs(got-want) > 1e-9 {
				t.Fatalf("the axes give %v at %d, %d, want %v", got, r, s, want)
			}
		}
		if dot := l.major[0]*l.minor[0] + l.major[1]*l.minor[1]; math.Abs(dot) > 1e-9 {
			t.Fatalf("the axes are not at right angles: %v", dot)
		}
	})
}

// The clusters below a cut are those of the merges below it.
func TestDendrogramCut(t *testing.T) {
	x, _ := blobs(24)
	left, right, height := merges(x, 24)
	for _, cut := range []float64{0, .3, .6, 1, 1.54, 9} {
		p := Dendrogram(left, right, height).Cut(cut)
		class, k := p.layers[0].layer.(*dendrogram).clusters(&p.layers[0].options)
		parent := make([]int, 24)
		for i := range parent {
			parent[i] = i
		}
		member := map[int]int{}
		want := 24
		root := func(i int) int {
			for parent[i] != i {
				i = parent[i]
			}
			return i
		}
		for i := range height {
			a, b := left[i], right[i]
			if a >= 24 {
				a = member[a]
			}
			if b >= 24 {
				b = member[b]
			}
			member[24+i] = a
			if height[i] <= cut {
				parent[root(a)] = root(b)
				want--
			}
		}
		if k != want {
			t.Errorf("cut at %g: %d clusters, want %d", cut, k, want)
		}
		for i := range 24 {
			for j := range i {
				if (root(i) == root(j)) != (class[i] == class[j]) {
					t.Errorf("cut at %g: leaves %d and %d are apart in one and together in the other", cut, i, j)
				}
			}
		}
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		lo, hi float64
		n      int
		want   string
	}{
		{0, 10, 5, "0 2 4 6 8 10"},
		{-1, 1, 4, "−1.0 −0.5 0 0.5 1.0"},
		{0, 1e7, 4, "0 2e6 4e6 6e6 8e6 1e7"},
		{1e-6, 5e-6, 4, "1e−6 2e−6 3e−6 4e−6 5e−6"},
		{100000.1, 100000.4, 3, "100000.1 100000.2 100000.3 100000.4"},
		{1, 1, 3, ""},
		{math.Inf(-1), 1, 3, ""},
	} {
		var got []string
		for _, tick := range niceTicks(c.lo, c.hi, c.n) {
			got = append(got, tick.Label)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("from %g to %g: %s, want %s", c.lo, c.hi, s, c.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[int]string{0: "0", 5: ".5", -5: "-.5", 10: "1", -10: "-1", 123: "12.3", -123: "-12.3", 1000000: "100000"} {
		if got := number(v); got != want {
			t.Errorf("%d tenths: %s, want %s", v, got, want)
		}
	}
	if tenths(math.NaN()) != 0 || tenths(math.Inf(1)) != 1e6 || tenths(-1e300) != -1e6 {
		t.Error("a coordinate far away is not held back")
	}
}

// A stamp covers the area of its shape.
func TestStamps(t *testing.T) {
	for s := range shapes {
		area := math.Pi
		if s != circle {
			area = 0
			for i, p := range corners[s] {
				q := corners[s][(i+1)%len(corners[s])]
				area += (p[0]*q[1] - p[1]*q[0]) / 2
			}
		}
		sum := 0.0
		for _, c := range newStamp(s, 9, .4, .6).cover {
			sum += c
		}
		if want := math.Abs(area) * 81; math.Abs(sum-want) > .03*want {
			t.Errorf("shape %d covers %.1f pixels, want %.1f", s, sum, want)
		}
	}
}

func TestSave(t *testing.T) {
	dir := t.TempDir()
	x, y := blobs(9)
	fig := Scatter(x, y).Title("nine points").X("x")
	for _, name := range []string{"a.svg", "a.html", "a.png"} {
		if err := Save(fig, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	svg, err := os.ReadFile(filepath.Join(dir, "a.svg"))
	if err != nil || !bytes.HasPrefix(svg, []byte("<svg ")) || wellFormed(svg) != nil {
		t.Errorf("a.svg: %v, %.40q", err, svg)
	}
	f, err := os.Open(filepath.Join(dir, "a.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if b := img.Bounds(); b.Dx() != 2*defaultWidth || b.Dy() != 2*defaultHeight {
		t.Errorf("the PNG is %v, want two pixels to each of %d × %d", b, defaultWidth, defaultHeight)
	}
	_, _, _, corner := img.At(1039, 719).RGBA()
	seen := map[color.Color]bool{}
	for i := range 1040 * 720 {
		c := color.NRGBAModel.Convert(img.At(i%1040, i/1040)).(color.NRGBA)
		if c.A > 200 {
			seen[color.NRGBA{c.R & 0xf0, c.G & 0xf0, c.B & 0xf0, 0xff}] = true
		}
	}
	if corner != 0 || !seen[color.NRGBA{0x80, 0x80, 0x80, 0xff}] || !seen[color.NRGBA{0, 0x70, 0xb0, 0xff}] {
		t.Errorf("background %d, gray text and blue points among %v", corner, len(seen))
	}
	if err := Save(Animation(fig, fig), filepath.Join(dir, "film.html")); err != nil {
		t.Error(err)
	}
	if err := Save(Grid(2, fig, Heatmap(x, nil)), filepath.Join(dir, "grid.png")); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"film as png":  Save(Animation(fig), filepath.Join(dir, "b.png")),
		"film as svg":  Save(Animation(fig), filepath.Join(dir, "b.svg")),
		"broken":       Save(Scatter(x, y[:1]), filepath.Join(dir, "c.svg")),
		"no folder":    Save(fig, filepath.Join(dir, "none", "d.svg")),
		"no ending":    Save(fig, filepath.Join(dir, "d")),
		"other ending": Save(fig, filepath.Join(dir, "d.pdf")),
		"nil":          Save(nil, filepath.Join(dir, "e.svg")),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 5 {
		t.Errorf("%d files, want 5: something half written is left", len(entries))
	}
}

// Every kind of figure can be drawn in pixels too.
func TestGalleryAsPNG(t *testing.T) {
	for name, fig := range gallery() {
		if _, ok := fig.(*Film); ok {
			continue
		}
		r, err := pixels(fig)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if img, err := png.Decode(bytes.NewReader(r.Data)); err != nil || img.Bounds().Dx() < 2*r.Width-2 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFramesOfAFilmHaveTheSameAxes(t *testing.T) {
	small, large := Points(mat.NewDense(2, 2, []float64{0, 0, 1, 1})), Points(mat.NewDense(2, 2, []float64{0, 0, 100, 50}))
	f := Animation(small, large)
	a, err := f.frames[0].Render()
	if err != nil {
		t.Fatal(err)
	}
	b, err := f.frames[1].Render()
	if err != nil {
		t.Fatal(err)
	}
	axes := func(r Rendering) string { _, s, _ := strings.Cut(r.Alt, "Axes:"); return s }
	if axes(a) != axes(b) || axes(a) == "" {
		t.Errorf("%q and %q", axes(a), axes(b))
	}
}

// The clip of a figure with few pixels to a unit keeps marks inside.
func TestClip(t *testing.T) {
	whole := newPNG(rectangle(0, 0, 20, 20))
	part := whole.clip(rectangle(5, 5, 10, 10))
	part.SetColor(color.NRGBA{0xff, 0, 0, 0xff})
	part.Fill(rectangle(0, 0, 20, 20).Path())
	whole.unclip(part)
	n := 0
	for i := 3; i < len(whole.img.Pix); i += 4 {
		if whole.img.Pix[i] > 0 {
			n++
		}
	}
	if n != 100 {
		t.Errorf("%d pixels are filled, want 100", n)
	}
	if _, _, _, a := whole.img.At(11, 25).RGBA(); a == 0 {
		t.Error("the part is in the wrong place")
	}
}

var _ vg.Canvas = (*svgCanvas)(nil)

// Options in any order and of any value give a picture or an error, never a panic, never a document
// that is no XML.
func FuzzOptions(f *testing.F) {
	f.Add(1.0, 2.0, 3.0, 4.0, int16(5), "a", uint32(0))
	f.Add(math.NaN(), math.Inf(1), 0.0, -1.0, int16(-3), "<", uint32(0xffffffff))
	f.Add(1e300, -1e300, 1e-300, 0.0, int16(0), "\x00", uint32(0x5555))
	f.Fuzz(func(t *testing.T, a, b, c, d float64, n int16, s string, bits uint32) {
		if len(s) > 200 {
			s = s[:200]
		}
		x := mat.NewDense(3, 2, []float64{a, b, c, d, b, c})
		k := int(n)
		base := []*Plot{
			Points(x), Scatter(x, []int{k, 0, 1}), Line([]float64{a, b, c}, []float64{b, c, d}), Histogram([]float64{a, b, c, d}, k%100),
			Bars([]float64{a, b, c}), Heatmap(x, nil), Matrix(x), Images(x, 1, 2), Voronoi(x), Ellipse([]float64{a, b}, mat.NewSymDense(2, []float64{c, d, d, c})),
			Edges(x, [][2]int{{0, 1}, {k, 2}}), Dendrogram([]int{0, k}, []int{1, 2}, []float64{a, b}), Eigengap([]float64{a, b, c}),
			Shade(Pointwise(math.Hypot)).XLim(a, b).YLim(c, d), Isolines(Pointwise(math.Hypot)).Levels(a).XLim(a, b).YLim(c, d), Arrows(x, x.Slice(0, 3, 0, 2)), Note(a, b, s),
			Thumbnails(x, x, 2, 1), Function(math.Exp, a, b), Ball(func(x, y float64) float64 { return a*x*x + b*y*y }), HLine(a),
		}
		p := base[int(bits>>24)%len(base)]
		for i, change := range []func(*Plot) *Plot{
			func(p *Plot) *Plot { return p.Title(s).X(s).Y(s) },
			func(p *Plot) *Plot { return p.XLim(a, b) },
			func(p *Plot) *Plot { return p.YLim(c, d) },
			func(p *Plot) *Plot { return p.LogX() },
			func(p *Plot) *Plot { return p.LogY() },
			func(p *Plot) *Plot { return p.Equal() },
			func(p *Plot) *Plot { return p.Bare() },
			func(p *Plot) *Plot { return p.Size(a, b) },
			func(p *Plot) *Plot { return p.Label(s) },
			func(p *Plot) *Plot { return p.Labels(s, s, s) },
			func(p *Plot) *Plot { return p.Values([]float64{a, b, c}) },
			func(p *Plot) *Plot { return p.Limits(a, b) },
			func(p *Plot) *Plot { return p.Cut(a) },
			func(p *Plot) *Plot { return p.Horizontal() },
			func(p *Plot) *Plot { return p.Color(Ink).Dashed() },
			func(p *Plot) *Plot { return p.Add(Points(x).Labels(s, s, s)) },
			func(p *Plot) *Plot { return p.Add(Shade(Pointwise(math.Hypot)), VLine(b)) },
			func(p *Plot) *Plot { return p.Size(200, 150) },
		} {
			if bits>>i&1 == 1 {
				p = change(p)
			}
		}
		r, err := p.Render()
		if err != nil {
			if strings.Contains(err.Error(), "runtime error") {
				t.Fatalf("a panic behind %v", err)
			}
			return
		}
		if err := wellFormed(r.Data); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkScatter(b *testing.B) {
	for _, n := range []int{150, 3000, 70_000} {
		x, y := blobs(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := Scatter(x, y).Render(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A description says what is drawn, and the same when the last digits of the data are others: so do
// they on another processor.
func TestDescriptionsHoldOnEveryProcessor(t *testing.T) {
	describe := func(jitter float64) string {
		ys := []float64{1385.9 + jitter, 600.2, 400, 373.2 - jitter}
		shape := mat.NewSymDense(2, []float64{2.25 + jitter, 0, 0, 0.25})
		grid := mat.NewDense(1, 3, []float64{-0.5, 0, 1.25 + jitter})
		fig := New(Line(nil, ys).Label("J"), Ellipse([]float64{0.01 + jitter, 2}, shape), Points(mat.NewDense(3, 2, []float64{0, 0, 1, 1, 2, 2})).Values([]float64{-3 - jitter, 0, 9}))
		a, err := fig.Render()
		if err != nil {
			t.Fatal(err)
		}
		b, err := Matrix(grid).Render()
		if err != nil {
			t.Fatal(err)
		}
		return a.Alt + "\n" + b.Alt
	}
	exact := describe(0)
	if got := describe(1e-5); got != exact {
		t.Errorf("%s\n%s", exact, got)
	}
	for _, want := range []string{"line J between 370 and 1390, falling", "ellipse around (0, 2), standard deviations 1.5 and 0.5", "from −9 to 9", "values from −1.25 to 1.25"} {
		if !strings.Contains(exact, want) {
			t.Errorf("no %q in %s", want, exact)
		}
	}
	flat, err := Line(nil, []float64{1, 1 + 1e-15, 1 - 1e-15}).Render()
	if err != nil || !strings.Contains(flat.Alt, "line between 1 and 1.") {
		t.Errorf("a constant but for rounding: %q, %v", flat.Alt, err)
	}
	log, err := Line([]float64{1, 2, 3}, []float64{5.689e-8, 0.1, 9}).LogY().Render()
	if err != nil || !strings.Contains(log.Alt, "between 0 and 9, rising") || !strings.Contains(log.Alt, "e−08 to ") {
		t.Errorf("%q, %v", log.Alt, err)
	}
}

// Ten classes differ in color for every eye: no two are nearer than the nearest of the seven by
// Okabe and Ito, under simulations of the three color deficiencies (Machado, Oliveira & Fernandes,
// 2009, severity 1); all but yellow and its like stand out from the page; eighty classes differ in
// color or shape.
func TestClassesAreToldApart(t *testing.T) {
	eyes := map[string][3][3]float64{
		"normal":       {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
		"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
		"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
		"tritanopia":   {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
	}
	for eye, m := range eyes {
		var seen [len(classColors)][3]float64
		for k, c := range classColors {
			in := [3]float64{linear(c.R), linear(c.G), linear(c.B)}
			var out [3]uint8
			for i, row := range m {
				out[i] = gamma(row[0]*in[0] + row[1]*in[1] + row[2]*in[2])
			}
			seen[k] = oklab(color.NRGBA{out[0], out[1], out[2], 0xff})
		}
		seven, ten := math.Inf(1), math.Inf(1)
		for i, a := range seen {
			for j, b := range seen[:i] {
				d := math.Hypot(math.Hypot(a[0]-b[0], a[1]-b[1]), a[2]-b[2])
				if ten = min(ten, d); i < 7 {
					seven = min(seven, d)
				}
				if d < 0.07 {
					t.Errorf("%s: classes %d and %d look alike (%.3f apart)", eye, j, i, d)
				}
			}
		}
		if ten < seven {
			t.Errorf("%s: the nearest of ten are %.3f apart, of the first seven %.3f", eye, ten, seven)
		}
	}
	light := func(k int) float64 {
		c := classColors[k]
		return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B) + 0.05
	}
	for k := 7; k < len(classColors); k++ {
		if white, black := 1.05/light(k), light(k)/0.0556; white < 2.2 || black < 2.2 {
			t.Errorf("class %d has a contrast of %.1f with white and %.1f with a dark page", k, white, black)
		}
	}
	type look struct {
		color color.NRGBA
		shape shape
	}
	looks := map[look]bool{}
	for k := range len(classColors) * int(shapes) {
		looks[look{ClassColor(k), classShape(k)}] = true
	}
	if len(looks) != len(classColors)*int(shapes) {
		t.Errorf("%d looks of %d classes", len(looks), len(classColors)*int(shapes))
	}
}

// Tags stand over a point of their class, in its color, and do not cover each other.
func TestLabelClasses(t *testing.T) {
	var rows []float64
	var classes []int
	for i := range 120 {
		k := i % 4
		sin, cos := math.Sincos(float64(i))
		// Class 1 is a ring, whose middle is empty; classes 2 and 3 lie on each other.
		r, x := []float64{.3, 2, .2, .2}[k], []float64{-6, 0, 6, 6}[k]
		rows, classes = append(rows, x+r*cos, r*sin), append(classes, k)
	}
	classes[0] = -1
	p := Points(mat.NewDense(120, 2, rows)).Classes(classes, "left", "ring", "one", "other").LabelClasses()
	r, err := p.Render()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"left", "ring", "one", "other"} {
		if n := strings.Count(string(r.Data), ">"+name+"<"); n != 1 {
			t.Errorf("%q stands %d times in the figure", name, n)
		}
	}
	if strings.Contains(string(r.Data), ">noise<") {
		t.Error("noise has a tag")
	}
	frame := rectangle(0, 0, 500, 300)
	d := &drawing{rect: frame, x: func(v float64) float64 { return 250 + 30*v }, y: func(v float64) float64 { return 150 + 30*v }}
	at, ok := p.layers[0].layer.(*points).middle(d, classes, 1)
	if away := math.Hypot(float64(at.X)-250, float64(at.Y)-150); !ok || math.Abs(away-60) > 1e-9 {
		t.Errorf("the tag of the ring is %v pixels from its center, want one on the ring, at 60", away)
	}
	if _, err := Points(mat.NewDense(3, 2, nil)).LabelClasses().Render(); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("points without classes: %v", err)
	}
}

// What a kind of marks says that it takes is a method of Plot.
func TestOptionsAreMethods(t *testing.T) {
	for name, fig := range gallery() {
		p, ok := fig.(*Plot)
		if !ok {
			continue
		}
		for _, l := range p.layers {
			for _, option := range strings.Fields(l.takes()) {
				if _, ok := reflect.TypeOf(p).MethodByName(option); !ok {
					t.Errorf("%s: %T takes %q, which is no method", name, l.layer, option)
				}
			}
		}
	}
}
