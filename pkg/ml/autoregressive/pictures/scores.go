package pictures

import (
	"context"

	"github.com/golatent/latent/pkg/ml"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// Scores returns the Fisher score of each row, n × the number of weights, in their order, each
// matrix row by row: the gradient of log p, a pass there and back for every row. A model of classes
// has none without labels.
func (m *PictureModel[O]) Scores(ctx context.Context, x mat.Matrix) (*mat.Dense, error) {
	c, like, _, err := m.build()
	if err != nil {
		return nil, err
	}
	if _, err := ml.Dense(m.Options.frame().method, x); err != nil {
		return nil, err
	}
	n, _ := x.Dims()
	in, err := arrays(m.Options.frame(), x, m.labels(n))
	if err != nil {
		return nil, err
	}
	return m.RowGradients(ctx, in[0], func(s *model.Scope, x *graph.Node) *graph.Node { return pictureLogProb(s, c, like, x, pass{}) })
}
