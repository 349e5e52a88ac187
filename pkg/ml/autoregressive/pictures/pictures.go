package pictures

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/symbol"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// architecture is the options of a network over pictures, O themselves.
type architecture[O any] interface {
	// complete fills in the defaults for pictures of d pixels and checks all options but those of
	// the training.
	complete(d int) (O, error)
	// frame says what the pictures are, once complete.
	frame() frame
	// network places the layers, once complete.
	network(c *canvas) likelihood
	// training gives the options of the training, and what the pictures to train on show.
	training() (t neural.Train, labels []int)
	// bare is O without them: what makes the network.
	bare() O
}

// frame is what pictures are.
type frame struct {
	method                         string
	height, width, levels, classes int
}

// PictureModel is a trained network that gives the conditionals of all pixels of a picture, row by
// row from the top. PixelCNNModel and its kin are instances of it.
//
// A model of classes gives them for pictures of known classes: m.Given(labels) is the model whose
// verbs speak of pictures that show these, one label a row.
type PictureModel[O architecture[O]] struct {
	neural.Trained
	Options O // all filled in, without Train and Labels

	built built
	given []int
}

// Given returns the model of pictures that show what labels say, one picture each, or all the same
// where there is one label. A label out of range is an error of its verbs.
func (m *PictureModel[O]) Given(labels ...int) *PictureModel[O] {
	return &PictureModel[O]{Trained: m.Share(), Options: m.Options, given: labels}
}

// labels are those of n rows.
func (m *PictureModel[O]) labels(n int) []int {
	if len(m.given) == 1 && n > 1 {
		return slices.Repeat(m.given, n)
	}
	return m.given
}

// built is the network of a model, made when it is first asked for.
type built struct {
	once    sync.Once
	canvas  *canvas
	like    likelihood
	columns []column
	err     error
}

// of makes the network by draft and prepares its layers, once. Weights or options that do not fit
// are an error, however the drawing tells of them.
func (b *built) of(method string, weights neural.Weights, draft func() (*canvas, likelihood, error)) (*canvas, likelihood, []column, error) {
	b.once.Do(func() {
		defer func() {
			if p := recover(); p != nil {
				b.err = fmt.Errorf("%s: the network can't be built: %v", method, p)
			}
		}()
		if b.canvas, b.like, b.err = draft(); b.err == nil {
			b.columns, b.err = b.canvas.prepare(constantsOf(weights))
		}
	})
	return b.canvas, b.like, b.columns, b.err
}

// draft builds the network of complete options.
func draft[O architecture[O]](o O) (*canvas, likelihood) {
	f := o.frame()
	c := newCanvas(f.height, f.width, f.classes)
	return c, o.network(c)
}

// inputOf is what the network reads of levels.
func inputOf(x *graph.Node, levels int) *graph.Node { // [b, height, width] to [b, height, width, 2]
	value := graph.AddScalar(graph.MulScalar(x, 2/float64(levels-1)), -1)
	return graph.Stack([]*graph.Node{value, graph.OnesLike(value)}, -1)
}

// outputs is what the network says of every pixel.
// Shapes: [b, height, width] to [b, height, width, outputs].
func outputs(s *model.Scope, c *canvas, levels int, x *graph.Node, p pass) *graph.Node {
	sheets := c.graph(s, inputOf(x, levels), p)
	return sheets[len(sheets)-1]
}

func classPass(c *canvas, y *graph.Node) pass {
	if c.classes == 0 {
		return pass{}
	}
	return pass{class: graph.OneHot(y, c.classes, dtypes.Float32)}
}

// pictureLogProb is log p of every picture.
func pictureLogProb(s *model.Scope, c *canvas, like likelihood, x *graph.Node, p pass) *graph.Node { // [b, height, width] to [b]
	return graph.ReduceSum(like.logProb(outputs(s, c, like.levels(), x, p), x), -1, -2)
}

// fitPictures trains o on pictures.
func fitPictures[O architecture[O]](ctx context.Context, o O, x mat.Matrix) iter.Seq2[*PictureModel[O], error] {
	return neural.Models(ctx, func() (neural.Train, neural.Problem, func(neural.Trained) *PictureModel[O], error) {
		full, p, err := picturesProblem(o, x)
		t, _ := o.training()
		return t, p, func(r neural.Trained) *PictureModel[O] { return &PictureModel[O]{Trained: r, Options: full} }, err
	})
}

func picturesProblem[O architecture[O]](o O, x mat.Matrix) (full O, p neural.Problem, err error) {
	f := o.frame()
	p.Method = f.method
	dense, err := ml.Dense(f.method, x)
	if err != nil {
		return full, p, err
	}
	n, d := dense.Dims()
	if full, err = o.complete(d); err != nil {
		return full, p, err
	}
	full, f = full.bare(), full.frame()
	if f.height*f.width != d {
		return full, p, ml.BadShape(f.method, "the matrix has %d columns, Height·Width is %d·%d", d, f.height, f.width)
	}
	t, labels := o.training()
	if err := checkLabels(f, labels, n); err != nil {
		return full, p, err
	}
	parts, err := t.Divide(f.method, dense)
	if err != nil {
		return full, p, err
	}
	if parts.Validation != nil && t.Validation != nil {
		if err := checkLabels(f, t.ValidationLabels, parts.Validation.RawMatrix().Rows); err != nil {
			return full, p, fmt.Errorf("validation: %w", err)
		}
	}
	train, held := labels, labels
	if f.classes > 0 {
		train, held = t.Labels(parts, labels)
	}
	if p.Data, err = arrays(f, parts.Train, train); err != nil {
		return full, p, err
	}
	if parts.Validation != nil {
		if p.Validation, err = arrays(f, parts.Validation, held); err != nil {
			return full, p, fmt.Errorf("validation: %w", err)
		}
	}
	c, like := draft(full)
	p.Noise = c.noise()
	p.Options = full
	p.Loss = func(s *model.Scope, b neural.Batch) neural.Loss {
		var y *graph.Node
		if f.classes > 0 {
			y = b.Data[1]
		}
		pass := classPass(c, y)
		if b.Training {
			pass.noise = b.Noise
		}
		return neural.Loss{Total: graph.Neg(graph.ReduceAllMean(pictureLogProb(s, c, like, b.Data[0], pass)))}
	}
	return full, p, nil
}

// arrays checks pictures and their labels for the network.
func arrays(f frame, x mat.Matrix, labels []int) ([]*neural.Array, error) {
	y, err := symbol.Check(f.method, x, f.levels)
	if err != nil {
		return nil, err
	}
	if err := ml.Columns(f.method, y, f.height*f.width); err != nil {
		return nil, err
	}
	pictures, err := neural.Rows(f.method, y, f.height, f.width)
	if err != nil {
		return nil, err
	}
	if err := checkLabels(f, labels, y.RawMatrix().Rows); err != nil {
		return nil, err
	}
	if f.classes == 0 {
		return []*neural.Array{pictures}, nil
	}
	return []*neural.Array{pictures, neural.Classes(labels)}, nil
}

func checkLabels(f frame, y []int, n int) error {
	switch {
	case f.classes == 0 && len(y) == 0:
		return nil
	case f.classes == 0:
		return ml.BadParameter(f.method, "labels", fmt.Sprintf("%d of them", len(y)), "none: Classes is 0")
	case len(y) != n:
		return ml.BadShape(f.method, "there are %d labels for %d pictures; Classes is %d", len(y), n, f.classes)
	}
	for i, c := range y {
		if c < 0 || c >= f.classes {
			return ml.BadParameter(f.method, fmt.Sprintf("label %d", i), c, fmt.Sprintf("0 to %d: Classes is %d", f.classes-1, f.classes))
		}
	}
	return nil
}

// build makes the network of a model and prepares its layers, once.
func (m *PictureModel[O]) build() (*canvas, likelihood, []column, error) {
	f := m.Options.frame()
	return m.built.of(f.method, m.Weights, func() (*canvas, likelihood, error) {
		full, err := m.Options.complete(f.height * f.width)
		if err != nil {
			return nil, nil, err
		}
		c, like := draft(full)
		return c, like, nil
	})
}

// Walk starts a walk over pictures, for a model of classes those of its one given class. See Walk.
func (m *PictureModel[O]) Walk() (*Walk, error) {
	f := m.Options.frame()
	if err := checkLabels(f, m.given, min(f.classes, 1)); err != nil {
		return nil, err
	}
	return m.walkOf(0)
}

// walkOf starts a walk over the i-th picture.
func (m *PictureModel[O]) walkOf(i int) (*Walk, error) {
	c, like, columns, err := m.build()
	if err != nil {
		return nil, err
	}
	class := 0
	if len(m.given) > 0 {
		class = m.given[min(i, len(m.given)-1)]
	}
	return newWalk(c, like, columns, class), nil
}

// LogProb returns log p of each row, in nats. Errors are ml.ErrParameter for an entry out of range
// and for a model of classes that is given none, ml.ErrShape for another number of columns, and
// those of ml.Dense.
func (m *PictureModel[O]) LogProb(ctx context.Context, x mat.Matrix) ([]float64, error) {
	out, err := m.apply(ctx, "log-prob", chunkOf(m.Options.frame()), x, func(s *model.Scope, c *canvas, like likelihood, x *graph.Node, p pass) *graph.Node {
		return graph.InsertAxes(pictureLogProb(s, c, like, x, p), -1)
	})
	if err != nil {
		return nil, err
	}
	return mat.Col(nil, 0, out), nil
}

// Conditionals returns p(pixel = level | those before it) for each row and every pixel: n×d
// probabilities of a 1 where there are two levels, n×(d·Levels) otherwise, those of a pixel side by
// side.
func (m *PictureModel[O]) Conditionals(ctx context.Context, x mat.Matrix) (*mat.Dense, error) {
	return m.apply(ctx, "conditionals", chunkOf(m.Options.frame()), x, func(s *model.Scope, c *canvas, like likelihood, x *graph.Node, p pass) *graph.Node {
		out := like.distribution(outputs(s, c, like.levels(), x, p)) // [b, height, width, levels]
		if like.levels() == 2 {
			out = graph.Slice(out, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(), graph.AxisElem(1))
		}
		return graph.Reshape(out, x.Shape().Dim(0), -1)
	})
}

// Sensitivity returns, for each row, the gradient of what the network says of one pixel (the sum of
// its outputs there) with respect to all pixels, in the network's own scale, in which levels go
// from −1 to 1. It is 0 where the output sees nothing: at the pixel itself and all that come later,
// and in a blind spot.
func (m *PictureModel[O]) Sensitivity(ctx context.Context, x mat.Matrix, row, column int) (*mat.Dense, error) {
	f := m.Options.frame()
	if row < 0 || row >= f.height || column < 0 || column >= f.width {
		return nil, ml.BadParameter(f.method, "row, column", fmt.Sprintf("%d, %d", row, column), fmt.Sprintf("a pixel of %d×%d", f.height, f.width))
	}
	// The pixel is an input, so that one compiled graph serves all of them.
	return m.applyAt(ctx, "sensitivity", chunkOf(f), x, row*f.width+column, func(s *model.Scope, c *canvas, like likelihood, x, at *graph.Node, p pass) *graph.Node {
		in := inputOf(x, like.levels())
		sheets := c.graph(s, in, p)
		here := graph.Reshape(graph.OneHot(at, f.height*f.width, dtypes.Float32), -1, f.height, f.width, 1)
		out := graph.ReduceAllSum(graph.Mul(sheets[len(sheets)-1], graph.BroadcastToShape(here, sheets[len(sheets)-1].Shape())))
		return graph.Reshape(graph.Slice(graph.Gradient(out, in)[0], graph.AxisRange(), graph.AxisRange(), graph.AxisRange(), graph.AxisElem(0)), x.Shape().Dim(0), -1)
	})
}

// chunkOf is how many pictures go through the network at once: so many that a sheet of 64 channels
// stays below 16 MB.
func chunkOf(f frame) int { return max(1, min(256, 1<<16/(f.height*f.width))) }

// apply runs a function of the network on every row.
func (m *PictureModel[O]) apply(ctx context.Context, name string, chunk int, x mat.Matrix, f func(s *model.Scope, c *canvas, like likelihood, x *graph.Node, p pass) *graph.Node) (*mat.Dense, error) {
	return m.applyAt(ctx, name, chunk, x, 0, func(s *model.Scope, c *canvas, like likelihood, x, _ *graph.Node, p pass) *graph.Node {
		return f(s, c, like, x, p)
	})
}

// applyAt is apply for a function that also takes the number of a pixel, [b] of it.
func (m *PictureModel[O]) applyAt(ctx context.Context, name string, chunk int, x mat.Matrix, pixel int, f func(s *model.Scope, c *canvas, like likelihood, x, at *graph.Node, p pass) *graph.Node) (*mat.Dense, error) {
	c, like, _, err := m.build()
	if err != nil {
		return nil, err
	}
	chunk = c.fits(chunk)
	fr := m.Options.frame()
	if _, err := ml.Dense(fr.method, x); err != nil {
		return nil, err
	}
	n, _ := x.Dims()
	in, err := arrays(fr, x, m.labels(n))
	if err != nil {
		return nil, err
	}
	in = append(in, neural.Classes(slices.Repeat([]int{pixel}, n)))
	compiled, err := m.Func(name, nil, func(s *model.Scope, in []*graph.Node) []*graph.Node {
		return []*graph.Node{f(s, c, like, in[0], in[len(in)-1], classPass(c, in[1]))}
	})
	if err != nil {
		return nil, err
	}
	out, err := compiled.Rows(ctx, chunk, in...)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// Drawing is what is drawn from a model of pictures.
type Drawing struct {
	N       int        // how many pictures; 0 means as many as rows of Start, or as labels that are given
	Start   mat.Matrix // pictures whose first Known pixels are taken as given; nil for none
	Known   int        // pixels, from the top, row by row
	Naively bool       // one pass of the whole network for each pixel, as the definition says: the same pictures, in much more time
	Seed    uint64
}

// Sample draws n pictures. A picture depends on the seed and its number alone.
func (m *PictureModel[O]) Sample(ctx context.Context, n int, seed uint64) (*mat.Dense, error) {
	if n < 1 {
		return nil, ml.BadParameter(m.Options.frame().method, "n", n, "at least 1")
	}
	return ml.Last(m.Draw(ctx, Drawing{N: n, Seed: seed}))
}

// Draw draws pictures and yields them after each row of pixels, as far as they are: those to come
// are 0. Each value is a fresh one. When ctx ends it yields what there is beside the error. Errors
// are those of LogProb, and ml.ErrParameter for a Drawing that says too little or too much.
func (m *PictureModel[O]) Draw(ctx context.Context, d Drawing) iter.Seq2[*mat.Dense, error] {
	return func(yield func(*mat.Dense, error) bool) {
		f := m.Options.frame()
		x, err := d.begin(f, m.given)
		if err != nil {
			yield(nil, err)
			return
		}
		n, _ := x.Dims()
		u := mat.NewDense(n, f.height*f.width, nil)
		for i := range n {
			r, row := rng.New(d.Seed, i), u.RawRowView(i)
			for j := range row {
				row[j] = r.Float64()
			}
		}
		walks := make([]*Walk, n)
		for i := range walks {
			if walks[i], err = m.walkOf(i); err != nil {
				yield(nil, err)
				return
			}
		}
		for row := range f.height {
			if d.Naively {
				err = m.drawNaively(ctx, d, x, u, row)
			} else {
				err = drawCached(ctx, walks, d.Known, x, u, row)
			}
			if !yield(mat.DenseCopyOf(x), err) || err != nil {
				return
			}
		}
	}
}

// begin checks a drawing and makes the pictures, of which only the given pixels are there.
func (d Drawing) begin(f frame, labels []int) (*mat.Dense, error) {
	bad := func(name string, value any, want string) (*mat.Dense, error) {
		return nil, ml.BadParameter(f.method, "Drawing."+name, value, want)
	}
	n := d.N
	var start *mat.Dense
	if d.Start != nil {
		var err error
		if start, err = symbol.Check(f.method, d.Start, f.levels); err != nil {
			return nil, err
		}
		if err := ml.Columns(f.method, start, f.height*f.width); err != nil {
			return nil, err
		}
		if n == 0 {
			n = start.RawMatrix().Rows
		}
		if start.RawMatrix().Rows != n {
			return bad("Start", fmt.Sprintf("%d pictures", start.RawMatrix().Rows), fmt.Sprintf("as many as N, %d", n))
		}
	}
	if n == 0 {
		n = len(labels)
	}
	switch {
	case n < 1:
		return bad("N", d.N, "at least 1, or Start")
	case d.Known < 0 || d.Known > f.height*f.width || d.Known > 0 && start == nil:
		return bad("Known", d.Known, fmt.Sprintf("0 to %d pixels of Start", f.height*f.width))
	}
	if len(labels) == 1 {
		labels = slices.Repeat(labels, n)
	}
	if err := checkLabels(f, labels, n); err != nil {
		return nil, err
	}
	x := mat.NewDense(n, f.height*f.width, nil)
	for i := 0; start != nil && i < n; i++ {
		copy(x.RawRowView(i)[:d.Known], start.RawRowView(i))
	}
	return x, nil
}

// drawCached draws a row of pixels of every picture.
func drawCached(ctx context.Context, walks []*Walk, known int, x, u *mat.Dense, row int) error {
	return parallel.For(ctx, len(walks), 1, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			w := walks[i]
			p := make([]float64, w.like.levels())
			for j := row * w.canvas.width; j < (row+1)*w.canvas.width; j++ {
				if j >= known {
					w.like.probabilities(p, w.output())
					x.Set(i, j, float64(symbol.Draw(p, u.At(i, j))))
				}
				w.Observe(int(x.At(i, j)))
			}
		}
	})
}

// drawNaively does the same by a whole pass for each pixel. Where the random number is so near to
// the edge between two levels that the rounding of the backend could decide, a walk that begins
// anew decides instead.
func (m *PictureModel[O]) drawNaively(ctx context.Context, d Drawing, x, u *mat.Dense, row int) error {
	f := m.Options.frame()
	n, _ := x.Dims()
	p := make([]float64, f.levels)
	for j := max(row*f.width, d.Known); j < (row+1)*f.width; j++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		all, err := m.Conditionals(ctx, x)
		if err != nil {
			return err
		}
		for i := range n {
			if f.levels == 2 {
				p[0], p[1] = 1-all.At(i, j), all.At(i, j)
			} else {
				copy(p, all.RawRowView(i)[j*f.levels:])
			}
			if onEdge(p, u.At(i, j)) {
				w, err := m.walkOf(i)
				if err != nil {
					return err
				}
				for _, v := range x.RawRowView(i)[:j] {
					w.Observe(int(v))
				}
				w.like.probabilities(p, w.output())
			}
			x.Set(i, j, float64(symbol.Draw(p, u.At(i, j))))
		}
	}
	return nil
}

// onEdge says whether u is within the tolerance of a sum p_0 + … + p_k.
func onEdge(p []float64, u float64) bool {
	const tolerance = 1e-5
	total := 0.0
	for _, v := range p {
		total += v
	}
	u *= total
	for _, v := range p[:len(p)-1] {
		if u -= v; math.Abs(u) < tolerance {
			return true
		}
	}
	return false
}

// Complete keeps the first known pixels of each picture, row by row from the top, and draws the
// others.
func (m *PictureModel[O]) Complete(ctx context.Context, x mat.Matrix, known int, seed uint64) (*mat.Dense, error) {
	return ml.Last(m.Draw(ctx, Drawing{Start: x, Known: known, Seed: seed}))
}

// square completes Height and Width.
func square(method string, height, width, d int) (int, int, error) {
	if height == 0 && width == 0 {
		height = int(math.Round(math.Sqrt(float64(d))))
		width = height
		if height*width != d {
			return 0, 0, ml.BadParameter(method, "Height, Width", "0, 0", fmt.Sprintf("the size of a picture: its %d pixels make no square", d))
		}
	}
	if height < 1 || width < 1 || height > 1<<12 || width > 1<<12 {
		return 0, 0, ml.BadParameter(method, "Height, Width", fmt.Sprintf("%d, %d", height, width), "1 to 4,096 pixels, or 0 for both if pictures are square")
	}
	return height, width, nil
}

// dropoutOf completes the option Dropout.
func dropoutOf(method string, v, otherwise float64) (float64, error) {
	switch {
	case v == 0:
		return otherwise, nil
	case v < 0:
		return -1, nil
	case !(v < 1):
		return 0, ml.BadParameter(method, "Dropout", v, "below 1")
	}
	return v, nil
}

// countOf completes an option that is a count.
func countOf(method, name string, v, otherwise, most int) (int, error) {
	if v == 0 {
		return otherwise, nil
	}
	if v < 0 || v > most {
		return 0, ml.BadParameter(method, name, v, fmt.Sprintf("1 to %d, or 0 for %d", most, otherwise))
	}
	return v, nil
}

// kernelOf completes an option that is the size of a kernel.
func kernelOf(method, name string, v, otherwise int) (int, error) {
	if v == 0 {
		return otherwise, nil
	}
	if v < 3 || v%2 == 0 || v > 99 {
		return 0, ml.BadParameter(method, name, v, fmt.Sprintf("an odd number from 3 to 99, or 0 for %d", otherwise))
	}
	return v, nil
}
