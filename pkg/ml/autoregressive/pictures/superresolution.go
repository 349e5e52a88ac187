package pictures

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/symbol"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// SuperResolution models a picture given a smaller one of it, log p(high | low). Its network is a
// PixelSNAIL that goes through the high picture row by row and beside what is before a pixel sees
// the whole low picture, by convolutions without a mask (after van den Oord et al., 2016, and Dahl,
// Norouzi & Shlens, 2017).
//
// Interlaced, the low picture is every Factor-th pixel of every Factor-th row of the high one.
// These pixels cost nothing any more, and with any model of low pictures log p(low) + log p(high |
// low) is the likelihood of the high picture: see Hierarchy. With Means the low picture are the
// means of blocks of Factor×Factor pixels. They say something of every pixel and decide none, so
// that all are counted.
//
// The loss is −log p(high | low) in nats, the mean over the pictures of a minibatch.
type SuperResolution struct {
	Factor  int        // how much smaller the low picture is, in each direction; 0 means 2
	Low     Lowering   // "" means Interlaced
	Network PixelSNAIL // of the high picture; its Train is how all is trained
}

// Lowering is how a low picture comes of a high one.
type Lowering string

const (
	Interlaced Lowering = "interlaced" // one pixel of each block, that of its upper left corner
	Means      Lowering = "means"      // the mean of each block
)

// SuperResolutionModel is a trained SuperResolution.
type SuperResolutionModel struct {
	neural.Trained
	Options SuperResolution // all filled in, without Train

	built built
}

func init() { ml.Register[SuperResolutionModel]("pictures.SuperResolutionModel") }

const superMethod = "pictures.SuperResolution"

// Fit trains on the rows of x, the high pictures, with validation data where Network.Train has
// them. Errors are those of PixelCNN.Fit.
func (o SuperResolution) Fit(ctx context.Context, x mat.Matrix) (*SuperResolutionModel, error) {
	return ml.Last(o.Iterate(ctx, x))
}

// Iterate yields the model at each report of the training.
func (o SuperResolution) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*SuperResolutionModel, error] {
	return neural.Models(ctx, func() (neural.Train, neural.Problem, func(neural.Trained) *SuperResolutionModel, error) {
		full, p, err := o.problem(x)
		t, _ := o.Network.training()
		return t, p, func(r neural.Trained) *SuperResolutionModel { return &SuperResolutionModel{Trained: r, Options: full} }, err
	})
}

// complete fills in the defaults for high pictures of d pixels.
func (o SuperResolution) complete(d int) (SuperResolution, error) {
	var err error
	if o.Network, err = o.Network.complete(d); err != nil {
		return o, err
	}
	n := o.Network
	if o.Factor == 0 {
		o.Factor = 2
	}
	if o.Low == "" {
		o.Low = Interlaced
	}
	switch {
	case o.Factor < 2 || n.Height%o.Factor != 0 || n.Width%o.Factor != 0:
		return o, ml.BadParameter(superMethod, "Factor", o.Factor, fmt.Sprintf("2 or more and a divisor of the sides, %d and %d; or 0 for 2", n.Height, n.Width))
	case o.Low != Interlaced && o.Low != Means:
		return o, ml.BadParameter(superMethod, "Low", fmt.Sprintf("%q", o.Low), `"", "interlaced" or "means"`)
	}
	return o, nil
}

func (o SuperResolution) problem(x mat.Matrix) (full SuperResolution, p neural.Problem, err error) {
	p.Method = superMethod
	y, err := ml.Dense(superMethod, x)
	if err != nil {
		return full, p, err
	}
	_, d := y.Dims()
	if full, err = o.complete(d); err != nil {
		return full, p, err
	}
	full.Network = full.Network.bare()
	parts, err := o.Network.Train.Divide(superMethod, y)
	if err != nil {
		return full, p, err
	}
	if p.Data, err = full.arrays(superMethod, parts.Train); err != nil {
		return full, p, err
	}
	if parts.Validation != nil {
		if p.Validation, err = full.arrays(superMethod, parts.Validation); err != nil {
			return full, p, fmt.Errorf("validation: %w", err)
		}
	}
	c, like := full.network()
	p.Noise = c.noise()
	p.Options = full
	p.Loss = func(s *model.Scope, b neural.Batch) neural.Loss {
		pass := pass{given: b.Data[1]}
		if b.Training {
			pass.noise = b.Noise
		}
		return neural.Loss{Total: graph.Neg(graph.ReduceAllMean(full.logProb(s, c, like, b.Data[0], pass)))}
	}
	return full, p, nil
}

// arrays checks high pictures and lowers them.
func (o SuperResolution) arrays(method string, x *mat.Dense) ([]*neural.Array, error) {
	f := o.Network.frame()
	y, err := symbol.Check(method, x, f.levels)
	if err != nil {
		return nil, err
	}
	if err := ml.Columns(method, y, f.height*f.width); err != nil {
		return nil, err
	}
	high, err := neural.Rows(method, y, f.height, f.width)
	if err != nil {
		return nil, err
	}
	return []*neural.Array{high, o.spread(o.lower(y))}, nil
}

// Lower returns the low pictures of the rows of x, as a fit with these options does.
func (o SuperResolution) Lower(x mat.Matrix) (*mat.Dense, error) {
	y, err := ml.Dense(superMethod, x)
	if err != nil {
		return nil, err
	}
	_, d := y.Dims()
	if o, err = o.complete(d); err != nil {
		return nil, err
	}
	if f := o.Network.frame(); f.height*f.width != d {
		return nil, ml.BadShape(superMethod, "the matrix has %d columns, Height·Width is %d·%d", d, f.height, f.width)
	}
	return o.lower(y), nil
}

func (o SuperResolution) lower(x *mat.Dense) *mat.Dense {
	f, k := o.Network.frame(), o.Factor
	n, w := x.RawMatrix().Rows, f.width/k
	low := mat.NewDense(n, f.height/k*w, nil)
	low.Apply(func(i, j int, _ float64) float64 {
		at := j/w*k*f.width + j%w*k
		if o.Low == Interlaced {
			return x.At(i, at)
		}
		sum := 0.0
		for dy := range k {
			for dx := range k {
				sum += x.At(i, at+dy*f.width+dx)
			}
		}
		return sum / float64(k*k)
	}, low)
	return low
}

// spread lays low pictures out at the size of the high ones, as the network sees them: the value,
// from −1 to 1, and a 1 where it is one. Interlaced, other places are 0.
func (o SuperResolution) spread(low *mat.Dense) *neural.Array {
	f, k := o.Network.frame(), o.Factor
	n := low.RawMatrix().Rows
	a := &neural.Array{Shape: []int{f.height, f.width, 2}, Floats: make([]float32, n*f.height*f.width*2)}
	for i := range n {
		for y := range f.height {
			for x := range f.width {
				if o.Low == Interlaced && (y%k != 0 || x%k != 0) {
					continue
				}
				at := 2 * ((i*f.height+y)*f.width + x)
				a.Floats[at] = float32(low.At(i, y/k*(f.width/k)+x/k)*2/float64(f.levels-1) - 1)
				a.Floats[at+1] = 1
			}
		}
	}
	return a
}

// counted is 1 at the pixels whose probability the model gives.
func (o SuperResolution) counted() []float32 {
	f := o.Network.frame()
	out := make([]float32, f.height*f.width)
	for j := range out {
		if o.Low == Means || j/f.width%o.Factor != 0 || j%f.width%o.Factor != 0 {
			out[j] = 1
		}
	}
	return out
}

// network is the PixelSNAIL with the low picture beside it.
func (o SuperResolution) network() (*canvas, likelihood) {
	n := o.Network
	c := newCanvas(n.Height, n.Width, 0)
	where := n.coordinates(c, "given/where")
	low := c.convolve("given/first", c.join(c.given(2), where), n.Channels, allTaps(2*o.Factor+1))
	for l := range 2 {
		low = c.gatedResidual(fmt.Sprintf("given/layer%d", l), low, nil, allTaps(3), n.Dropout)
	}
	h := c.convolve("first", c.input(), n.Channels, maskedTaps(5, false))
	h = c.gatedResidual("begin", h, &low, []tap{{}}, n.Dropout)
	h = n.blocks(c, c.join(c.input(), low), h)
	like := n.likelihood()
	c.project("out", c.elus(h), like.outputs())
	return c, like
}

// logProb is Σ over the counted pixels of log p(pixel | those before, low).
// Shapes: [b, height, width] to [b].
func (o SuperResolution) logProb(s *model.Scope, c *canvas, like likelihood, x *graph.Node, p pass) *graph.Node {
	each := like.logProb(outputs(s, c, like.levels(), x, p), x)
	counted := graph.Reshape(graph.Const(x.Graph(), o.counted()), 1, o.Network.Height, o.Network.Width)
	return graph.ReduceSum(graph.Mul(each, counted), -1, -2)
}

// build makes the network of a model and prepares its layers, once.
func (m *SuperResolutionModel) build() (*canvas, likelihood, []column, error) {
	return m.built.of(superMethod, m.Weights, func() (*canvas, likelihood, error) {
		n := m.Options.Network
		full, err := m.Options.complete(n.Height * n.Width)
		if err != nil {
			return nil, nil, err
		}
		c, like := full.network()
		return c, like, nil
	})
}

// LogProb returns log p(high | low) of each row of x, a high picture that holds its low one, in
// nats. Errors are ml.ErrParameter for an entry out of range, ml.ErrShape for another number of
// columns, and those of ml.Dense.
func (m *SuperResolutionModel) LogProb(ctx context.Context, x mat.Matrix) ([]float64, error) {
	c, like, _, err := m.build()
	if err != nil {
		return nil, err
	}
	y, err := ml.Dense(superMethod, x)
	if err != nil {
		return nil, err
	}
	in, err := m.Options.arrays(superMethod, y)
	if err != nil {
		return nil, err
	}
	compiled, err := m.Func("log-prob", nil, func(s *model.Scope, in []*graph.Node) []*graph.Node {
		return []*graph.Node{graph.InsertAxes(m.Options.logProb(s, c, like, in[0], pass{given: in[1]}), -1)}
	})
	if err != nil {
		return nil, err
	}
	out, err := compiled.Rows(ctx, c.fits(chunkOf(m.Options.Network.frame())), in...)
	if err != nil {
		return nil, err
	}
	return mat.Col(nil, 0, out[0]), nil
}

// Sample draws a high picture for each row of low. Interlaced, it holds the low picture exactly;
// with Means nothing forces its means to be those of low. A picture depends on its row, the seed
// and its number alone.
func (m *SuperResolutionModel) Sample(ctx context.Context, low mat.Matrix, seed uint64) (*mat.Dense, error) {
	c, like, columns, err := m.build()
	if err != nil {
		return nil, err
	}
	f, k := m.Options.Network.frame(), m.Options.Factor
	y, err := ml.Dense(superMethod, low)
	if err != nil {
		return nil, err
	}
	if err := ml.Columns(superMethod, y, f.height/k*(f.width/k)); err != nil {
		return nil, err
	}
	n, d := y.Dims()
	for i, v := range y.RawMatrix().Data[:n*d] {
		if v < 0 || v > float64(f.levels-1) {
			return nil, ml.BadParameter(superMethod, fmt.Sprintf("row %d, column %d", i/d, i%d), v, fmt.Sprintf("from 0 to %d", f.levels-1))
		}
	}
	if m.Options.Low == Interlaced {
		if _, err := symbol.Check(superMethod, y, f.levels); err != nil {
			return nil, err
		}
	}
	given, counted := m.Options.spread(y), m.Options.counted()
	size := f.height * f.width
	x := mat.NewDense(n, size, nil)
	return x, parallel.For(ctx, n, 1, func(_, lo, hi int) {
		p := make([]float64, f.levels)
		for i := lo; i < hi; i++ {
			r, walk := rng.New(seed, i), newWalk(c, like, columns, 0)
			walk.given = given.Floats[2*i*size : 2*(i+1)*size]
			for j := range size {
				u := r.Float64()
				if counted[j] == 0 {
					x.Set(i, j, y.At(i, j/f.width/k*(f.width/k)+j%f.width/k))
				} else {
					if ctx.Err() != nil {
						return
					}
					like.probabilities(p, walk.output())
					x.Set(i, j, float64(symbol.Draw(p, u)))
				}
				walk.Observe(int(x.At(i, j)))
			}
		}
	})
}

// Hierarchy writes a picture as a small one and what is missing in it, both autoregressive:
//
//	log p(x) = log p(low) + log p(x | low)
//
// with the low picture interlaced, a part of the pixels, so that the sum is the exact likelihood of
// the picture. What it changes is the order of the pixels: the coarse ones come first.
type Hierarchy struct {
	Coarse PixelSNAIL // of the low pictures; Height and Width are found
	Fine   SuperResolution
}

// HierarchyModel is a trained Hierarchy.
type HierarchyModel struct {
	Coarse PixelSNAILModel
	Fine   SuperResolutionModel
}

func init() { ml.Register[HierarchyModel]("pictures.HierarchyModel") }

// Fit trains both models on the rows of x, one after the other; the validation data of each are
// those of its own Train, as high pictures for both. Errors are those of PixelCNN.Fit; when ctx
// ends, the model so far comes with its error once the coarse model is trained.
func (o Hierarchy) Fit(ctx context.Context, x mat.Matrix) (*HierarchyModel, error) {
	if o.Fine.Low == Means {
		return nil, ml.BadParameter("pictures.Hierarchy", "Fine.Low", `"means"`, `"interlaced": means are no pixels, and their likelihood could not be added`)
	}
	y, err := ml.Dense("pictures.Hierarchy", x)
	if err != nil {
		return nil, err
	}
	fine, err := o.Fine.complete(y.RawMatrix().Cols)
	if err != nil {
		return nil, err
	}
	coarse := o.Coarse
	coarse.Height, coarse.Width, coarse.Levels = fine.Network.Height/fine.Factor, fine.Network.Width/fine.Factor, fine.Network.Levels
	low, err := fine.Lower(y)
	if err != nil {
		return nil, err
	}
	if v := coarse.Train.Validation; v != nil {
		if coarse.Train.Validation, err = fine.Lower(v); err != nil {
			return nil, fmt.Errorf("validation: %w", err)
		}
	}
	first, err := coarse.Fit(ctx, low)
	if err != nil {
		return nil, err
	}
	second, err := o.Fine.Fit(ctx, x)
	if second == nil {
		return nil, err
	}
	m := &HierarchyModel{}
	m.Coarse.Trained, m.Coarse.Options = first.Trained, first.Options
	m.Fine.Trained, m.Fine.Options = second.Trained, second.Options
	return m, err
}

// LogProb returns log p of each row, in nats.
func (m *HierarchyModel) LogProb(ctx context.Context, x mat.Matrix) ([]float64, error) {
	coarse, fine, err := m.Parts(ctx, x)
	if err != nil {
		return nil, err
	}
	for i, v := range fine {
		coarse[i] += v
	}
	return coarse, nil
}

// Parts returns the two summands of LogProb.
func (m *HierarchyModel) Parts(ctx context.Context, x mat.Matrix) (coarse, fine []float64, err error) {
	if fine, err = m.Fine.LogProb(ctx, x); err != nil {
		return nil, nil, err
	}
	low, err := m.Fine.Options.Lower(x)
	if err != nil {
		return nil, nil, err
	}
	coarse, err = m.Coarse.LogProb(ctx, low)
	return coarse, fine, err
}

// Sample draws n pictures: a low one each, and then the rest. A picture depends on the seed and its
// number alone.
func (m *HierarchyModel) Sample(ctx context.Context, n int, seed uint64) (*mat.Dense, error) {
	low, err := m.Coarse.Sample(ctx, n, seed)
	if err != nil {
		return nil, err
	}
	return m.Fine.Sample(ctx, low, seed+1)
}

var errNoGiven = errors.New("the network sees a given picture, and there is none")

// given is a sheet of what is known beforehand, channels numbers a pixel.
func (c *canvas) given(channels int) sheet {
	return c.add("", givenInput{channels}, sheet{height: c.height, width: c.width, scale: 1, channels: channels, known: beforehand}, c.input())
}

// givenInput hands on what a pass or a walk was given.
type givenInput struct{ channels int }

func (l givenInput) reach() int { return 0 }

func (l givenInput) graph(_ *model.Scope, p pass, _ []*graph.Node) *graph.Node {
	if p.given == nil {
		panic(errNoGiven)
	}
	return p.given
}

func (l givenInput) column(constants) (column, error) {
	return func(out []float32, at place, _ []grid) { copy(out, at.given) }, nil
}

// allTaps are those of a convolution of size×size without a mask, for what is known beforehand.
func allTaps(size int) (taps []tap) {
	for dy := -(size / 2); dy <= size/2; dy++ {
		for dx := -(size / 2); dx <= size/2; dx++ {
			taps = append(taps, tap{dy, dx})
		}
	}
	return taps
}
