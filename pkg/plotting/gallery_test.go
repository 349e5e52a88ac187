package plotting

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"fmt"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/plot/plotter"

	"github.com/golatent/latent/internal/rng"
)

var update = flag.Bool("update", false, "write the golden pictures anew; look at them before you commit")

// blobs is a fixed sample for pictures: three clusters.
func blobs(n int) (*mat.Dense, []int) {
	r := rng.New(1)
	x, y := mat.NewDense(n, 2, nil), make([]int, n)
	for i := range n {
		y[i] = i % 3
		sin, cos := math.Sincos(2 * math.Pi * float64(y[i]) / 3)
		x.Set(i, 0, 2*cos+0.5*r.NormFloat64())
		x.Set(i, 1, 2*sin+0.5*r.NormFloat64())
	}
	return x, y
}

// merges is a tree over the first n points by single linkage, written naively.
func merges(x *mat.Dense, n int) (left, right []int, height []float64) {
	clusters := map[int][]int{}
	for i := range n {
		clusters[i] = []int{i}
	}
	for step := range n - 1 {
		bestA, bestB, best := -1, -1, math.Inf(1)
		for a := range n + step {
			for b := range a {
				for _, i := range clusters[a] {
					for _, j := range clusters[b] {
						if d := math.Hypot(x.At(i, 0)-x.At(j, 0), x.At(i, 1)-x.At(j, 1)); d < best {
							bestA, bestB, best = a, b, d
						}
					}
				}
			}
		}
		clusters[n+step] = append(clusters[bestB], clusters[bestA]...)
		delete(clusters, bestA)
		delete(clusters, bestB)
		left, right, height = append(left, bestB), append(right, bestA), append(height, best)
	}
	return left, right, height
}

// nearest is a model's Predict: the row of centers nearest to each point.
func nearest(centers *mat.Dense) func(mat.Matrix) ([]int, error) {
	return func(x mat.Matrix) ([]int, error) {
		n, _ := x.Dims()
		k, _ := centers.Dims()
		out := make([]int, n)
		for i := range out {
			best := math.Inf(1)
			for c := range k {
				if d := math.Hypot(x.At(i, 0)-centers.At(c, 0), x.At(i, 1)-centers.At(c, 1)); d < best {
					out[i], best = c, d
				}
			}
		}
		return out, nil
	}
}

func names(prefix string, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint(prefix, i))
	}
	return out
}

// gallery holds each kind of figure, as a reader would write it.
func gallery() map[string]Figure {
	x, y := blobs(150)
	big, bigY := blobs(20000)
	centers := mat.NewDense(3, 2, []float64{2, 0, -1, 1.7, -1, -1.7})
	cov := mat.NewSymDense(2, []float64{0.25, 0.1, 0.1, 0.3})
	steps := []float64{120, 61, 44, 40.2, 39.5, 39.4}
	at, mid, lo, hi := make([]float64, 20), make([]float64, 20), make([]float64, 20), make([]float64, 20)
	for i := range at {
		at[i], mid[i] = float64(i), math.Exp(-float64(i)/6)
		lo[i], hi[i] = mid[i]-0.05-0.01*float64(i), mid[i]+0.05+0.01*float64(i)
	}
	bump := func(a, b float64) float64 { return math.Exp(-(a*a+b*b)/4) - .8*math.Exp(-((a-2)*(a-2)+b*b)/2) }
	digits, signed, rgb := mat.NewDense(12, 64, nil), mat.NewDense(6, 64, nil), mat.NewDense(3, 16*16*3, nil)
	for i := range 12 {
		for j := range 64 {
			digits.Set(i, j, max(0, 8-4*math.Abs(math.Hypot(float64(j%8)-3.5, float64(j/8)-3.5)-float64(i)/3)))
			if i < 6 {
				signed.Set(i, j, math.Sin(float64(i+1)*float64(j%8)/3)*math.Cos(float64(j/8)/2))
			}
		}
	}
	for i := range 3 {
		for k := range 16 * 16 {
			rgb.Set(i, 3*k, float64(k%16)/15)
			rgb.Set(i, 3*k+1, float64(k/16)/15)
			rgb.Set(i, 3*k+2, float64(i)/2)
		}
	}
	angle := make([]float64, 150)
	for i := range angle {
		angle[i] = math.Atan2(x.At(i, 1), x.At(i, 0))
	}
	wave := mat.NewDense(40, 60, nil)
	wave.Apply(func(i, j int, _ float64) float64 { return math.Sin(float64(i)/5) * math.Cos(float64(j)/7) }, wave)
	positive := mat.NewDense(40, 60, nil)
	positive.Apply(func(i, j int, v float64) float64 { return v*v + float64(i+j)/60 }, wave)
	left, right, height := merges(x, 24)
	var links [][2]int
	var weights []float64
	for i := range 150 {
		for j := range i {
			if d := math.Hypot(x.At(i, 0)-x.At(j, 0), x.At(i, 1)-x.At(j, 1)); d < .5 {
				links, weights = append(links, [2]int{i, j}), append(weights, math.Exp(-d*d*8))
			}
		}
	}
	norm := func(p float64) func(a, b float64) float64 {
		return func(a, b float64) float64 {
			return math.Pow(math.Pow(math.Abs(a), p)+math.Pow(math.Abs(b), p), 1/p)
		}
	}
	step := func(k int) *Plot {
		return Scatter(x, y).Add(Centers(centers.Slice(0, k, 0, 2))).Title(fmt.Sprintf("%d centers", k)).X("x").Y("y")
	}
	gonum, _ := plotter.NewLine(plotter.XYs{{X: -2, Y: -2}, {X: 0, Y: 2}, {X: 2, Y: -2}})
	noise := slices.Clone(y)
	for i := 0; i < 150; i += 10 {
		noise[i] = -1
	}
	fourteen := make([]int, 150)
	for i := range fourteen {
		fourteen[i] = i % 14
	}
	ten := make([]int, 150)
	for i := range ten {
		ten[i] = int(math.Mod(angle[i]+2*math.Pi, 2*math.Pi) / (2 * math.Pi) * 10)
	}
	rings := func(points mat.Matrix) ([]int, error) {
		n, _ := points.Dims()
		classes := make([]int, n)
		for i := range classes {
			classes[i] = int(math.Hypot(points.At(i, 0), points.At(i, 1))) % 4
		}
		return classes, nil
	}
	towns := mat.NewDense(4, 2, []float64{0, 0, 3, 1, 1, 2.5, 4, 3})
	return map[string]Figure{
		"scatter-classes":  Scatter(x, y).Names("setosa", "versicolor", "virginica").Title("Three clusters").X("petal length (cm)").Y("petal width (cm)"),
		"scatter-plain":    Points(x),
		"scatter-noise":    Points(x).Classes(noise, "one", "two", "three").Title("Noise is gray"),
		"scatter-fourteen": Scatter(x, fourteen).Title("Fourteen classes by color and shape"),
		"scatter-tags":     Scatter(x, ten).Names("setosa", "versicolor", "virginica").LabelClasses().Title("Ten classes, named where they are"),
		"scatter-values":   Points(x).Values(angle).Label("angle (rad)").X("first component").Y("second component"),
		"scatter-large":    Scatter(big, bigY).Title("20,000 points").X("x1").Y("x2"),
		"scatter-labels":   Points(towns).Labels("Ulm", "Bonn", "Kiel", "Jena").Arrows(towns),
		"arrows":           Points(x).Color(Ink).Opacity(.4).Add(Arrows(mat.NewDense(2, 2, nil), mat.NewDense(2, 2, []float64{2, .5, -.7, 1.8})).Labels("PC 1", "PC 2")).Title("Loadings"),
		"lines":            New(Line(nil, steps).Dots().Label("J"), HLine(39.4).Label("optimum")).X("iteration").Y("distortion J").Title("J never rises"),
		"lines-many":       Lines(at, mid, lo, hi).Names("mean", "lowest", "highest").X("step").Y("loss"),
		"band":             New(Line(at, mid).Band(lo, hi).Label("mean of 10 seeds"), Line(at, hi).Class(1).Label("worst")).X("step").Y("loss"),
		"log":              Line([]float64{1, 10, 100, 1000, 10000}, []float64{1e-4, 3e-3, .1, 2, 70}).Dots().LogX().LogY().X("n").Y("seconds"),
		"function":         New(Function(math.Sin, 0, 10).Label("sin"), Function(math.Cos, 0, 10).Label("cos"), VLine(math.Pi), Note(math.Pi, .9, "π")),
		"histogram":        New(Histogram(angle, 0)).X("angle (rad)"),
		"histogram-two":    New(Histogram(angle, 12).Normalized().Label("angle"), Histogram(mat.Col(nil, 0, x), 12).Normalized().Label("x1")).X("value"),
		"bars":             BarChart([]string{"k-means++", "random", "greedy"}, []float64{3, 5, 2.5}).Errors([]float64{.3, .8, .2}).Y("inertia"),
		"bars-groups":      BarChart([]string{"iris", "wine", "digits"}, []float64{.9, .7, .5}, []float64{.8, .75, .6}).Names("k-means", "Gaussian mixture").Y("purity"),
		"bars-horizontal":  BarChart([]string{"silhouette of the partition", "adjusted Rand index", "purity"}, []float64{.55, .73, -.2}).Horizontal().X("score"),
		"regions":          New(Decision(rings), Points(x).Classes(y)).XLim(-4, 4).YLim(-4, 4).Equal().Size(420, 400),
		"decision":         Decision(nearest(centers)).Add(Scatter(x, y)).Title("Decision regions").X("x").Y("y"),
		"voronoi":          New(Voronoi(centers), Scatter(x, y)).Title("Cells of three centers"),
		"voronoi-many":     Voronoi(x.Slice(0, 40, 0, 2), -4, 4, -4, 4).Size(420, 400),
		"contours":         Isolines(Pointwise(bump)).XLim(-4, 4).YLim(-4, 4).Title("Contours"),
		"density":          New(Shade(Pointwise(bump)), Isolines(Pointwise(bump)).Levels(-.4, -.2, .2, .4).Color(Ink)).XLim(-4, 4).YLim(-4, 4).Size(480, 400),
		"density-points":   Shade(Pointwise(func(a, b float64) float64 { return math.Exp(-(a*a + b*b) / 4) })).Label("density").Add(Points(x).Color(ClassColor(1))),
		"heatmap":          Heatmap(positive, nil).X("time").Y("neuron").Label("rate (Hz)"),
		"heatmap-signed":   Heatmap(wave, nil).Title("Signed values"),
		"heatmap-wide":     Heatmap(mat.NewDense(1, 64, mat.Row(nil, 0, digits)), nil).Title("One row"),
		"matrix":           Matrix(mat.NewDense(3, 3, []float64{50, 0, 0, 0, 48, 14, 0, 2, 36})).RowNames("setosa", "versicolor", "virginica").ColumnNames("a", "b", "c").X("cluster").Y("class").Title("Confusion"),
		"matrix-signed":    Matrix(mat.NewDense(3, 4, []float64{1, -.25, .333333, 0, -.25, 1, .1, -1e-5, .33, .1, math.NaN(), 12345.678})),
		"ellipse":          New(Points(x).Classes(y), Ellipse([]float64{2, 0}, cov).Label("component 1"), Ellipse([]float64{-1, 1.7}, cov).Label("component 2")),
		"balls":            New(Ball(norm(1)).Label("Manhattan"), Ball(norm(2)).Label("Euclid"), Ball(norm(4)).Label("p = 4"), Ball(func(a, b float64) float64 { return max(math.Abs(a), math.Abs(b)) }).Label("maximum")).Title("Unit balls"),
		"graph":            New(Edges(x, links).Values(weights), Scatter(x, y)).Title("Similarity graph").Bare(),
		"eigengap":         Eigengap([]float64{0, .01, .02, .6, .65, .7, .72}).Y("eigenvalue of L"),
		"dendrogram":       Dendrogram(left, right, height).Cut(1).Title("Single linkage"),
		"dendrogram-names": Dendrogram(left, right, height).Labels(names("package ", 24)...).Horizontal(),
		"images":           Images(digits, 8, 8).Title("Twelve centers").Captions(strings.Split("abcdefghijkl", "")...),
		"images-signed":    Images(signed, 8, 8).Title("Loadings"),
		"images-rgb":       RGBImages(rgb, 16, 16),
		"thumbnails":       Thumbnails(x.Slice(0, 12, 0, 2), digits, 8, 8).Classes(y[:12]),
		"grid":             Grid(3, step(1), step(2), step(3)).Shared().Title("One to three centers"),
		"grid-mixed":       Grid(2, step(2), Heatmap(wave, nil), Line(nil, steps).Dots().X("iteration").Y("a long\nlabel"), Images(digits, 8, 8)),
		"film":             Animation(step(1), step(2), step(3)).Name("centers").Labels("one", "two", "three"),
		"gonum":            Points(x).Add(Gonum(gonum)),
	}
}

// Arrows joins the first point to the others: a helper of one picture.
func (p *Plot) Arrows(x *mat.Dense) *Plot {
	n, _ := x.Dims()
	from := mat.NewDense(n-1, 2, nil)
	from.Apply(func(_, j int, _ float64) float64 { return x.At(0, j) }, from)
	return Arrows(from, x.Slice(1, n, 0, 2)).Color(Ink).Opacity(.5).Add(p).Bare()
}

var embedded = regexp.MustCompile(`data:image/png;base64,[A-Za-z0-9+/=]+`)

// settled replaces embedded images by their size and a digest of their pixels: another release of
// Go may compress them otherwise.
func settled(t *testing.T, doc []byte) []byte {
	t.Helper()
	return embedded.ReplaceAllFunc(doc, func(b []byte) []byte {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(b), "data:image/png;base64,"))
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		for y := range img.Bounds().Dy() {
			for x := range img.Bounds().Dx() {
				r, g, b, a := img.At(x, y).RGBA()
				h.Write([]byte{byte(r >> 8), byte(g >> 8), byte(b >> 8), byte(a >> 8)})
			}
		}
		return fmt.Appendf(nil, "image %d×%d %x", img.Bounds().Dx(), img.Bounds().Dy(), h.Sum(nil)[:8])
	})
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
			if len(r.Data) > 160_000 {
				t.Errorf("%d bytes", len(r.Data))
			}
			path := filepath.Join("testdata", name+map[string]string{"image/svg+xml": ".svg", "text/html": ".html"}[r.MIME])
			if *update {
				if err := os.WriteFile(path, r.Data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			// Other processors may round the last bit of a sum otherwise.
			if runtime.GOARCH == "amd64" && !bytes.Equal(settled(t, r.Data), settled(t, want)) {
				t.Errorf("the picture differs from %s; run with -update, look at it, and commit it if it is right", path)
			}
		})
	}
}
