package pictures

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"

	"github.com/golatent/latent/internal/fixed"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/symbol"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/golatent/latent/pkg/ml/neural/layers"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// PixelSNAIL interleaves masked convolutions, which see what is near, with masked attention, which
// sees every pixel before (Chen, Mishra, Rohaninejad & Abbeel, 2018). A block is some gated
// residual layers, then one look back: the queries of a pixel are made from what the network knows
// before it, keys and values of the earlier pixels from those and from the pixels themselves, and
// all know where they are by coordinates that are learned. What is found is added by one more gated
// layer.
//
// The loss is −log p in nats, the mean over the pictures of a minibatch. A pass costs O(d²) for d
// pixels, through the attention.
type PixelSNAIL struct {
	Height, Width int     // of a picture; Height·Width is the number of columns. 0 for both means that pictures are square
	Levels        int     // values a pixel can take, 0 to Levels−1; 0 means 2
	Components    int     // of a mixture of logistics for each pixel, see PixelCNNPP; 0 means none, an indicator for each level
	Channels      int     // of each layer; 0 means 32
	Blocks        int     // 0 means 2
	Layers        int     // gated residual layers of a block before its attention; 0 means 2
	Heads         int     // looks back of a block, side by side; 0 means 2
	Keys, Values  int     // numbers of a key and of a value, for each head; 0 means 8 and 16
	NoAttention   bool    // leave it out: what is left are the convolutions alone
	Dropout       float64 // share of numbers that a step leaves out, in each residual layer; 0 means 0.3, negative none
	Train         neural.Train
}

// PixelSNAILModel is a trained PixelSNAIL.
type PixelSNAILModel = PictureModel[PixelSNAIL]

func init() { ml.Register[PixelSNAILModel]("pictures.PixelSNAILModel") }

const pixelSNAILMethod = "pictures.PixelSNAIL"

// Fit trains on the rows of x, of which Train.Holdout are kept for validation. Errors are those of
// PixelCNN.Fit.
func (o PixelSNAIL) Fit(ctx context.Context, x mat.Matrix) (*PixelSNAILModel, error) {
	return ml.Last(o.Iterate(ctx, x))
}

// Iterate yields the model at each report of the training.
func (o PixelSNAIL) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*PixelSNAILModel, error] {
	return fitPictures(ctx, o, x)
}

func (o PixelSNAIL) frame() frame {
	return frame{pixelSNAILMethod, o.Height, o.Width, o.Levels, 0}
}

func (o PixelSNAIL) training() (neural.Train, []int) {
	return o.Train.Or(neural.Train{Steps: 1000, Batch: 64, LearningRate: 2e-3, Schedule: neural.Cosine, EMA: 0.99, ClipNorm: 100}), nil
}

func (o PixelSNAIL) bare() PixelSNAIL {
	o.Train = neural.Train{}
	return o
}

func (o PixelSNAIL) complete(d int) (PixelSNAIL, error) {
	var errs [9]error
	o.Height, o.Width, errs[0] = square(pixelSNAILMethod, o.Height, o.Width, d)
	o.Levels, errs[1] = symbol.Levels(pixelSNAILMethod, o.Levels)
	o.Channels, errs[2] = countOf(pixelSNAILMethod, "Channels", o.Channels, 32, 4096)
	o.Blocks, errs[3] = countOf(pixelSNAILMethod, "Blocks", o.Blocks, 2, 1000)
	o.Layers, errs[4] = countOf(pixelSNAILMethod, "Layers", o.Layers, 2, 1000)
	o.Heads, errs[5] = countOf(pixelSNAILMethod, "Heads", o.Heads, 2, 64)
	o.Keys, errs[6] = countOf(pixelSNAILMethod, "Keys", o.Keys, 8, 1024)
	o.Values, errs[7] = countOf(pixelSNAILMethod, "Values", o.Values, 16, 1024)
	o.Dropout, errs[8] = dropoutOf(pixelSNAILMethod, o.Dropout, 0.3)
	if o.Components < 0 || o.Components > 1000 {
		errs[1] = errors.Join(errs[1], ml.BadParameter(pixelSNAILMethod, "Components", o.Components, "1 to 1,000, or 0 for an indicator a level"))
	}
	return o, errors.Join(errs[:]...)
}

func (o PixelSNAIL) network(c *canvas) likelihood {
	like := o.likelihood()
	h := c.convolve("first", c.input(), o.Channels, maskedTaps(5, false))
	h = o.blocks(c, c.input(), h)
	c.project("out", c.elus(h), like.outputs())
	return like
}

func (o PixelSNAIL) likelihood() likelihood {
	if o.Components > 0 {
		return logistics{o.Levels, o.Components}
	}
	return categories(o.Levels)
}

// blocks is the trunk. pixels is what keys and values may have of a pixel itself.
func (o PixelSNAIL) blocks(c *canvas, pixels, h sheet) sheet {
	for b := range o.Blocks {
		name := fmt.Sprintf("block%d", b)
		for l := range o.Layers {
			h = c.gatedResidual(fmt.Sprintf("%s/layer%d", name, l), h, nil, maskedTaps(3, true), o.Dropout)
		}
		if !o.NoAttention {
			found := o.look(c, name+"/attention", pixels, h)
			h = c.gatedResidual(name+"/merge", h, &found, []tap{{}}, o.Dropout)
		}
	}
	return h
}

// look is one look back.
func (o PixelSNAIL) look(c *canvas, name string, pixels, h sheet) sheet {
	where := o.coordinates(c, name+"/where")
	asks := c.project(name+"/queries", c.join(h, where), o.Heads*o.Keys)
	seen := c.join(pixels, c.join(h, where))
	keys := c.project(name+"/keys", seen, o.Heads*o.Keys)
	values := c.project(name+"/values", seen, o.Heads*o.Values)
	return c.attend(name, asks, keys, values, o.Heads)
}

func (o PixelSNAIL) coordinates(c *canvas, name string) sheet {
	const channels = 8
	return c.add(name, coordinates{c.height, c.width, channels}, sheet{height: c.height, width: c.width, scale: 1, channels: channels, known: beforehand}, c.input())
}

// attend lets every pixel look at those before it, and not at itself. At the first it finds 0.
func (c *canvas) attend(name string, queries, keys, values sheet, heads int) sheet {
	out := values
	out.known = max(before, queries.known)
	return c.add(name, attending{heads, c.height, c.width}, out, queries, keys, values)
}

// fits makes a chunk of pictures so small that the weights of an attention stay below 16 MB; those
// of a picture of 28×28 pixels have 2.5 for each head.
func (c *canvas) fits(chunk int) int {
	for _, l := range c.layers {
		if a, ok := l.layer.(attending); ok {
			pixels := a.height * a.width
			chunk = max(1, min(chunk, 1<<22/(a.heads*pixels*pixels)))
		}
	}
	return chunk
}

// attending is Attention, in heads.
type attending struct{ heads, height, width int }

func (l attending) reach() int { return l.height }

func (l attending) graph(_ *model.Scope, _ pass, in []*graph.Node) *graph.Node {
	out, _ := l.look(in)
	return out
}

// look returns also the weights, [b·heads, pixels, pixels].
func (l attending) look(in []*graph.Node) (out, weights *graph.Node) {
	rows := func(x *graph.Node) *graph.Node {
		return layers.SplitHeads(graph.Reshape(x, x.Shape().Dim(0), l.height*l.width, x.Shape().Dim(-1)), l.heads)
	}
	out, weights = layers.Attention(rows(in[0]), rows(in[1]), rows(in[2]), layers.MaskBefore(in[0], symbol.UpTo(l.height*l.width)))
	return graph.Reshape(layers.JoinHeads(out, l.heads), in[2].Shape().Dimensions...), weights
}

// column is one query against the keys that there are: what keys and values were at the pixels
// before is kept, and is not computed again. Products of two float32 are exact in a float64.
func (l attending) column(constants) (column, error) {
	return func(out []float32, at place, in []grid) {
		here := at.y*l.width + at.x
		weights := make([]float64, here)
		d, e := in[1].channels/l.heads, in[2].channels/l.heads
		sums := make([]float64, e)
		clear(out)
		if here == 0 {
			return
		}
		query := in[0].at(at.y, at.x)
		for h := range l.heads {
			most := math.Inf(-1)
			for j := range weights {
				key := in[1].at(j/l.width, j%l.width)[h*d : (h+1)*d]
				dot := 0.0
				for k, q := range query[h*d : (h+1)*d] {
					dot += float64(q) * float64(key[k])
				}
				weights[j] = dot / math.Sqrt(float64(d))
				most = max(most, weights[j])
			}
			total := 0.0
			for j, w := range weights {
				weights[j] = fixed.Exp(w - most)
				total += weights[j]
			}
			clear(sums)
			for j, w := range weights {
				value := in[2].at(j/l.width, j%l.width)[h*e : (h+1)*e]
				for k, v := range value {
					sums[k] += float64(w * float64(v))
				}
			}
			for k, s := range sums {
				out[h*e+k] = float32(s / total)
			}
		}
	}, nil
}

// coordinates is a table: numbers that are learned for every place and are the same in all
// pictures. They begin as a wave of a length of its own in each channel, along the rows or the
// columns, so that places near each other are alike.
type coordinates struct{ height, width, channels int }

func (l coordinates) reach() int { return 0 }

// graph reads nothing of its input but how many pictures there are.
func (l coordinates) graph(s *model.Scope, _ pass, in []*graph.Node) *graph.Node {
	waves := s.WithInitializer(func(g *graph.Graph, shape shapes.Shape) *graph.Node {
		table := make([]float32, 0, shape.Size())
		for i := range l.height * l.width {
			for k := range l.channels {
				at, size := i/l.width, l.height
				if k%2 == 1 {
					at, size = i%l.width, l.width
				}
				turns := math.Pow(2, float64(k/4)) / 2
				phase := []float64{0, math.Pi / 2}[k/2%2]
				table = append(table, float32(math.Sin(2*math.Pi*turns*float64(at)/float64(size)+phase)))
			}
		}
		return graph.Reshape(graph.Const(g, table), shape.Dimensions...)
	})
	table := waves.VariableWithShape("table", shapes.Make(dtypes.Float32, l.height, l.width, l.channels)).NodeValue(in[0].Graph())
	return graph.BroadcastToDims(graph.InsertAxes(table, 0), in[0].Shape().Dim(0), l.height, l.width, l.channels)
}

func (l coordinates) column(w constants) (column, error) {
	table, err := w.get("table", l.height*l.width*l.channels)
	return func(out []float32, at place, _ []grid) {
		copy(out, table[(at.y*l.width+at.x)*l.channels:])
	}, err
}

// AttentionMaps returns where a pixel of each row of x looks in a block of the network, from 0:
// n × pixels for each head, the weights of its attention, which are 0 at the pixel itself and at
// all that come later and sum to 1 (to 0 for the first pixel).
func AttentionMaps(ctx context.Context, m *PixelSNAILModel, x mat.Matrix, block, row, column int) (heads []*mat.Dense, err error) {
	o := m.Options
	switch {
	case o.NoAttention:
		return nil, ml.BadParameter(pixelSNAILMethod, "NoAttention", true, "a model with attention")
	case block < 0 || block >= o.Blocks:
		return nil, ml.BadParameter(pixelSNAILMethod, "block", block, fmt.Sprintf("0 to %d", o.Blocks-1))
	case row < 0 || row >= o.Height || column < 0 || column >= o.Width:
		return nil, ml.BadParameter(pixelSNAILMethod, "row, column", fmt.Sprintf("%d, %d", row, column), fmt.Sprintf("a pixel of %d×%d", o.Height, o.Width))
	}
	all, err := m.applyAt(ctx, fmt.Sprintf("attention map %d", block), chunkOf(o.frame()), x, row*o.Width+column,
		func(s *model.Scope, c *canvas, like likelihood, x, at *graph.Node, p pass) *graph.Node {
			sheets := c.graph(s, inputOf(x, like.levels()), p)
			for _, l := range c.layers {
				if a, ok := l.layer.(attending); ok && strings.HasPrefix(l.name, fmt.Sprintf("block%d/", block)) {
					_, weights := a.look([]*graph.Node{sheets[l.in[0].id], sheets[l.in[1].id], sheets[l.in[2].id]})
					b, pixels := x.Shape().Dim(0), o.Height*o.Width
					query := graph.OneHot(at, pixels, dtypes.Float32) // [b, pixels]
					return graph.Reshape(graph.Einsum("bhqk,bq->bhk", graph.Reshape(weights, b, o.Heads, pixels, pixels), query), b, -1)
				}
			}
			panic(fmt.Errorf("block %d has no attention", block))
		})
	if err != nil {
		return nil, err
	}
	n, d := all.RawMatrix().Rows, o.Height*o.Width
	for h := range o.Heads {
		heads = append(heads, mat.DenseCopyOf(all.Slice(0, n, h*d, (h+1)*d)))
	}
	return heads, nil
}
