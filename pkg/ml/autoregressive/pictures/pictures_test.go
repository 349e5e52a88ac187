package pictures

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/check"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// pictured is a model of pictures of any architecture, as the tests want it.
type pictured struct {
	name         string
	frame        frame
	canvas       *canvas
	like         likelihood
	weights      neural.Weights
	logProb      func(x mat.Matrix, labels ...int) ([]float64, error)
	conditionals func(x mat.Matrix, labels ...int) (*mat.Dense, error)
	draw         func(d Drawing, labels ...int) (*mat.Dense, error)
	walk         func(class int) (*Walk, error)
}

// labels are as many as the model wants for n pictures.
func (p pictured) labels(n int) []int {
	if p.frame.classes == 0 {
		return nil
	}
	y := make([]int, n)
	for i := range y {
		y[i] = i % p.frame.classes
	}
	return y
}

// randomly trains o for a few steps on random pictures.
func randomly[O architecture[O]](t *testing.T, name string, o O) pictured {
	t.Helper()
	t.Setenv("GOMLX_BACKEND", "go")
	f := o.frame()
	x := check.Symbols(3, 24, f.height*f.width, max(f.levels, 2))
	m, err := ml.Last(fitPictures(t.Context(), labelled(o, pictured{frame: f}.labels(24)), x))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	c, like, _, err := m.build()
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	return pictured{name, m.Options.frame(), c, like, m.Weights,
		func(x mat.Matrix, labels ...int) ([]float64, error) { return m.Given(labels...).LogProb(ctx, x) },
		func(x mat.Matrix, labels ...int) (*mat.Dense, error) { return m.Given(labels...).Conditionals(ctx, x) },
		func(d Drawing, labels ...int) (*mat.Dense, error) {
			return ml.Last(m.Given(labels...).Draw(ctx, d))
		},
		func(class int) (*Walk, error) {
			if f.classes == 0 {
				return m.Walk()
			}
			return m.Given(class).Walk()
		}}
}

// labelled is o with what its pictures show.
func labelled[O architecture[O]](o O, labels []int) O {
	switch p := any(&o).(type) {
	case *PixelCNN:
		p.Labels = labels
	case *PixelCNNPP:
		p.Labels = labels
	}
	return o
}

// pictureModels are one of each kind.
func pictureModels(t *testing.T, height, width, levels int) []pictured {
	b := neural.Train{Steps: 8, Batch: 12, LearningRate: 0.03, Backend: "go"}
	return []pictured{
		randomly(t, "masked", PixelCNN{Height: height, Width: width, Levels: levels, First: 3, Channels: 5, Layers: 2, Dropout: -1, Train: b}),
		randomly(t, "masked, classes", PixelCNN{Height: height, Width: width, Levels: levels, Classes: 2, Channels: 4, Layers: 1, First: 3, Train: b}),
		randomly(t, "gated", PixelCNN{Height: height, Width: width, Levels: levels, Gated: true, First: 5, Channels: 4, Layers: 2, Train: b}),
		randomly(t, "gated, classes", PixelCNN{Height: height, Width: width, Levels: levels, Gated: true, Classes: 3, Channels: 4, Layers: 1, First: 3, Kernel: 5, Train: b}),
		randomly(t, "++", PixelCNNPP{Height: height, Width: width, Levels: levels, Components: 2, Channels: 4, Blocks: 1, Train: b}),
		randomly(t, "++, halved, classes", PixelCNNPP{Height: height, Width: width, Levels: levels, Components: 2, Channels: 3, Blocks: 1, Halvings: 1, Classes: 2, Train: b}),
		randomly(t, "++, softmax", PixelCNNPP{Height: height, Width: width, Levels: levels, Components: -1, Channels: 3, Blocks: 2, Train: b}),
	}
}

// Summed over all 2⁹ pictures of 3×3 bits the probability is 1, whatever the weights.
func TestPicturesNormalize(t *testing.T) {
	for _, m := range pictureModels(t, 3, 3, 2) {
		all := check.EveryRow(9, 2)
		for class := range max(m.frame.classes, 1) {
			var given []int
			if m.frame.classes > 0 {
				given = []int{class}
			}
			logp, err := m.logProb(all, given...)
			if err != nil {
				t.Fatal(err)
			}
			total := 0.0
			for _, l := range logp {
				total += math.Exp(l)
			}
			if math.Abs(total-1) > 1e-5 {
				t.Errorf("%s, class %d: probabilities sum to %v", m.name, class, total)
			}
		}
	}
}

// jacobian returns, for every pixel of a sheet, how strongly its numbers depend on every pixel of
// the picture: [sheet's pixels][picture's pixels], sums over the channels of |∂|.
func jacobian(t *testing.T, m pictured, id int, seed uint64) *mat.Dense {
	t.Helper()
	s := m.canvas.sheets[id]
	pixels, d := s.height*s.width, m.frame.height*m.frame.width
	// As many copies of one picture as the sheet has pixels; of copy k only pixel k counts, so that
	// one gradient has all rows.
	f, err := neural.NewFunc("go", m.weights, func(scope *model.Scope, in []*graph.Node) []*graph.Node {
		g := in[0].Graph()
		var p pass
		if m.frame.classes > 0 {
			p = classPass(m.canvas, graph.Const(g, make([]int32, pixels)))
		}
		sheet := m.canvas.graph(scope, in[0], p)[id] // [pixels, height, width, channels]
		own := make([]float32, pixels*pixels)
		for k := range pixels {
			own[k*pixels+k] = 1
		}
		only := graph.Reshape(graph.Const(g, own), pixels, s.height, s.width, 1)
		total := graph.ZerosLike(in[0])
		for k := range min(s.channels, 3) {
			channel := graph.Slice(sheet, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(), graph.AxisRange(k, k+1))
			total = graph.Add(total, graph.Abs(graph.Gradient(graph.ReduceAllSum(graph.Mul(channel, only)), in[0])[0]))
		}
		return []*graph.Node{graph.Reshape(graph.ReduceSum(total, -1), pixels, d)}
	})
	if err != nil {
		t.Fatal(err)
	}
	picture, r := make([]float32, 0, pixels*d*2), rng.New(seed)
	one := make([]float32, 2*d)
	for i := range one {
		one[i] = float32(r.NormFloat64())
	}
	for range pixels {
		picture = append(picture, one...)
	}
	out, err := f.Call(tensors.FromFlatDataAndDimensions(picture, pixels, m.frame.height, m.frame.width, 2))
	if err != nil {
		t.Fatal(err)
	}
	j, err := neural.Matrix(out[0])
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// No sheet of any layer, and so no output, depends on a pixel that its moment does not allow: those
// derivatives are exactly 0, at random weights. A gated network and a PixelCNN++ of enough layers
// depend on every pixel that came before; a network of masks has its blind spot.
func TestPicturesSeeNothingTheyMustNot(t *testing.T) {
	for _, m := range pictureModels(t, 5, 4, 3) {
		height, width := m.frame.height, m.frame.width
		if known := m.canvas.output().known; known > before {
			t.Errorf("%s: the output is known %v the pixel", m.name, known)
		}
		for id, s := range m.canvas.sheets[1:] {
			j := jacobian(t, m, id+1, 8)
			for y := range s.height {
				for x := range s.width {
					row, at := j.RawRowView(y*s.width+x), y*s.scale*width+x*s.scale
					limit := map[moment]int{above: y * s.scale * width, before: at, including: at + 1}[s.known]
					for i, v := range row[limit:] {
						if v != 0 {
							t.Errorf("%s, sheet %d (%v): pixel %d,%d depends on pixel %d: %v", m.name, id+1, s.known, y, x, limit+i, v)
						}
					}
				}
			}
		}
		j, blind := mat.NewDense(height*width, height*width, nil), 0
		for seed := range uint64(4) { // a rectifier may hide a pixel in one picture, not in all
			j.Add(j, jacobian(t, m, len(m.canvas.sheets)-1, seed))
		}
		for k := range height * width {
			for i := range k {
				if j.At(k, i) == 0 {
					blind++
				}
			}
		}
		sees := m.name == "gated" || strings.HasPrefix(m.name, "++")
		if sees && blind > 0 {
			t.Errorf("%s: %d pairs of pixels have no derivative, though one comes before the other", m.name, blind)
		}
		if m.name == "masked" && blind == 0 {
			t.Errorf("%s: every pixel depends on all before; the blind spot should be there", m.name)
		}
	}
}

// A layer that reads too much can't be added.
func TestCanvasRefusesTheFuture(t *testing.T) {
	for name, taps := range map[string][]tap{"below": {{1, 0}}, "right": {{0, 1}}} {
		func() {
			defer func() {
				if p := recover(); p == nil || !strings.Contains(fmt.Sprint(p), "not there yet") {
					t.Errorf("%s: %v", name, p)
				}
			}()
			c := newCanvas(3, 3, 0)
			c.convolve("wrong", c.input(), 2, taps)
		}()
	}
	c := newCanvas(3, 3, 0)
	c.project("peeks", c.input(), 1)
	if _, err := c.prepare(constants{}); err == nil {
		t.Error("an output that sees its own pixel is taken")
	}
	for size, want := range map[int]int{3: 4, 5: 12, 7: 24} {
		if a, b := len(maskedTaps(size, false)), len(maskedTaps(size, true)); a != want || b != want+1 {
			t.Errorf("a mask of %d×%d has %d and %d taps, want %d and one more", size, size, a, b, want)
		}
	}
}

// The walk in Go and the graph say the same of every pixel.
func TestWalkIsTheGraph(t *testing.T) {
	for _, m := range pictureModels(t, 5, 7, 4) {
		const n = 4
		x := check.Symbols(9, n, 35, 4)
		want, err := m.conditionals(x, m.labels(n)...)
		if err != nil {
			t.Fatal(err)
		}
		p := make([]float64, 4)
		for class := range max(m.frame.classes, 1) {
			w, err := m.walk(class)
			if err != nil {
				t.Fatal(err)
			}
			for i := range n { // one walk after another: nothing of the last picture may be left
				if m.frame.classes > 0 && i%m.frame.classes != class {
					continue
				}
				for j := range 35 {
					if err := w.Predict(p); err != nil {
						t.Fatal(err)
					}
					for k, v := range p {
						if math.Abs(v-want.At(i, 4*j+k)) > 2e-6 {
							t.Fatalf("%s: picture %d, p(pixel %d = %d) is %v by the walk, %v by the graph", m.name, i, j, k, v, want.At(i, 4*j+k))
						}
					}
					w.Observe(int(x.At(i, j)))
				}
			}
			if err := w.Predict(p[:3]); !errors.Is(err, ml.ErrShape) {
				t.Errorf("three numbers for four levels: %v", err)
			}
		}
	}
}

// Sampling with cached columns gives the very pictures of the naive loop, for each seed; a picture
// depends on the seed and its number alone.
func TestPicturesSampleAsTheNaiveLoop(t *testing.T) {
	for _, levels := range []int{2, 5} {
		for _, m := range pictureModels(t, 4, 5, levels) {
			for seed := range uint64(3) {
				d := Drawing{N: 6, Seed: seed}
				fast, err := m.draw(d, m.labels(6)...)
				if err != nil {
					t.Fatal(err)
				}
				d.Naively = true
				slow, err := m.draw(d, m.labels(6)...)
				if err != nil {
					t.Fatal(err)
				}
				if !mat.Equal(fast, slow) {
					t.Errorf("%s, %d levels, seed %d: other pictures than by the naive loop", m.name, levels, seed)
				}
				few, err := m.draw(Drawing{N: 2, Seed: seed}, m.labels(2)...)
				if err != nil || !mat.Equal(few, fast.Slice(0, 2, 0, 20)) {
					t.Errorf("%s: two pictures are not the first two of six (%v)", m.name, err)
				}
			}
			start := check.Symbols(2, 3, 20, levels)
			done, err := m.draw(Drawing{Start: start, Known: 11, Seed: 1}, m.labels(3)...)
			if err != nil || !mat.Equal(done.Slice(0, 3, 0, 11), start.Slice(0, 3, 0, 11)) {
				t.Errorf("%s: a completion does not keep what is known (%v)", m.name, err)
			}
		}
	}
}

// The frequencies of samples are the probabilities of the model.
func TestPicturesSamplesFollowTheModel(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	x := check.Symbols(8, 60, 4, 3)
	for i := range 60 {
		x.Set(i, 3, x.At(i, 0))
	}
	m, err := PixelCNN{Gated: true, Levels: 3, Channels: 8, Layers: 2, Train: check.Brief(40)}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	check.SamplesFollow(t, "samples", m, 4, 3, 4000)
}

// Pictures whose rows are all one bit, each row's at random: log 2 nats a row are left. Given a
// class that says the first bit, one row less.
func TestPicturesFindStripes(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	r, x, y := rng.New(5), mat.NewDense(200, 16, nil), make([]int, 200)
	for i := range 200 {
		for row := range 4 {
			bit := r.IntN(2)
			if row == 0 {
				y[i] = bit
			}
			for col := range 4 {
				x.Set(i, 4*row+col, float64(bit))
			}
		}
	}
	train := neural.Train{Steps: 250, Batch: 50, LearningRate: 0.01, Schedule: neural.Cosine, Backend: "go"}
	m, err := PixelCNN{Classes: 2, Gated: true, Channels: 8, Layers: 1, First: 3, Dropout: -1, Labels: y, Train: train}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	logp, err := m.Given(y...).LogProb(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if nats := -stat.Mean(logp, nil); nats < 3*math.Ln2-0.1 || nats > 3*math.Ln2+0.1 {
		t.Errorf("%.3f nats, want %.3f", nats, 3*math.Ln2)
	}
	s, err := m.Given(0, 1, 0, 1, 1, 1).Sample(t.Context(), 6, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, class := range []int{0, 1, 0, 1, 1, 1} {
		if s.At(i, 0) != float64(class) {
			t.Errorf("a picture of class %d begins with %v", class, s.At(i, 0))
		}
	}
	if _, err := m.LogProb(t.Context(), x); !errors.Is(err, ml.ErrShape) {
		t.Errorf("pictures without labels, of a model with classes: %v", err)
	}
	if _, err := m.Given(2).Walk(); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("a walk of a class that there is not: %v", err)
	}
}

func TestPicturesTraining(t *testing.T) {
	x := check.Symbols(9, 40, 12, 3)
	small := smallSNAIL(1)
	for name, run := range map[string]func(t *testing.T){
		"PixelCNN": func(t *testing.T) {
			fit := func(channels int) func(context.Context, neural.Train) (*PixelCNNModel, error) {
				return func(ctx context.Context, t neural.Train) (*PixelCNNModel, error) {
					return PixelCNN{Height: 3, Width: 4, Levels: 3, Gated: true, Channels: channels, Layers: 1, Train: t}.Fit(ctx, x)
				}
			}
			check.Trains(t, x, fit(4), fit(5))
		},
		"PixelCNN++": func(t *testing.T) {
			fit := func(channels int) func(context.Context, neural.Train) (*PixelCNNPPModel, error) {
				return func(ctx context.Context, t neural.Train) (*PixelCNNPPModel, error) {
					return PixelCNNPP{Height: 3, Width: 4, Levels: 3, Components: 2, Halvings: 1, Channels: channels, Blocks: 1, Train: t}.Fit(ctx, x)
				}
			}
			check.Trains(t, x, fit(3), fit(4))
		},
		"PixelSNAIL": func(t *testing.T) {
			fit := func(dropout float64) func(context.Context, neural.Train) (*PixelSNAILModel, error) {
				return func(ctx context.Context, t neural.Train) (*PixelSNAILModel, error) {
					o := small
					o.Height, o.Width, o.Levels, o.Dropout, o.Train = 3, 4, 3, dropout, t
					return o.Fit(ctx, x)
				}
			}
			check.Trains(t, x, fit(0.2), fit(0.3))
		},
		"ParallelMultiscale": func(t *testing.T) {
			x := check.Symbols(6, 40, 16, 2)
			fit := func(groups []int) func(context.Context, neural.Train) (*ParallelMultiscaleModel, error) {
				return func(ctx context.Context, t neural.Train) (*ParallelMultiscaleModel, error) {
					o := smallParallel(1)
					o.Dropout, o.Groups, o.Train = 0.2, groups, t
					return o.Fit(ctx, x)
				}
			}
			check.Trains(t, x, fit(nil), fit([]int{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1}))
		},
		"SuperResolution": func(t *testing.T) {
			x := check.Symbols(6, 40, 8, 2)
			fit := func(low Lowering) func(context.Context, neural.Train) (*SuperResolutionModel, error) {
				return func(ctx context.Context, t neural.Train) (*SuperResolutionModel, error) {
					o := SuperResolution{Low: low, Network: small}
					o.Network.Height, o.Network.Width, o.Network.Train = 2, 4, t
					return o.Fit(ctx, x)
				}
			}
			check.Trains(t, x, fit(""), fit(Means))
		},
	} {
		t.Run(name, run)
	}
}

func TestPicturesConformance(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	train, x := neural.Train{Steps: 6, Batch: 10}, check.Symbols(5, 30, 9, 3)
	g := PixelCNN{Levels: 3, Gated: true, Channels: 4, Layers: 1, Train: train}
	mltest.Run(t, mltest.Method[PixelCNNModel]{Fit: g.Fit, Iterate: g.Iterate, Data: x})
	p := PixelCNNPP{Levels: 3, Components: 2, Channels: 3, Blocks: 1, Train: train}
	mltest.Run(t, mltest.Method[PixelCNNPPModel]{Fit: p.Fit, Iterate: p.Iterate, Data: x})
}

// A drawing ends with its context, with the pictures so far.
func TestDrawingIsCancelled(t *testing.T) {
	m, err := PixelCNNPP{Levels: 3, Components: 2, Channels: 3, Blocks: 1, Train: check.Brief(2)}.Fit(t.Context(), check.Symbols(1, 30, 9, 3))
	if err != nil {
		t.Fatal(err)
	}
	drawing, end := context.WithCancel(t.Context())
	defer end()
	rows := 0
	for x, err := range m.Draw(drawing, Drawing{N: 3}) {
		if rows++; rows == 2 {
			end()
		}
		if err != nil {
			if !errors.Is(err, context.Canceled) || x == nil || rows != 3 {
				t.Errorf("a cancelled drawing gives %v after %d rows, with %v", err, rows, x)
			}
		}
	}
	if rows != 3 {
		t.Errorf("a drawing cancelled in its second row goes on for %d", rows)
	}
}

func TestPicturesRefuse(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	x := check.Symbols(1, 10, 9, 2)
	wrong := mat.DenseCopyOf(x)
	wrong.Set(7, 1, 3)
	for name, c := range map[string]struct {
		o     PixelCNN
		x     mat.Matrix
		says  string
		cause error
	}{
		"a level too high": {PixelCNN{}, wrong, "row 7, column 1", ml.ErrParameter}, "levels": {PixelCNN{Levels: 1}, x, "Levels", ml.ErrParameter},
		"channels": {PixelCNN{Channels: -1}, x, "Channels", ml.ErrParameter}, "layers": {PixelCNN{Layers: -1}, x, "Layers", ml.ErrParameter},
		"kernel": {PixelCNN{Kernel: 4}, x, "Kernel", ml.ErrParameter}, "first": {PixelCNN{First: 1}, x, "First", ml.ErrParameter},
		"dropout": {PixelCNN{Dropout: 1}, x, "Dropout", ml.ErrParameter}, "NaN dropout": {PixelCNN{Dropout: math.NaN()}, x, "Dropout", ml.ErrParameter},
		"no square": {PixelCNN{}, x.Slice(0, 10, 0, 8), "Height, Width", ml.ErrParameter}, "height": {PixelCNN{Height: -3, Width: 3}, x, "Height", ml.ErrParameter},
		"one side": {PixelCNN{Height: 3}, x, "Height, Width", ml.ErrParameter}, "other size": {PixelCNN{Height: 3, Width: 4}, x, "3·4", ml.ErrShape},
		"batch": {PixelCNN{Train: neural.Train{Batch: -1}}, x, "Batch", ml.ErrParameter}, "holdout": {PixelCNN{Train: neural.Train{Holdout: 1}}, x, "Holdout", ml.ErrParameter},
		"classes without labels": {PixelCNN{Classes: 2}, x, "labels", ml.ErrShape}, "classes": {PixelCNN{Classes: -1}, x, "Classes", ml.ErrParameter},
	} {
		if _, err := c.o.Fit(t.Context(), c.x); !errors.Is(err, c.cause) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want an error that wraps %q and says %q", name, err, c.cause, c.says)
		}
	}
	for name, o := range map[string]PixelCNNPP{"Components": {Components: 1001}, "Halvings": {Halvings: 11}, "First": {First: 2}, "Blocks": {Blocks: -1}, "Channels": {Channels: -1}, "Levels": {Levels: -1}, "Dropout": {Dropout: 2}, "Classes": {Classes: -1}} {
		if _, err := o.Fit(t.Context(), x); !errors.Is(err, ml.ErrParameter) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]struct {
		labels     []int
		validation mat.Matrix
		its        []int
		cause      error
	}{
		"no labels": {nil, nil, nil, ml.ErrShape}, "too few labels": {[]int{0, 1}, nil, nil, ml.ErrShape}, "a label too high": {[]int{0, 1, 0, 1, 0, 1, 0, 1, 0, 2}, nil, nil, ml.ErrParameter},
		"other validation": {make([]int, 10), mat.NewDense(2, 4, nil), []int{0, 1}, ml.ErrShape}, "validation without labels": {make([]int, 10), x, nil, ml.ErrShape},
	} {
		o := PixelCNN{Classes: 2, Labels: c.labels, Train: check.Brief(1)}
		o.Train.Validation, o.Train.ValidationLabels = c.validation, c.its
		if _, err := o.Fit(t.Context(), x); !errors.Is(err, c.cause) {
			t.Errorf("%s: %v, want an error that wraps %q", name, err, c.cause)
		}
	}
	m, err := PixelCNN{Channels: 3, Layers: 1, Train: check.Brief(2)}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.LogProb(t.Context(), mat.NewDense(1, 4, nil)); !errors.Is(err, ml.ErrShape) {
		t.Errorf("four columns for nine: %v", err)
	}
	if _, err := m.Conditionals(t.Context(), wrong); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("a level too high: %v", err)
	}
	if _, err := m.Given(make([]int, 10)...).LogProb(t.Context(), x); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("labels for a model without classes: %v", err)
	}
	if _, err := m.Sensitivity(t.Context(), x, 3, 0); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("a pixel outside: %v", err)
	}
	if _, err := m.Sample(t.Context(), 0, 1); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("no samples: %v", err)
	}
	for name, d := range map[string]Drawing{
		"nothing": {}, "negative": {N: -1}, "known of nothing": {N: 2, Known: 3}, "known too many": {Start: x, Known: 10}, "other number": {N: 3, Start: x}, "a level too high": {Start: wrong, Known: 1},
	} {
		if _, err := ml.Last(m.Draw(t.Context(), d)); !errors.Is(err, ml.ErrParameter) {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := &PixelCNNModel{Options: m.Options, Trained: neural.Trained{Weights: m.Weights}}
	broken.Options.Channels = 4
	if _, err := broken.Sample(t.Context(), 1, 1); !errors.Is(err, ml.ErrShape) {
		t.Errorf("weights of another network: %v", err)
	}
}

// The gradient that notebooks draw is 0 in the blind spot and after the pixel, and nowhere else for
// the gated network.
func TestSensitivity(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	x := check.Symbols(1, 20, 49, 2)
	for _, gated := range []bool{false, true} {
		m, err := PixelCNN{Gated: gated, Channels: 8, Layers: 3, First: 3, Train: neural.Train{Steps: 5, LearningRate: 0.01}}.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		s, err := m.Sensitivity(t.Context(), x, 4, 3)
		if err != nil {
			t.Fatal(err)
		}
		for j := range 49 {
			var most float64
			for i := range 20 {
				most = max(most, math.Abs(s.At(i, j)))
			}
			row, col := j/7, j%7
			rows := 4 - row // above
			// a step up brings at most one to the right, and one to the right alone comes nowhere
			reachable := j < 4*7+3 && rows <= 4 && col-3 >= -4
			blind := row < 4 && col-3 > rows
			want := reachable && (gated || !blind)
			if gated && row == 4 {
				want = col < 3
			}
			if want != (most != 0) {
				t.Errorf("gated %v: the derivative at %d, %d is %v, want it to be 0: %v", gated, row, col, most, !want)
			}
		}
	}
}
