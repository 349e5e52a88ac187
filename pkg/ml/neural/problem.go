package neural

import (
	"fmt"

	"github.com/golatent/latent/pkg/ml"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Problem is what is trained: data and the graph of a loss, or of several.
type Problem struct {
	Method     string   // in whose name errors speak: "vae.VAE"
	Options    any      // the method's options; a checkpoint made with others is refused
	Data       []*Array // what minibatches are cut from, all with as many examples
	Validation []*Array // as Data, never trained on; nil means none
	Streams    []Stream // further data, each with minibatches of its own
	Noise      []Noise  // what is random in a step
	Start      Weights  // starting values for weights of these names, instead of random ones
	Frozen     Weights  // weights that are used and not trained
	Averages   []Average

	// Loss is what is lowered. Where networks have losses of their own it is nil, and Players are
	// the networks. Only the first player's loss is that of History, of the validation, and of the
	// choice of the best report.
	Loss    func(s *model.Scope, b Batch) Loss
	Players []Player
}

// Stream is a data set beside Problem.Data, with as many examples as it likes: labelled rows beside
// unlabelled ones, the other of two unpaired domains. Its examples come in an order of its own, all
// of them before any comes again, so that a batch may be larger than the set.
type Stream struct {
	Data  []*Array
	Batch int // examples a step; 0 means as many as the training's Batch
}

// Player is one of several networks that are trained side by side, each on a loss of its own: the
// generator and the discriminator of a GAN. In a step the players move in their order, each with a
// minibatch and noise of its own. A move follows the gradient with respect to the player's own
// weights alone; all others stand still.
type Player struct {
	Name  string
	Scope []string // its weights are those under these paths: "/generator"
	Loss  func(s *model.Scope, b Batch) Loss
	Moves int // in a step; 0 means 1
	// Train overrides, for this player, the training's LearningRate, Schedule, Warmup, Beta1,
	// Beta2, ClipNorm and WeightDecay where they are set; the rest of it is not looked at.
	Train Train
}

// Batch is what a loss is computed from. A batch of all examples has them in their order.
type Batch struct {
	Data     []*graph.Node   // one for each of Problem.Data: [batch, shape…]
	Streams  [][]*graph.Node // by stream, one for each of its Data; nil in validation
	Noise    []*graph.Node   // one for each of Problem.Noise: [batch, shape…]
	Step     *graph.Node     // the number of steps so far, a float32 scalar
	Training bool            // false where the loss is that of the validation data
}

// Loss is what is lowered, and what is worth a curve of its own beside it.
type Loss struct {
	Total *graph.Node // a scalar
	Parts []Part
}

// Part is a scalar with a name.
type Part struct {
	Name  string
	Value *graph.Node
}

// players gives a problem of one loss the form of one player.
func (p Problem) players(t Train) []Player {
	list := p.Players
	if len(list) == 0 {
		list = []Player{{Loss: p.Loss}}
	}
	out := make([]Player, len(list))
	for i, q := range list {
		q.Moves = max(q.Moves, 1)
		q.Train = q.Train.Or(t).effective()
		q.Train.Steps = t.Steps
		out[i] = q
	}
	return out
}

// check holds the parts of a problem to each other.
func (p Problem) check() error {
	if (p.Loss == nil) == (len(p.Players) == 0) {
		return ml.BadParameter(p.Method, "Problem.Loss", "nil, or beside Players", "a function, or Players")
	}
	names := map[string]bool{}
	for i, q := range p.Players {
		if q.Loss == nil || q.Name == "" || len(q.Scope) == 0 || q.Moves < 0 || names[q.Name] {
			return ml.BadParameter(p.Method, fmt.Sprintf("Problem.Players[%d]", i), fmt.Sprintf("%q under %v, %d moves", q.Name, q.Scope, q.Moves),
				"a name of its own, the paths of its weights, a loss, and no negative number of moves")
		}
		names[q.Name] = true
	}
	if _, err := examples(p.Method, "the data", p.Data); err != nil {
		return err
	}
	for i, s := range p.Streams {
		if _, err := examples(p.Method, fmt.Sprintf("stream %d", i), s.Data); err != nil {
			return err
		}
		if s.Batch < 0 {
			return ml.BadParameter(p.Method, fmt.Sprintf("Problem.Streams[%d].Batch", i), s.Batch, "0 or more")
		}
	}
	for i, a := range p.Averages {
		if !(a.Decay >= 0 && a.Decay < 1) || a.Of == "" || a.In == "" {
			return ml.BadParameter(p.Method, fmt.Sprintf("Problem.Averages[%d]", i), fmt.Sprintf("%+v", a), "two paths and a decay of at least 0, below 1")
		}
	}
	if len(p.Validation) == 0 {
		return nil
	}
	if len(p.Validation) != len(p.Data) {
		return ml.BadShape(p.Method, "there are %d arrays of data and %d of validation data", len(p.Data), len(p.Validation))
	}
	if _, err := examples(p.Method, "the validation data", p.Validation); err != nil {
		return err
	}
	for i, a := range p.Validation {
		if shapeText(a.Shape) != shapeText(p.Data[i].Shape) || a.dtype() != p.Data[i].dtype() {
			return ml.BadShape(p.Method, "an example of the validation data is %v %v, one of the data %v %v", a.dtype(), a.Shape, p.Data[i].dtype(), p.Data[i].Shape)
		}
	}
	return nil
}

func examples(method, what string, arrays []*Array) (int, error) {
	if len(arrays) == 0 {
		return 0, ml.Empty(method, "there is no array in %s", what)
	}
	for i, a := range arrays {
		if err := a.check(method, fmt.Sprintf("array %d of %s", i, what)); err != nil {
			return 0, err
		}
		if a.Len() != arrays[0].Len() {
			return 0, ml.BadShape(method, "array %d of %s has %d examples, array 0 has %d", i, what, a.Len(), arrays[0].Len())
		}
	}
	return arrays[0].Len(), nil
}

// loss builds a player's loss and holds it to what it must be.
func (q Player) loss(s *model.Scope, b Batch) Loss {
	loss := q.Loss(s, b)
	if loss.Total == nil || !loss.Total.IsScalar() || loss.Total.DType() != dtypes.Float32 {
		panic(fmt.Errorf("the loss is %v, want a float32 scalar", loss.Total))
	}
	for _, part := range loss.Parts {
		if part.Value == nil || !part.Value.IsScalar() {
			panic(fmt.Errorf("the part %q of the loss is %v, want a scalar", part.Name, part.Value))
		}
	}
	return loss
}
