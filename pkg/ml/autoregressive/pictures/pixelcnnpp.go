package pictures

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/symbol"
	"github.com/golatent/latent/pkg/ml/neural"
	"gonum.org/v1/gonum/mat"
)

// PixelCNNPP is PixelCNN++ (Salimans, Karpathy, Chen & Kingma, 2017): the levels of a pixel follow
// a mixture of logistic densities cut into bins, which knows that levels have an order and has a
// few numbers a pixel however many levels there are; residual blocks of gated convolutions in two
// streams, one for the rows above and one for those and what lies to the left; and for pictures
// large enough, most blocks work at half and a quarter of the size, with shortcuts past them.
//
// The loss is −log p in nats, the mean over the pictures of a minibatch.
type PixelCNNPP struct {
	Height, Width int // of a picture; Height·Width is the number of columns. 0 for both means that pictures are square
	Levels        int // values a pixel can take, 0 to Levels−1; 0 means 256
	Components    int // of the mixture; 0 means 5, negative a softmax over the levels in its place
	Channels      int // of each stream; 0 means 16
	Blocks        int // at each size, on the way down; 0 means 1
	First         int // size of the first kernel, odd; 0 means 7
	// How often pictures are halved; 0 means twice if the smaller side has 16 pixels or more, else
	// never; negative never
	Halvings int
	Classes  int     // a model of pictures given what they show, one of so many; 0 means none
	Labels   []int   // what each row of x shows, 0 to Classes−1, where there are Classes
	Dropout  float64 // share of numbers that a step leaves out, in each block; 0 means 0.2, negative none
	Train    neural.Train
}

// PixelCNNPPModel is a trained PixelCNNPP.
type PixelCNNPPModel = PictureModel[PixelCNNPP]

func init() { ml.Register[PixelCNNPPModel]("pictures.PixelCNNPPModel") }

const pixelCNNPPMethod = "pictures.PixelCNNPP"

// Fit trains on the rows of x, of which Train.Holdout are kept for validation. Errors are those of
// PixelCNN.Fit.
func (o PixelCNNPP) Fit(ctx context.Context, x mat.Matrix) (*PixelCNNPPModel, error) {
	return ml.Last(o.Iterate(ctx, x))
}

// Iterate yields the model at each report of the training.
func (o PixelCNNPP) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*PixelCNNPPModel, error] {
	return fitPictures(ctx, o, x)
}

func (o PixelCNNPP) frame() frame {
	return frame{pixelCNNPPMethod, o.Height, o.Width, o.Levels, o.Classes}
}

func (o PixelCNNPP) training() (neural.Train, []int) {
	return o.Train.Or(neural.Train{Steps: 800, Batch: 32, LearningRate: 5e-3, Schedule: neural.Cosine, EMA: 0.99, ClipNorm: 100}), o.Labels
}

func (o PixelCNNPP) bare() PixelCNNPP {
	o.Train, o.Labels = neural.Train{}, nil
	return o
}

func (o PixelCNNPP) complete(d int) (PixelCNNPP, error) {
	var errs [7]error
	if o.Levels == 0 {
		o.Levels = 256
	}
	o.Height, o.Width, errs[0] = square(pixelCNNPPMethod, o.Height, o.Width, d)
	o.Levels, errs[1] = symbol.Levels(pixelCNNPPMethod, o.Levels)
	o.Channels, errs[2] = countOf(pixelCNNPPMethod, "Channels", o.Channels, 16, 4096)
	o.Blocks, errs[3] = countOf(pixelCNNPPMethod, "Blocks", o.Blocks, 1, 1000)
	o.Dropout, errs[4] = dropoutOf(pixelCNNPPMethod, o.Dropout, 0.2)
	o.First, errs[6] = kernelOf(pixelCNNPPMethod, "First", o.First, 7)
	if o.Components == 0 {
		o.Components = 5
	}
	if o.Halvings == 0 {
		o.Halvings = -1
		if min(o.Height, o.Width) >= 16 {
			o.Halvings = 2
		}
	}
	switch {
	case o.Components > 1000:
		errs[5] = ml.BadParameter(pixelCNNPPMethod, "Components", o.Components, "1 to 1,000, 0 for 5, or negative for a softmax")
	case o.Halvings > 10:
		errs[5] = ml.BadParameter(pixelCNNPPMethod, "Halvings", o.Halvings, "at most 10")
	case o.Classes < 0:
		errs[5] = ml.BadParameter(pixelCNNPPMethod, "Classes", o.Classes, "0 or more")
	}
	return o, errors.Join(errs[:]...)
}

// streams are what is known of the rows above a pixel, and of all before it.
type streams struct{ above, before sheet }

func (o PixelCNNPP) network(c *canvas) likelihood {
	var like likelihood = categories(o.Levels)
	if o.Components > 0 {
		like = logistics{o.Levels, o.Components}
	}
	rows, corner := aboveTaps(1, 3, true), cornerTaps()
	s := streams{
		c.locate("where/above", c.convolve("first/above", c.input(), o.Channels, aboveTaps(o.First/2, o.First, false))),
		c.locate("where/before", c.convolve("first/before", c.input(), o.Channels, maskedTaps(o.First, false))),
	}
	passed := []streams{s}
	size := func(n int) streams { return passed[n*(o.Blocks+1)] }
	halvings := max(o.Halvings, 0)
	for n := range halvings + 1 {
		if n > 0 {
			name := fmt.Sprintf("halve%d", n)
			s = streams{c.halve(name+"/above", s.above, o.Channels, rows), c.halve(name+"/before", s.before, o.Channels, corner)}
			passed = append(passed, s)
		}
		for b := range o.Blocks {
			s = o.block(c, fmt.Sprintf("down%d/block%d", n, b), s, nil)
			passed = append(passed, s)
		}
	}
	for n, at := halvings, len(passed)-2; n >= 0; n-- {
		if n < halvings {
			name := fmt.Sprintf("double%d", n)
			s = streams{c.double(name+"/above", s.above, o.Channels, size(n).above), c.double(name+"/before", s.before, o.Channels, size(n).before)}
		}
		for b := 0; at >= n*(o.Blocks+1); b, at = b+1, at-1 {
			s = o.block(c, fmt.Sprintf("up%d/block%d", n, b), s, &passed[at])
		}
	}
	c.project("out", c.elus(s.before), like.outputs())
	return like
}

// block is a residual block in each stream. On the way up, the second time at a size, shortcut
// brings what the streams were on the way down.
func (o PixelCNNPP) block(c *canvas, name string, s streams, shortcut *streams) streams {
	var out streams
	var beside sheet
	in := c.label(name+"/class", s.above)
	if shortcut == nil {
		out.above = c.gatedResidual(name+"/above", in, nil, aboveTaps(1, 3, true), o.Dropout)
		beside = out.above
	} else {
		out.above = c.gatedResidual(name+"/above", in, &shortcut.above, aboveTaps(1, 3, true), o.Dropout)
		beside = c.join(out.above, shortcut.before)
	}
	out.before = c.gatedResidual(name+"/before", s.before, &beside, cornerTaps(), o.Dropout)
	return out
}
