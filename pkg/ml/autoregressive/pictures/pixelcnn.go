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

// PixelCNN gives all conditionals of the pixels of a picture in one pass of a convolutional network
// that sees, of every pixel, only those above it and to its left (van den Oord, Kalchbrenner &
// Kavukcuoglu, 2016). Convolutions of masked kernels leave a blind spot: a growing wedge to the
// right above a pixel that no depth reaches. Gated (van den Oord et al.,
//  2016. it has two stacks of layers, one for all rows above and one for the row itself, which sees
//     the first, and no blind spot; and its units are products tanh · σ.
//
// Levels are an indicator each for what is put out and a number from −1 to 1 for what is read. The
// loss is −log p in nats, the mean over the pictures of a minibatch.
type PixelCNN struct {
	Height, Width int     // of a picture; Height·Width is the number of columns. 0 for both means that pictures are square
	Levels        int     // values a pixel can take, 0 to Levels−1; 0 means 2
	Gated         bool    // two stacks
	Channels      int     // of each layer; 0 means 32, or 24 where Gated
	Layers        int     // after the first; 0 means 2
	First, Kernel int     // size of the first kernel and of those after it; odd. 0 means 15, which reads all of a picture of 8×8, and 3
	Classes       int     // a model of pictures given what they show, one of so many; 0 means none
	Labels        []int   // what each row of x shows, 0 to Classes−1, where there are Classes
	Dropout       float64 // share of numbers that a step leaves out, in each layer; 0 means 0.3, negative none
	Train         neural.Train
}

// PixelCNNModel is a trained PixelCNN.
type PixelCNNModel = PictureModel[PixelCNN]

func init() { ml.Register[PixelCNNModel]("pictures.PixelCNNModel") }

const pixelCNNMethod = "pictures.PixelCNN"

// Fit trains on the rows of x, with validation data (Train.Validation, Train.Holdout) the weights
// kept are those of the report with the lowest validation loss. The error is ml.ErrParameter for an
// option or an entry of x out of range, ml.ErrShape for a number of columns that is not
// Height·Width, ml.ErrNotFinite and ml.ErrEmpty as ml.Dense says, a *neural.Diverged, and ctx.Err()
// along with the model so far.
func (o PixelCNN) Fit(ctx context.Context, x mat.Matrix) (*PixelCNNModel, error) {
	return ml.Last(o.Iterate(ctx, x))
}

// Iterate yields the model at each report of the training.
func (o PixelCNN) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*PixelCNNModel, error] {
	return fitPictures(ctx, o, x)
}

func (o PixelCNN) frame() frame {
	return frame{pixelCNNMethod, o.Height, o.Width, o.Levels, o.Classes}
}

func (o PixelCNN) training() (neural.Train, []int) {
	return o.Train.Or(neural.Train{Steps: 1000, Batch: 32, LearningRate: 5e-3, Schedule: neural.Cosine, EMA: 0.99, ClipNorm: 100}), o.Labels
}

func (o PixelCNN) bare() PixelCNN {
	o.Train, o.Labels = neural.Train{}, nil
	return o
}

func (o PixelCNN) complete(d int) (PixelCNN, error) {
	var errs [8]error
	o.Height, o.Width, errs[0] = square(pixelCNNMethod, o.Height, o.Width, d)
	o.Levels, errs[1] = symbol.Levels(pixelCNNMethod, o.Levels)
	channels := 32
	if o.Gated {
		channels = 24
	}
	o.Channels, errs[2] = countOf(pixelCNNMethod, "Channels", o.Channels, channels, 4096)
	o.Layers, errs[3] = countOf(pixelCNNMethod, "Layers", o.Layers, 2, 1000)
	o.Dropout, errs[4] = dropoutOf(pixelCNNMethod, o.Dropout, 0.3)
	o.First, errs[5] = kernelOf(pixelCNNMethod, "First", o.First, 15)
	o.Kernel, errs[6] = kernelOf(pixelCNNMethod, "Kernel", o.Kernel, 3)
	if o.Classes < 0 {
		errs[7] = ml.BadParameter(pixelCNNMethod, "Classes", o.Classes, "0 or more")
	}
	return o, errors.Join(errs[:]...)
}

func (o PixelCNN) network(c *canvas) likelihood {
	like := categories(o.Levels)
	if o.Gated {
		o.stacks(c, like.outputs())
	} else {
		o.masks(c, like.outputs())
	}
	return like
}

// masks is the plain network: one masked convolution after another, added to what they read.
func (o PixelCNN) masks(c *canvas, outputs int) {
	h := c.locate("where", c.label("class", c.convolve("first", c.input(), o.Channels, maskedTaps(o.First, false))))
	for i := range o.Layers {
		f := c.drop(c.relu(h), o.Dropout)
		f = c.label(fmt.Sprintf("class%d", i), c.convolve(fmt.Sprintf("masked%d", i), f, o.Channels, maskedTaps(o.Kernel, true)))
		h = c.sum(h, c.project(fmt.Sprintf("mix%d", i), c.relu(f), o.Channels))
	}
	h = c.relu(c.project("last", c.relu(h), o.Channels))
	c.project("out", h, outputs)
}

// stacks is the gated network. What the vertical stack computes at a pixel it has from the rows
// above alone, so that it may look to the right.
func (o PixelCNN) stacks(c *canvas, outputs int) {
	v, h := c.twoStacks("first", c.input(), o.First, o.Channels)
	v, h = c.locate("where/above", v), c.locate("where/left", h)
	for i := range o.Layers {
		v, h = c.gatedLayer(fmt.Sprintf("layer%d", i), v, h, o.Kernel, o.Dropout)
	}
	c.project("out", c.relu(c.project("last", c.relu(h), o.Channels)), outputs)
}
