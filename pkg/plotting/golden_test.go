package plotting

import (
	"bytes"
	"flag"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"gonum.org/v1/gonum/mat"
)

var update = flag.Bool("update", false, "write the golden pictures anew; look at them before you commit")

// blobs is a fixed sample for pictures.
func blobs(n int) (*mat.Dense, []int) {
	r := rng.New(1)
	x, y := mat.NewDense(n, 2, nil), make([]int, n)
	for i := range n {
		y[i] = i % 3
		a := 2 * math.Pi * float64(y[i]) / 3
		x.Set(i, 0, 2*math.Cos(a)+0.5*r.NormFloat64())
		x.Set(i, 1, 2*math.Sin(a)+0.5*r.NormFloat64())
	}
	return x, y
}

// gallery holds one of each kind of figure.
func gallery() map[string]Figure {
	x, y := blobs(150)
	big, bigY := blobs(6000)
	centers := mat.NewDense(3, 2, []float64{2, 0, -1, 1.7, -1, -1.7})
	steps := []float64{120, 61, 44, 40.2, 39.5, 39.4}
	lo, hi, mid, at := make([]float64, 20), make([]float64, 20), make([]float64, 20), make([]float64, 20)
	for i := range at {
		at[i], mid[i] = float64(i), math.Exp(-float64(i)/6)
		lo[i], hi[i] = mid[i]-0.05-0.01*float64(i), mid[i]+0.05+0.01*float64(i)
	}
	nearest := func(a, b float64) int {
		best, d := 0, math.Inf(1)
		for k := range 3 {
			if e := math.Hypot(a-centers.At(k, 0), b-centers.At(k, 1)); e < d {
				best, d = k, e
			}
		}
		return best
	}
	bump := func(a, b float64) float64 { return math.Exp(-(a*a + b*b) / 4) }
	digit := mat.NewDense(12, 64, nil)
	for i := range 12 {
		for j := range 64 {
			digit.Set(i, j, math.Abs(float64(j%8)-3.5+float64(i)/4)*math.Abs(float64(j/8)-3.5))
		}
	}
	angle := make([]float64, 150)
	for i := range angle {
		angle[i] = math.Atan2(x.At(i, 1), x.At(i, 0))
	}
	ramp := mat.NewDense(1, 64, nil)
	for j := range 64 {
		ramp.Set(0, j, float64(j))
	}
	scatter := func(k int) Figure {
		return New(Points(x).Classes(y), Centers(centers.Slice(0, k, 0, 2))).Equal().Title(fmt.Sprintf("%d centers", k)).Size(260, 240)
	}
	return map[string]Figure{
		"scatter-classes": Scatter(x, y).Title("Three clusters").X("petal length (cm)").Y("petal width (cm)"),
		"scatter-legend":  New(Points(x).Classes(y, "setosa", "versicolor", "virginica"), Centers(centers).Label("centers")).X("length (cm)").Y("width (cm)"),
		"scatter-values":  New(Points(x).Values(angle).Label("angle")).Equal(),
		"scatter-large":   Scatter(big, bigY).Title("6,000 points"),
		"lines":           New(Line(nil, steps).Dots().Label("J"), HLine(39.4).Label("optimum")).X("iteration").Y("distortion J").Title("J never rises"),
		"band":            New(Line(at, mid).Band(lo, hi).Label("mean of 10 seeds"), Line(at, hi).Class(1).Label("worst")).X("step").Y("loss"),
		"histogram":       New(Histogram(angle, 0)).X("angle (rad)").Y("count"),
		"bars":            BarChart([]string{"k-means++", "random", "greedy"}, []float64{3, 5, 2.5}).Y("inertia"),
		"regions":         New(Regions(-4, 4, -4, 4, nearest), Points(x).Classes(y)).Equal().Size(420, 400),
		"voronoi":         New(Voronoi(centers, -4, 4, -4, 4), Points(x).Classes(y), Centers(centers)).Equal().Size(420, 400),
		"density":         New(Density(-4, 4, -4, 4, bump), Contours(-4, 4, -4, 4, bump, 0.2, 0.5, 0.8)).Equal().Size(420, 400),
		"heatmap":         Heatmap(mat.NewDense(3, 3, []float64{50, 0, 0, 0, 48, 14, 0, 2, 36}), nil).X("cluster").Y("class").Size(340, 300),
		"colormap":        Heatmap(ramp, nil).Size(520, 90).Bare(),
		"diverging":       Heatmap(ramp, Diverging).Size(520, 90).Bare(),
		"ellipse":         New(Points(x).Classes(y), Ellipse([]float64{2, 0}, mat.NewSymDense(2, []float64{0.25, 0.1, 0.1, 0.3}), 2)).Equal(),
		"edges":           New(Edges(x, [][2]int{{0, 3}, {3, 6}, {1, 4}, {2, 5}}), Points(x).Classes(y)).Equal().Bare(),
		"images":          Images(digit, 8, 8).Title("Twelve centers").Captions(strings.Split("abcdefghijkl", "")...),
		"swatches":        Swatches(Classes),
		"grid":            Grid(2, scatter(1), scatter(2), scatter(3)),
		"film":            Animation(scatter(1), scatter(2), scatter(3)).Name("centers").Labels("one", "two", "three"),
	}
}

func TestGallery(t *testing.T) {
	for name, fig := range gallery() {
		t.Run(name, func(t *testing.T) {
			r, err := fig.Render()
			if err != nil {
				t.Fatal(err)
			}
			again, err := fig.Render()
			if err != nil || !bytes.Equal(r.Data, again.Data) {
				t.Errorf("the second rendering differs (%v)", err)
			}
			if r.Alt == "" || r.Width <= 0 || r.Height <= 0 {
				t.Errorf("alt %q, %d×%d", r.Alt, r.Width, r.Height)
			}
			ext := map[string]string{"image/svg+xml": ".svg", "text/html": ".html"}[r.MIME]
			path := filepath.Join("testdata", name+ext)
			if *update {
				if err := os.WriteFile(path, r.Data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(r.Data, want) {
				t.Errorf("the picture differs from %s; run with -update, look at it, and commit it if it is right", path)
			}
		})
	}
}

func TestSVGIsSmallAndServesBothThemes(t *testing.T) {
	x, y := blobs(1000)
	r, err := Scatter(x, y).Render()
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Data) > 60_000 {
		t.Errorf("1,000 points take %d bytes, want at most 60,000", len(r.Data))
	}
	svg := string(r.Data)
	if !strings.Contains(svg, "currentColor") || strings.Contains(svg, `"#7e7f80"`) || strings.Contains(svg, `id="`) {
		t.Error("axes are not currentColor, or there are ids")
	}
	if !strings.Contains(svg, `role="img"`) || !strings.Contains(svg, "1000 points in 3 classes") {
		t.Error("no description in words")
	}
}

func TestBadInputIsRefusedWithWords(t *testing.T) {
	x, y := blobs(9)
	inf := mat.NewDense(1, 2, []float64{math.Inf(1), 0})
	for name, c := range map[string]struct {
		fig  Figure
		want string
	}{
		"classes":        {Scatter(x, y[:3]), "3 classes for 9 points"},
		"infinite":       {Scatter(inf, nil), "row 0"},
		"empty":          {Scatter(&mat.Dense{}, nil), "0×0"},
		"values":         {New(Points(x).Values(nil)), "0 values"},
		"line":           {New(Line([]float64{1}, []float64{1, 2})), "1 and 2"},
		"band":           {New(Line(nil, []float64{1, 2}).Band(nil, nil)), "Band"},
		"size":           {New().Size(10, 10), "80 to 4000"},
		"limits":         {New().XLim(1, 0), "XLim"},
		"nan limits":     {New().YLim(math.NaN(), 0), "YLim"},
		"bars":           {BarChart([]string{"a"}, nil), "1 names"},
		"no bars":        {New(Bars(nil)), "no heights"},
		"nan bar":        {New(Bars([]float64{math.NaN()})), "NaN"},
		"histogram":      {New(Histogram(nil, 0)), "no values"},
		"bins":           {New(Histogram([]float64{1}, -1)), "bins"},
		"images":         {Images(x, 3, 3), "3×3"},
		"nan image":      {Images(mat.NewDense(1, 1, []float64{math.NaN()}), 1, 1), "row 0, column 0"},
		"captions":       {Images(x, 1, 2).Captions("a"), "1 for 9"},
		"no images":      {ColorImages(), "no images"},
		"regions":        {New(Regions(1, 0, 0, 1, nil)), "rectangle"},
		"voronoi":        {New(Voronoi(mat.NewDense(1, 3, nil), 0, 1, 0, 1)), "3 columns"},
		"edges":          {New(Edges(x, [][2]int{{0, 9}})), "edge 0"},
		"ellipse":        {New(Ellipse([]float64{1}, mat.NewSymDense(2, nil), 1)), "length 1"},
		"no frames":      {Animation(), "no frames"},
		"labels":         {Animation(New()).Labels("a", "b"), "2 labels"},
		"broken frame":   {Animation(New(), Scatter(inf, nil)), "frame 1"},
		"no columns":     {Grid(0, New()), "0 columns"},
		"film in a grid": {Grid(1, Animation(New())), "text/html"},
		"rule":           {New(HLine(math.NaN())), "NaN"},
	} {
		if _, err := c.fig.Render(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func TestOddButLegalInput(t *testing.T) {
	nan := math.NaN()
	for name, fig := range map[string]Figure{
		"nothing":        New(),
		"one point":      Scatter(mat.NewDense(1, 2, []float64{3, 3}), nil),
		"one column":     Scatter(mat.NewDense(3, 1, []float64{1, 2, 3}), nil),
		"all NaN":        Scatter(mat.NewDense(2, 2, []float64{nan, nan, nan, nan}), nil),
		"a NaN":          New(Line(nil, []float64{1, nan, 3})),
		"huge":           Scatter(mat.NewDense(2, 2, []float64{1e300, -1e300, 1, 1}), nil),
		"tiny":           Scatter(mat.NewDense(2, 2, []float64{1e-300, 0, 0, 1e-300}), nil),
		"noise":          Scatter(mat.NewDense(2, 2, []float64{1, 2, 3, 4}), []int{-1, 12}),
		"constant":       New(Histogram([]float64{2, 2, 2}, 0)),
		"equal centers":  New(Voronoi(mat.NewDense(2, 2, nil), -1, 1, -1, 1)),
		"escaped":        New().Title(`<b>"&`).X("a<b"),
		"constant image": Images(mat.NewDense(1, 4, nil), 2, 2),
	} {
		r, err := fig.Render()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(string(r.Data), "NaN") || strings.Contains(string(r.Data), "Inf") || strings.Contains(string(r.Data), "<b>") {
			t.Errorf("%s: the picture has a coordinate that is no number, or text that is not escaped", name)
		}
	}
}

// Sequential must read in grey: its lightness rises evenly, so equal steps of value look equal.
func TestColorMapsAreEven(t *testing.T) {
	prev := lightness(Sequential(0))
	for i := 1; i <= 32; i++ {
		l := lightness(Sequential(float64(i) / 32))
		if d := l - prev; d < 0.012 || d > 0.031 {
			t.Errorf("from %d to %d of 32 the lightness rises by %.4f, want about 0.02", i-1, i, d)
		}
		prev = l
	}
	for i := range 17 {
		a, b := lightness(Diverging(0.5-float64(i)/32)), lightness(Diverging(0.5+float64(i)/32))
		if math.Abs(a-b) > 0.05 {
			t.Errorf("%d steps below and above the middle are %.3f and %.3f light", i, a, b)
		}
	}
	if Sequential(math.NaN()) != Sequential(0) || Sequential(7) != Sequential(1) {
		t.Error("values outside [0, 1] are not clamped")
	}
}

func TestClassesCanBeToldApart(t *testing.T) {
	seen := map[string]bool{}
	for k := range 14 {
		g := Points(mat.NewDense(1, 2, nil)).Classes([]int{k}).style(k)
		key := fmt.Sprintf("%v %T", color.NRGBAModel.Convert(g.Color), g.Shape)
		if seen[key] {
			t.Errorf("class %d looks like an earlier one", k)
		}
		seen[key] = true
	}
}

// Voronoi cells cover the rectangle once, and each point of a cell is nearest to its center.
func TestVoronoiCellsTileTheRectangle(t *testing.T) {
	x, _ := blobs(25)
	l := Voronoi(x, -5, 5, -4, 4)
	total := 0.0
	for i := range 25 {
		cell := l.Cell(i)
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

func TestSave(t *testing.T) {
	dir := t.TempDir()
	x, y := blobs(9)
	for _, name := range []string{"a.svg", "a.html"} {
		path := filepath.Join(dir, name)
		if err := Save(Scatter(x, y), path); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || !bytes.Contains(b, []byte("</svg>")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, err := range []error{
		Save(Scatter(x, y), filepath.Join(dir, "a.png")), Save(Animation(New()), filepath.Join(dir, "b.svg")),
		Save(Scatter(x, y[:1]), filepath.Join(dir, "c.svg")), Save(Scatter(x, y), filepath.Join(dir, "none", "d.svg")),
	} {
		if err == nil {
			t.Error("no error")
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("%d files, want 2: something half written is left", len(entries))
	}
}
