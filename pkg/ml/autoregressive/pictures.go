package autoregressive

import (
	"context"
	"fmt"
	"iter"
	"math"
	"sync"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// architecture is the options of a network over pictures, O themselves.
type architecture[O any] interface {
	// complete fills in the defaults for pictures of d pixels and checks all options but those of the training.
	complete(d int) (O, error)
	// frame says what the pictures are, once complete.
	frame() frame
	// network places the layers, once complete.
	network(c *canvas) likelihood
	// training gives the options of the training; n is the number of pictures.
	training(n int) neural.Train
	// bare is O without them: a checkpoint holds the two apart, and may be moved.
	bare() O
}

// frame is what pictures are.
type frame struct {
	method                         string
	height, width, levels, classes int
}

// Labeled are pictures, one a row, and what each shows.
type Labeled struct {
	X mat.Matrix
	Y []int // 0 to Classes−1, one a row; nil where the model has no classes
}

// PictureModel is a trained network that gives the conditionals of all pixels of a picture, row by row from the top. PixelCNNModel and its kin are instances of it.
type PictureModel[O architecture[O]] struct {
	Options O // all filled in
	Weights neural.Weights
	History neural.History
	Backend string // which backend trained it, and why
	Stopped string // why the training ended: "steps" or "patience"; "" before it did

	funcs neural.Funcs
	built built
}

// built is the network of a model, made when it is first asked for.
type built struct {
	once    sync.Once
	canvas  *canvas
	like    likelihood
	columns []column
	err     error
}

// of makes the network by draft and prepares its layers, once. Weights or options that do not fit are an error, however the drawing tells of them.
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
func outputs(s *model.Scope, c *canvas, levels int, x *graph.Node, p pass) *graph.Node { // [b, height, width] to [b, height, width, outputs]
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

// fitPictures trains o on pictures. validation may be empty.
func fitPictures[O architecture[O]](ctx context.Context, o O, train, validation Labeled) iter.Seq2[*PictureModel[O], error] {
	return neural.Models(ctx, func() (neural.Train, neural.Problem, func(*neural.Result) *PictureModel[O], error) {
		full, t, p, err := picturesProblem(o, train, validation)
		return t, p, func(r *neural.Result) *PictureModel[O] {
			return &PictureModel[O]{Options: full, Weights: r.Weights, History: r.History, Backend: r.Backend, Stopped: r.Stopped}
		}, err
	})
}

func picturesProblem[O architecture[O]](o O, train, validation Labeled) (full O, t neural.Train, p neural.Problem, err error) {
	f := o.frame()
	p.Method = f.method
	dense, err := ml.Dense(f.method, train.X)
	if err != nil {
		return full, t, p, err
	}
	_, d := dense.Dims()
	if full, err = o.complete(d); err != nil {
		return full, t, p, err
	}
	f = full.frame()
	if f.height*f.width != d {
		return full, t, p, ml.BadShape(f.method, "the matrix has %d columns, Height·Width is %d·%d", d, f.height, f.width)
	}
	rows, held, _, t, err := split(f.method, "Train.Holdout", dense, validation.X, full.training)
	if err != nil {
		return full, t, p, err
	}
	from := train
	if validation.X != nil {
		from = validation
	}
	if p.Data, err = arrays(f, train, rows); err != nil {
		return full, t, p, err
	}
	if len(held) > 0 {
		if p.Validation, err = arrays(f, from, held); err != nil {
			return full, t, p, fmt.Errorf("validation: %w", err)
		}
	}
	c, like := draft(full)
	p.Noise = c.noise()
	p.Options = fmt.Sprintf("%+v", full.bare())
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
	return full, t, p, nil
}

// split says which rows of x to train on and which rows of from to validate on: those of validation, or where it is nil those of x that the option holdout keeps apart. training gives the
// options for so many pictures.
func split(method, holdout string, x *mat.Dense, validation mat.Matrix, training func(n int) neural.Train) (rows, held []int, from *mat.Dense, t neural.Train, err error) {
	n := x.RawMatrix().Rows
	t = training(n)
	if validation != nil {
		if from, err = ml.Dense(method, validation); err != nil {
			return nil, nil, nil, t, fmt.Errorf("validation: %w", err)
		}
		return identity(n), identity(from.RawMatrix().Rows), from, t, nil
	}
	if rows, held = t.Split(n); len(rows) == 0 {
		return nil, nil, nil, t, ml.BadParameter(method, holdout, t.Holdout, fmt.Sprintf("so much that some of the %d rows are left to train on", n))
	}
	return rows, held, x, training(len(rows)), nil
}

// arrays checks pictures and takes some of their rows.
func arrays(f frame, from Labeled, rows []int) ([]*neural.Array, error) {
	y, err := symbols(f.method, from.X, f.levels)
	if err != nil {
		return nil, err
	}
	if err := ml.Columns(f.method, y, f.height*f.width); err != nil {
		return nil, err
	}
	x, err := neural.Rows(f.method, pick(y, rows), f.height, f.width)
	if err != nil {
		return nil, err
	}
	if err := checkLabels(f, from.Y, y.RawMatrix().Rows); err != nil {
		return nil, err
	}
	if f.classes == 0 {
		return []*neural.Array{x}, nil
	}
	labels := make([]int, len(rows))
	for i, r := range rows {
		labels[i] = from.Y[r]
	}
	return []*neural.Array{x, neural.Classes(labels)}, nil
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

// Walk starts a walk over pictures of a class, 0 where there are no classes. See Walk.
func (m *PictureModel[O]) Walk(class int) (*Walk, error) {
	c, like, columns, err := m.build()
	if err != nil {
		return nil, err
	}
	f := m.Options.frame()
	if class < 0 || class >= max(f.classes, 1) {
		return nil, ml.BadParameter(f.method, "class", class, fmt.Sprintf("0 to %d: Classes is %d", max(f.classes, 1)-1, f.classes))
	}
	return newWalk(c, like, columns, class), nil
}

// LogProb returns log p of each row, in nats. Errors are ml.ErrParameter for an entry out of range and for a model of classes, ml.ErrShape for another number of columns, and those of
// ml.Dense.
func (m *PictureModel[O]) LogProb(x mat.Matrix) ([]float64, error) {
	return m.LogProbGiven(Labeled{X: x})
}

// LogProbGiven is LogProb of a model of classes: log p of each picture given what it shows.
func (m *PictureModel[O]) LogProbGiven(x Labeled) ([]float64, error) {
	out, err := m.apply("log-prob", chunkOf(m.Options.frame()), x, func(s *model.Scope, c *canvas, like likelihood, x *graph.Node, p pass) *graph.Node {
		return graph.InsertAxes(pictureLogProb(s, c, like, x, p), -1)
	})
	if err != nil {
		return nil, err
	}
	return mat.Col(nil, 0, out), nil
}

// Conditionals returns p(pixel = level | those before it) for each row and every pixel: n×d probabilities of a 1 where there are two levels, n×(d·Levels) otherwise, those of a pixel
// side by side. Pictures of a model of classes need labels, others must have none.
func (m *PictureModel[O]) Conditionals(x Labeled) (*mat.Dense, error) {
	return m.conditionals(x, chunkOf(m.Options.frame()))
}

func (m *PictureModel[O]) conditionals(x Labeled, chunk int) (*mat.Dense, error) {
	return m.apply("conditionals", chunk, x, func(s *model.Scope, c *canvas, like likelihood, x *graph.Node, p pass) *graph.Node {
		out := like.distribution(outputs(s, c, like.levels(), x, p)) // [b, height, width, levels]
		if like.levels() == 2 {
			out = graph.Slice(out, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(), graph.AxisElem(1))
		}
		return graph.Reshape(out, x.Shape().Dim(0), -1)
	})
}

// Sensitivity returns, for each row, the gradient of what the network says of one pixel (the sum of its outputs there) with respect to all pixels, in the network's own scale, in
// which levels go from −1 to 1. It is 0 where the output sees nothing: at the pixel itself and all that come later, and in a blind spot.
func (m *PictureModel[O]) Sensitivity(x Labeled, row, column int) (*mat.Dense, error) {
	f := m.Options.frame()
	if row < 0 || row >= f.height || column < 0 || column >= f.width {
		return nil, ml.BadParameter(f.method, "row, column", fmt.Sprintf("%d, %d", row, column), fmt.Sprintf("a pixel of %d×%d", f.height, f.width))
	}
	name := fmt.Sprintf("sensitivity-%d-%d", row, column)
	return m.apply(name, chunkOf(f), x, func(s *model.Scope, c *canvas, like likelihood, x *graph.Node, p pass) *graph.Node {
		in := inputOf(x, like.levels())
		sheets := c.graph(s, in, p)
		out := graph.Slice(sheets[len(sheets)-1], graph.AxisRange(), graph.AxisElem(row), graph.AxisElem(column), graph.AxisRange())
		return graph.Reshape(graph.Slice(graph.Gradient(graph.ReduceAllSum(out), in)[0], graph.AxisRange(), graph.AxisRange(), graph.AxisRange(), graph.AxisElem(0)), x.Shape().Dim(0), -1)
	})
}

// chunkOf is how many pictures go through the network at once: so many that a sheet of 64 channels stays below 16 MB.
func chunkOf(f frame) int { return max(1, min(chunk, 1<<16/(f.height*f.width))) }

// apply runs a function of the network on every row.
func (m *PictureModel[O]) apply(name string, chunk int, x Labeled, f func(s *model.Scope, c *canvas, like likelihood, x *graph.Node, p pass) *graph.Node) (*mat.Dense, error) {
	c, like, _, err := m.build()
	if err != nil {
		return nil, err
	}
	chunk = c.fits(chunk)
	fr := m.Options.frame()
	if _, err := ml.Dense(fr.method, x.X); err != nil {
		return nil, err
	}
	n, _ := x.X.Dims()
	in, err := arrays(fr, x, identity(n))
	if err != nil {
		return nil, err
	}
	compiled, err := m.funcs.Get(name, "", m.Weights, func(s *model.Scope, in []*graph.Node) []*graph.Node {
		var y *graph.Node
		if c.classes > 0 {
			y = in[1]
		}
		return []*graph.Node{f(s, c, like, in[0], classPass(c, y))}
	})
	if err != nil {
		return nil, err
	}
	out, err := compiled.Rows(context.Background(), chunk, in...)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// Drawing is what is drawn from a model of pictures.
type Drawing struct {
	N       int        // how many pictures; 0 means as many as there are Labels, or rows of Start
	Labels  []int      // what each shows, for a model of classes
	Start   mat.Matrix // pictures whose first Known pixels are taken as given; nil for none
	Known   int        // pixels, from the top, row by row
	Naively bool       // one pass of the whole network for each pixel, as the definition says: the same pictures, in much more time
	Seed    uint64
}

// Sample draws n pictures. A picture depends on the seed and its number alone.
func (m *PictureModel[O]) Sample(n int, seed uint64) (*mat.Dense, error) {
	if n < 1 {
		return nil, ml.BadParameter(m.Options.frame().method, "n", n, "at least 1")
	}
	return last(m.Draw(context.Background(), Drawing{N: n, Seed: seed}))
}

// SampleGiven draws a picture for each label.
func (m *PictureModel[O]) SampleGiven(labels []int, seed uint64) (*mat.Dense, error) {
	return last(m.Draw(context.Background(), Drawing{Labels: labels, Seed: seed}))
}

// Draw draws pictures and yields them after each row of pixels, as far as they are: those to come are 0. Each value is a fresh one. When ctx ends it yields what there is beside the
// error. Errors are those of LogProb, and ml.ErrParameter for a Drawing that says too little or too much.
func (m *PictureModel[O]) Draw(ctx context.Context, d Drawing) iter.Seq2[*mat.Dense, error] {
	return func(yield func(*mat.Dense, error) bool) {
		f := m.Options.frame()
		x, err := d.begin(f)
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
			if walks[i], err = m.Walk(d.class(i)); err != nil {
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
func (d Drawing) begin(f frame) (*mat.Dense, error) {
	bad := func(name string, value any, want string) (*mat.Dense, error) {
		return nil, ml.BadParameter(f.method, "Drawing."+name, value, want)
	}
	n := d.N
	var start *mat.Dense
	if d.Start != nil {
		var err error
		if start, err = symbols(f.method, d.Start, f.levels); err != nil {
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
		n = len(d.Labels)
	}
	switch {
	case n < 1:
		return bad("N", d.N, "at least 1, or Labels or Start")
	case d.Known < 0 || d.Known > f.height*f.width || d.Known > 0 && start == nil:
		return bad("Known", d.Known, fmt.Sprintf("0 to %d pixels of Start", f.height*f.width))
	}
	if err := checkLabels(f, d.Labels, n); err != nil {
		return nil, err
	}
	x := mat.NewDense(n, f.height*f.width, nil)
	for i := 0; start != nil && i < n; i++ {
		copy(x.RawRowView(i)[:d.Known], start.RawRowView(i))
	}
	return x, nil
}

func (d Drawing) class(i int) int {
	if len(d.Labels) == 0 {
		return 0
	}
	return d.Labels[i]
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
					x.Set(i, j, float64(draw(p, u.At(i, j))))
				}
				w.Observe(int(x.At(i, j)))
			}
		}
	})
}

// drawNaively does the same by a whole pass for each pixel. Where the random number is so near to the edge between two levels that the rounding of the backend could decide, a walk that begins
// anew decides instead.
func (m *PictureModel[O]) drawNaively(ctx context.Context, d Drawing, x, u *mat.Dense, row int) error {
	f := m.Options.frame()
	n, _ := x.Dims()
	p := make([]float64, f.levels)
	for j := max(row*f.width, d.Known); j < (row+1)*f.width; j++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		all, err := m.conditionals(Labeled{X: x, Y: d.Labels}, n)
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
				w, err := m.Walk(d.class(i))
				if err != nil {
					return err
				}
				for _, v := range x.RawRowView(i)[:j] {
					w.Observe(int(v))
				}
				w.like.probabilities(p, w.output())
			}
			x.Set(i, j, float64(draw(p, u.At(i, j))))
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

// Complete keeps the first known pixels of each picture, row by row from the top, and draws the others.
func (m *PictureModel[O]) Complete(x Labeled, known int, seed uint64) (*mat.Dense, error) {
	return last(m.Draw(context.Background(), Drawing{Start: x.X, Labels: x.Y, Known: known, Seed: seed}))
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
