package pictures

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/symbol"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// ParallelMultiscale takes the pixels of a group for independent, given the groups before (Reed et
// al., 2017):
//
//	log p(x) = Σ_g Σ_{j in g} log p(x_j | all groups before g)
//
// A picture is drawn in as many passes as there are groups, which do not grow with the number of
// pixels but with its logarithm. What is lost is what the pixels of a group tell each other; with
// one pixel a group nothing is. The likelihood is exact for the model, and costs a pass for each
// group.
//
// One network serves all groups: it sees the pixels that are there, 0 where none is, and which
// these are, and says something of all places. In a step each picture trains one group, that of a
// pixel by chance, so that the loss is −log p(x) in nats on average: the more groups, the more
// steps a training wants.
type ParallelMultiscale struct {
	Height, Width int     // of a picture; Height·Width is the number of columns. 0 for both means that pictures are square
	Levels        int     // values a pixel can take, 0 to Levels−1; 0 means 2
	Groups        []int   // the group of each pixel, 0 for the first; nil means MultiscaleGroups
	Channels      int     // of each layer; 0 means 48
	Layers        int     // gated residual layers; 0 means 4
	Dropout       float64 // share of numbers that a step leaves out, in each layer; 0 means 0.1, negative none
	Train         neural.Train
}

// ParallelMultiscaleModel is a trained ParallelMultiscale.
type ParallelMultiscaleModel struct {
	neural.Trained
	Options ParallelMultiscale // all filled in, without Train
}

func init() { ml.Register[ParallelMultiscaleModel]("pictures.ParallelMultiscaleModel") }

const parallelMethod = "pictures.ParallelMultiscale"

// MultiscaleGroups doubles a picture again and again: the pixel in the corner, then three groups a
// doubling, those to the right of what is there, those below, and those between. An 8×8 picture has
// 10 groups, one of 28×28 has 16.
func MultiscaleGroups(height, width int) []int {
	groups := make([]int, height*width)
	for i := range groups {
		groups[i] = -1
	}
	next := 0
	take := func(top, left, step int) {
		some := false
		for y := top; y < height; y += step {
			for x := left; x < width; x += step {
				if groups[y*width+x] < 0 {
					groups[y*width+x], some = next, true
				}
			}
		}
		if some {
			next++
		}
	}
	step := 1
	for step < max(height, width) {
		step *= 2
	}
	take(0, 0, step)
	for ; step > 1; step /= 2 {
		take(0, step/2, step)
		take(step/2, 0, step)
		take(step/2, step/2, step)
	}
	return groups
}

// Fit trains on the rows of x; with validation data (Train.Validation, Train.Holdout) the weights
// kept are those of the report with the lowest validation loss, which is measured on 4 groups of
// each picture, those of pixels spread evenly over it. Errors are those of PixelCNN.Fit.
func (o ParallelMultiscale) Fit(ctx context.Context, x mat.Matrix) (*ParallelMultiscaleModel, error) {
	return ml.Last(o.Iterate(ctx, x))
}

// Iterate yields the model at each report of the training.
func (o ParallelMultiscale) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*ParallelMultiscaleModel, error] {
	return neural.Models(ctx, func() (neural.Train, neural.Problem, func(neural.Trained) *ParallelMultiscaleModel, error) {
		full, p, err := o.problem(x)
		t := o.Train.Or(neural.Train{Steps: 700, Batch: 64, LearningRate: 2e-3, Schedule: neural.Cosine, EMA: 0.99, ClipNorm: 100})
		return t, p, func(r neural.Trained) *ParallelMultiscaleModel {
			return &ParallelMultiscaleModel{Trained: r, Options: full}
		}, err
	})
}

func (o ParallelMultiscale) complete(d int) (ParallelMultiscale, error) {
	var errs [6]error
	o.Height, o.Width, errs[0] = square(parallelMethod, o.Height, o.Width, d)
	o.Levels, errs[1] = symbol.Levels(parallelMethod, o.Levels)
	o.Channels, errs[2] = countOf(parallelMethod, "Channels", o.Channels, 48, 4096)
	o.Layers, errs[3] = countOf(parallelMethod, "Layers", o.Layers, 4, 1000)
	o.Dropout, errs[4] = dropoutOf(parallelMethod, o.Dropout, 0.1)
	if err := errors.Join(errs[:]...); err != nil {
		return o, err
	}
	if o.Height*o.Width != d {
		return o, ml.BadShape(parallelMethod, "the matrix has %d columns, Height·Width is %d·%d", d, o.Height, o.Width)
	}
	if o.Groups == nil {
		o.Groups = MultiscaleGroups(o.Height, o.Width)
	}
	if len(o.Groups) != d {
		return o, ml.BadShape(parallelMethod, "there are %d groups for %d pixels", len(o.Groups), d)
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(o.Groups)))
	if !slices.Equal(sorted, symbol.UpTo(len(sorted))) {
		return o, ml.BadParameter(parallelMethod, "Groups", fmt.Sprintf("%.60s", fmt.Sprint(o.Groups)), "numbers from 0 on, none left out")
	}
	return o, nil
}

// count is the number of groups, and of passes that a sample takes.
func (o ParallelMultiscale) count() int { return slices.Max(o.Groups) + 1 }

func (o ParallelMultiscale) problem(x mat.Matrix) (full ParallelMultiscale, p neural.Problem, err error) {
	p.Method = parallelMethod
	y, err := ml.Dense(parallelMethod, x)
	if err != nil {
		return full, p, err
	}
	_, d := y.Dims()
	if full, err = o.complete(d); err != nil {
		return full, p, err
	}
	full.Train = neural.Train{}
	f := frame{parallelMethod, full.Height, full.Width, full.Levels, 0}
	parts, err := o.Train.Divide(parallelMethod, y)
	if err != nil {
		return full, p, err
	}
	if p.Data, err = arrays(f, parts.Train, nil); err != nil {
		return full, p, err
	}
	if parts.Validation != nil {
		if p.Validation, err = arrays(f, parts.Validation, nil); err != nil {
			return full, p, fmt.Errorf("validation: %w", err)
		}
	}
	c := full.network()
	p.Noise = append([]neural.Noise{{Kind: neural.Uniform, Shape: []int{1}}}, c.noise()...)
	p.Options = full
	p.Loss = func(s *model.Scope, b neural.Batch) neural.Loss {
		at, noise := b.Noise[0], b.Noise[1:]
		x := b.Data[0]
		if !b.Training { // the same pictures several times, their pixels spread evenly over the picture
			const times = 4
			var xs, ats []*graph.Node
			for k := range times {
				xs = append(xs, x)
				shifted := graph.AddScalar(at, float64(k)/times)
				ats = append(ats, graph.Sub(shifted, graph.Floor(shifted)))
			}
			x, at, noise = graph.Concatenate(xs, 0), graph.Concatenate(ats, 0), nil
		}
		return neural.Loss{Total: graph.Neg(graph.ReduceAllMean(full.estimate(s, c, x, at, noise)))}
	}
	return full, p, nil
}

// network sees what is there: nothing in it needs a mask.
func (o ParallelMultiscale) network() *canvas {
	c := newCanvas(o.Height, o.Width, 0)
	h := c.convolve("first", c.join(c.given(2), (PixelSNAIL{}).coordinates(c, "where")), o.Channels, allTaps(5))
	for l := range o.Layers {
		h = c.gatedResidual(fmt.Sprintf("layer%d", l), h, nil, allTaps(3), o.Dropout)
	}
	c.project("out", c.elus(h), categories(o.Levels).outputs())
	return c
}

// says is what the network puts out where the pixels of groups below before, [b], are there.
// Shapes: [b, height, width] to [b, height, width, outputs].
func (o ParallelMultiscale) says(s *model.Scope, c *canvas, x, before *graph.Node, noise []*graph.Node) *graph.Node {
	there := graph.ConvertDType(graph.LessThan(graph.BroadcastToShape(o.groupsOf(x), x.Shape()), graph.BroadcastToShape(graph.Reshape(before, -1, 1, 1), x.Shape())), dtypes.Float32)
	value := graph.Mul(there, graph.AddScalar(graph.MulScalar(x, 2/float64(o.Levels-1)), -1))
	in := graph.Stack([]*graph.Node{value, there}, -1)
	sheets := c.graph(s, in, pass{given: in, noise: noise})
	return sheets[len(sheets)-1]
}

func (o ParallelMultiscale) groupsOf(x *graph.Node) *graph.Node { // [1, height, width]
	table := make([]float32, len(o.Groups))
	for j, g := range o.Groups {
		table[j] = float32(g)
	}
	return graph.Reshape(graph.Const(x.Graph(), table), 1, o.Height, o.Width)
}

// groupLogProb is Σ log p of the pixels of a group, [b], given those before, and how many they are.
// Shapes: [b, height, width], [b] to [b], [b].
func (o ParallelMultiscale) groupLogProb(s *model.Scope, c *canvas, x, group *graph.Node, noise []*graph.Node) (logp, size *graph.Node) {
	in := graph.ConvertDType(graph.Equal(graph.BroadcastToShape(o.groupsOf(x), x.Shape()), graph.BroadcastToShape(graph.Reshape(group, -1, 1, 1), x.Shape())), dtypes.Float32)
	each := categories(o.Levels).logProb(o.says(s, c, x, group, noise), x)
	return graph.ReduceSum(graph.Mul(each, in), -1, -2), graph.ReduceSum(in, -1, -2)
}

// estimate is log p(x) from one group, that of the pixel at a number in [0, 1): the mean over its
// pixels times the number of all. On average that is log p(x).
// Shapes: [b, height, width], [b, 1] to [b].
func (o ParallelMultiscale) estimate(s *model.Scope, c *canvas, x, at *graph.Node, noise []*graph.Node) *graph.Node {
	d := o.Height * o.Width
	pixel := graph.MinScalar(graph.Floor(graph.MulScalar(at, float64(d))), float64(d-1))
	groups := graph.Reshape(o.groupsOf(x), d)
	group := graph.Gather(groups, graph.ConvertDType(pixel, dtypes.Int32)) // [b]
	logp, size := o.groupLogProb(s, c, x, group, noise)
	return graph.MulScalar(graph.Div(logp, size), float64(d))
}

// LogProb returns log p of each row, in nats: a pass for each group. Errors are ml.ErrParameter for
// an entry out of range, ml.ErrShape for another number of columns, and those of ml.Dense.
func (m *ParallelMultiscaleModel) LogProb(ctx context.Context, x mat.Matrix) ([]float64, error) {
	parts, err := m.Parts(ctx, x)
	if err != nil {
		return nil, err
	}
	n, _ := parts.Dims()
	out := make([]float64, n)
	for i := range out {
		out[i] = mat.Sum(parts.RowView(i))
	}
	return out, nil
}

// Parts returns what each group adds to log p, n × groups.
func (m *ParallelMultiscaleModel) Parts(ctx context.Context, x mat.Matrix) (*mat.Dense, error) {
	y, err := symbol.Check(parallelMethod, x, m.Options.Levels)
	if err != nil {
		return nil, err
	}
	n, _ := y.Dims()
	out := mat.NewDense(n, m.Options.count(), nil)
	for g := range m.Options.count() {
		part, err := m.apply(ctx, "log-prob", y, g, func(o ParallelMultiscale, s *model.Scope, c *canvas, x, group *graph.Node) *graph.Node {
			logp, _ := o.groupLogProb(s, c, x, group, nil)
			return graph.InsertAxes(logp, -1)
		})
		if err != nil {
			return nil, err
		}
		out.SetCol(g, mat.Col(nil, 0, part))
	}
	return out, nil
}

// apply runs a function of the network on every row, for one group.
func (m *ParallelMultiscaleModel) apply(ctx context.Context, name string, x *mat.Dense, group int, f func(o ParallelMultiscale, s *model.Scope, c *canvas, x, group *graph.Node) *graph.Node) (*mat.Dense, error) {
	o, err := m.Options.complete(m.Options.Height * m.Options.Width)
	if err != nil {
		return nil, err
	}
	n, d := x.Dims()
	if d != o.Height*o.Width {
		return nil, ml.BadShape(parallelMethod, "there are %d columns, the model has %d pixels", d, o.Height*o.Width)
	}
	in, err := neural.Rows(parallelMethod, x, o.Height, o.Width)
	if err != nil {
		return nil, err
	}
	which := &neural.Array{Floats: slices.Repeat([]float32{float32(group)}, n)}
	compiled, err := m.Func(name, nil, func(s *model.Scope, in []*graph.Node) []*graph.Node {
		return []*graph.Node{f(o, s, o.network(), in[0], in[1])}
	})
	if err != nil {
		return nil, err
	}
	out, err := compiled.Rows(ctx, min(n, chunkOf(frame{height: o.Height, width: o.Width})), in, which)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// Sample draws n pictures, a pass for each group. A picture depends on the seed and its number
// alone, but for the rounding of the backend, which a random number at the edge between two levels
// could show.
func (m *ParallelMultiscaleModel) Sample(ctx context.Context, n int, seed uint64) (*mat.Dense, error) {
	return ml.Last(m.Draw(ctx, n, seed))
}

// Draw draws n pictures and yields them after each group, as far as they are: pixels to come are
// NaN.
func (m *ParallelMultiscaleModel) Draw(ctx context.Context, n int, seed uint64) iter.Seq2[*mat.Dense, error] {
	return func(yield func(*mat.Dense, error) bool) {
		if n < 1 {
			yield(nil, ml.BadParameter(parallelMethod, "n", n, "at least 1"))
			return
		}
		o := m.Options
		d := o.Height * o.Width
		x, u, shown := mat.NewDense(n, d, nil), mat.NewDense(n, d, nil), mat.NewDense(n, d, nil)
		for i := range n {
			r := rng.New(seed, i)
			for j := range d {
				u.Set(i, j, r.Float64())
				shown.Set(i, j, math.NaN())
			}
		}
		for g := range o.count() {
			all, err := m.apply(ctx, "distribution", x, g, func(o ParallelMultiscale, s *model.Scope, c *canvas, x, group *graph.Node) *graph.Node {
				return graph.Reshape(categories(o.Levels).distribution(o.says(s, c, x, group, nil)), x.Shape().Dim(0), -1)
			})
			if err != nil {
				yield(mat.DenseCopyOf(shown), err)
				return
			}
			for j, of := range o.Groups {
				for i := 0; of == g && i < n; i++ {
					v := float64(symbol.Draw(all.RawRowView(i)[j*o.Levels:(j+1)*o.Levels], u.At(i, j)))
					x.Set(i, j, v)
					shown.Set(i, j, v)
				}
			}
			if !yield(mat.DenseCopyOf(shown), nil) {
				return
			}
		}
	}
}
