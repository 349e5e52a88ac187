package neural

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Train is how a network is trained: minibatches, Adam, and what is around them. The zero value is
// usable: a 0 is the method's default, which its documentation names, or the one named here where
// the method has none. What a method turns on is turned off by a negative number, and its schedule
// by Constant.
//
// A Train is part of a method's options and never of a model: ml.Save leaves it out.
type Train struct {
	Steps        int      // updates of the weights; 0 means 1,000
	Batch        int      // examples a step, or all where there are fewer; 0 means 128
	LearningRate float64  // of Adam; 0 means 1e-3
	Schedule     Schedule // of the rate: Constant, Cosine or Linear; "" means Constant
	Warmup       int      // steps in which the rate rises from 0 at first; 0 means none
	Beta1        float64  // decay of Adam's mean of the gradient; 0 means 0.9, negative 0
	Beta2        float64  // decay of Adam's mean of its square; 0 means 0.999, negative 0
	ClipNorm     float64  // a gradient of a larger norm is scaled down to it; 0 means never
	WeightDecay  float64  // times the rate, taken from each matrix of weights (no bias) at each step
	EMA          float64  // the result is the moving average of the weights with this decay, 0.999 say
	KeepLast     bool     // the result is the last weights, not those of the lowest validation loss
	Patience     int      // stop after so many reports without a lower one; 0 means never
	Report       int      // steps between two entries of History; 0 means a fiftieth of Steps
	Seed         uint64   // same seed, same result, on one backend

	// Validation holds rows that are never trained on; ValidationLabels are their labels for a
	// method that has labels. Without it the share Holdout of the rows is kept back, chosen by the
	// seed; 0 means none.
	Validation       mat.Matrix
	ValidationLabels []int
	Holdout          float64

	// Checkpoint is a file to keep the state of the training in at each report; a run that finds it
	// goes on from there. "" means none.
	Checkpoint string `ml:"-"`
	// Backend is "cuda", "xla" or "go"; "" means the best there is, see Open.
	Backend string `ml:"-"`
}

// Transient keeps a Train out of every saved model.
func (Train) Transient() {}

// Or fills what is not set from a method's defaults.
func (t Train) Or(d Train) Train {
	t.Steps = cmp.Or(t.Steps, d.Steps)
	t.Batch = cmp.Or(t.Batch, d.Batch)
	t.LearningRate = cmp.Or(t.LearningRate, d.LearningRate)
	t.Schedule = cmp.Or(t.Schedule, d.Schedule)
	t.Warmup = cmp.Or(t.Warmup, d.Warmup)
	t.Beta1 = cmp.Or(t.Beta1, d.Beta1)
	t.Beta2 = cmp.Or(t.Beta2, d.Beta2)
	t.ClipNorm = cmp.Or(t.ClipNorm, d.ClipNorm)
	t.WeightDecay = cmp.Or(t.WeightDecay, d.WeightDecay)
	t.EMA = cmp.Or(t.EMA, d.EMA)
	t.Report = cmp.Or(t.Report, d.Report)
	t.Patience = cmp.Or(t.Patience, d.Patience)
	t.Holdout = cmp.Or(t.Holdout, d.Holdout)
	return t
}

// effective puts the last defaults in the place of zeros and 0 in the place of what was turned off.
func (t Train) effective() Train {
	t = t.Or(Train{Steps: 1000, Batch: 128, LearningRate: 1e-3, Schedule: Constant, Beta1: 0.9, Beta2: 0.999})
	t.Report = cmp.Or(t.Report, max(t.Steps/50, 1))
	t.Warmup, t.Patience = max(t.Warmup, 0), max(t.Patience, 0)
	for _, p := range []*float64{&t.Beta1, &t.Beta2, &t.ClipNorm, &t.WeightDecay, &t.EMA, &t.Holdout} {
		if *p < 0 {
			*p = 0
		}
	}
	return t
}

// check holds options that are complete to what they must be.
func (t Train) check(method string, validated bool) error {
	bad := func(name string, value any, want string) error {
		return ml.BadParameter(method, "Train."+name, value, want)
	}
	finite := func(x float64) bool { return x-x == 0 }
	switch {
	case t.Steps < 1:
		return bad("Steps", t.Steps, "at least 1")
	case t.Batch < 1:
		return bad("Batch", t.Batch, "at least 1")
	case !(t.LearningRate > 0) || !finite(t.LearningRate):
		return bad("LearningRate", t.LearningRate, "a positive number")
	case t.Schedule != Constant && t.Schedule != Cosine && t.Schedule != Linear:
		return bad("Schedule", fmt.Sprintf("%q", t.Schedule), `"constant", "cosine" or "linear"`)
	case t.Warmup > t.Steps:
		return bad("Warmup", t.Warmup, fmt.Sprintf("at most Steps = %d", t.Steps))
	case !(t.Beta1 < 1):
		return bad("Beta1", t.Beta1, "below 1")
	case !(t.Beta2 < 1):
		return bad("Beta2", t.Beta2, "below 1")
	case !finite(t.ClipNorm):
		return bad("ClipNorm", t.ClipNorm, "a finite number")
	case !finite(t.WeightDecay):
		return bad("WeightDecay", t.WeightDecay, "a finite number")
	case !(t.EMA < 1):
		return bad("EMA", t.EMA, "below 1")
	case !(t.Holdout < 1):
		return bad("Holdout", t.Holdout, "below 1")
	case t.Report < 1:
		return bad("Report", t.Report, "at least 1")
	case t.Patience > 0 && !validated:
		return bad("Patience", t.Patience, "0 where there are no validation data")
	}
	return nil
}

// Divided is the data of a fit, apart: rows to train on and rows to validate on.
type Divided struct {
	Train, Validation       *mat.Dense // Validation is nil where there are none
	TrainRows, ValidateRows []int      // which of the caller's rows these are
}

// Divide is Validation and Holdout put to work: the rows of x to train on, and those of Validation,
// or of x where a share of it is kept back, to validate on. The error is that of ml.Dense for
// either matrix, ml.ErrShape where Validation has other columns, and ml.ErrParameter where Holdout
// leaves no row to train on.
func (t Train) Divide(method string, x mat.Matrix) (Divided, error) {
	var d Divided
	all, err := ml.Dense(method, x)
	if err != nil {
		return d, err
	}
	n, cols := all.Dims()
	if t.Validation != nil {
		v, err := ml.Dense(method, t.Validation)
		if err == nil {
			err = ml.Columns(method, v, cols)
		}
		if err != nil {
			return d, fmt.Errorf("validation: %w", err)
		}
		return Divided{all, v, upTo(n), upTo(v.RawMatrix().Rows)}, nil
	}
	if !(t.Holdout < 1) {
		return d, ml.BadParameter(method, "Train.Holdout", t.Holdout, "below 1")
	}
	d.TrainRows, d.ValidateRows = t.split(n)
	if len(d.TrainRows) == 0 {
		return d, ml.BadParameter(method, "Train.Holdout", t.Holdout, fmt.Sprintf("so much that some of the %d rows are left to train on", n))
	}
	if d.Train = all; len(d.ValidateRows) > 0 {
		d.Train, d.Validation = pick(all, d.TrainRows), pick(all, d.ValidateRows)
	}
	return d, nil
}

// Labels takes the labels of both parts: y belongs to the rows that were divided, and the labels of
// Validation are ValidationLabels.
func (t Train) Labels(d Divided, y []int) (train, validation []int) {
	from := y
	if t.Validation != nil {
		from = t.ValidationLabels
	}
	return choose(y, d.TrainRows), choose(from, d.ValidateRows)
}

func choose(y, rows []int) []int {
	out := make([]int, len(rows))
	for i, r := range rows {
		out[i] = y[r]
	}
	return out
}

// split takes the share Holdout of the rows, chosen by the seed, away for validation.
func (t Train) split(n int) (train, validation []int) {
	hold := int(max(t.Holdout, 0) * float64(n))
	held := make([]bool, n)
	for _, i := range rng.New(t.Seed, streamSplit).Perm(n)[:hold] {
		held[i] = true
	}
	for i := range n {
		if held[i] {
			validation = append(validation, i)
		} else {
			train = append(train, i)
		}
	}
	return train, validation
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func pick(x *mat.Dense, rows []int) *mat.Dense {
	out := mat.NewDense(len(rows), x.RawMatrix().Cols, nil)
	for i, r := range rows {
		out.SetRow(i, x.RawRowView(r))
	}
	return out
}

// describe puts those fields of options into words that are set and decide the numbers of a
// training: a checkpoint is known by them. A field that is added to a type later changes nothing
// where it is zero. The options of the training stand apart, and are left out of a method's.
func describe(options any) string {
	var words []string
	v := reflect.Indirect(reflect.ValueOf(options))
	if v.Kind() != reflect.Struct {
		return fmt.Sprint(options)
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch {
		case !f.IsExported() || v.Field(i).IsZero() || f.Tag.Get("ml") == "-":
		case f.Type == reflect.TypeFor[Train]():
		case f.Type.Kind() == reflect.Struct:
			words = append(words, fmt.Sprintf("%s{%s}", f.Name, describe(v.Field(i).Interface())))
		case f.Type.Kind() == reflect.Pointer || f.Type.Kind() == reflect.Interface:
			// Data, and models to start from: the digest of the data and the weights tell of them.
		default:
			words = append(words, fmt.Sprintf("%s:%+v", f.Name, v.Field(i)))
		}
	}
	return strings.Join(words, " ")
}

// describe is what a checkpoint must agree on of a training's options. How often is reported, when
// to stop and, where the rate stays, how many steps there are may change when a training goes on.
func (t Train) describe() string {
	t.Report, t.Patience, t.KeepLast, t.Holdout, t.ValidationLabels = 0, 0, false, 0, nil
	if t.Schedule == Constant {
		t.Steps = 0
	}
	return describe(t)
}
