package neural

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/golatent/latent/pkg/ml"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// Weights are the numbers of a network, by name, apart from any backend. A family's model keeps
// them as a field, and ml.Save writes them. They are never changed once made.
type Weights struct {
	Names  []string     // paths of the variables, as the graph function made them: "/encoder/hidden0/dense/weights"
	Shapes []string     // "3×3×1×32"; "" for a single number
	Values []*mat.Dense // each float32 exactly; all axes but the last are the rows
}

// Count is the number of weights.
func (w Weights) Count() int {
	n := 0
	for _, v := range w.Values {
		r, c := v.Dims()
		n += r * c
	}
	return n
}

// Under returns the weights whose names begin with one of the prefixes.
func (w Weights) Under(prefixes ...string) Weights {
	var out Weights
	for i, name := range w.Names {
		for _, p := range prefixes {
			if strings.HasPrefix(name, p) {
				out.Names, out.Shapes, out.Values = append(out.Names, name), append(out.Shapes, w.Shapes[i]), append(out.Values, w.Values[i])
				break
			}
		}
	}
	return out
}

// Get returns the values of one name, or nil.
func (w Weights) Get(name string) *mat.Dense {
	for i, n := range w.Names {
		if n == name {
			return w.Values[i]
		}
	}
	return nil
}

// With returns the weights with one more, of the given shape.
func (w Weights) With(name string, values *mat.Dense, shape ...int) Weights {
	return Weights{append(w.Names[:len(w.Names):len(w.Names)], name), append(w.Shapes[:len(w.Shapes):len(w.Shapes)], shapeText(shape)),
		append(w.Values[:len(w.Values):len(w.Values)], values)}
}

func shapeText(dims []int) string {
	text := make([]string, len(dims))
	for i, d := range dims {
		text[i] = strconv.Itoa(d)
	}
	return strings.Join(text, "×")
}

func parseShape(text string) ([]int, error) {
	if text == "" {
		return nil, nil
	}
	var dims []int
	for part := range strings.SplitSeq(text, "×") {
		d, err := strconv.Atoi(part)
		if err != nil || d < 1 {
			return nil, fmt.Errorf("%q is no shape", text)
		}
		dims = append(dims, d)
	}
	return dims, nil
}

// check finds what a file that was tampered with could hold.
func (w Weights) check(method string) error {
	if len(w.Names) != len(w.Shapes) || len(w.Names) != len(w.Values) {
		return ml.BadShape(method, "the weights have %d names, %d shapes and %d values", len(w.Names), len(w.Shapes), len(w.Values))
	}
	for i, name := range w.Names {
		dims, err := parseShape(w.Shapes[i])
		if err != nil {
			return ml.BadShape(method, "weights %s: %v", name, err)
		}
		if r, c := w.Values[i].Dims(); r*c != size(dims) {
			return ml.BadShape(method, "weights %s have %d numbers, their shape %s wants %d", name, r*c, w.Shapes[i], size(dims))
		}
	}
	return nil
}

func (w Weights) tensor(i int) (*tensors.Tensor, error) {
	dims, err := parseShape(w.Shapes[i])
	if err != nil {
		return nil, err
	}
	flat := make([]float32, size(dims))
	for j, v := range mat.DenseCopyOf(w.Values[i]).RawMatrix().Data {
		flat[j] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(flat, dims...), nil
}

// modelScope is where a family's variables live in a store; the optimizer's lie beside it.
const modelScope = "/model"

// put gives a store the weights, under modelScope.
func (w Weights) put(method string, store *model.Store, trainable bool) error {
	if err := w.check(method); err != nil {
		return err
	}
	for i, name := range w.Names {
		t, err := w.tensor(i)
		if err != nil {
			return err
		}
		v, err := store.CreateVariable(modelScope+name, t)
		if err != nil {
			return err
		}
		v.SetTrainable(trainable)
	}
	return nil
}

// take copies every variable under modelScope. value, where it is not nil, may put another tensor
// in the place of a variable's own, and a factor on it.
func take(store *model.Store, value func(v *model.Variable) (*tensors.Tensor, float64, error)) (Weights, error) {
	var w Weights
	for v := range store.IterVariables() {
		name, ok := strings.CutPrefix(v.Path(), modelScope+"/")
		if !ok {
			continue
		}
		if v.DType() != dtypes.Float32 {
			return w, fmt.Errorf("variable %s is %v; only float32 is kept", v.Path(), v.DType())
		}
		t, scale, err := (*tensors.Tensor)(nil), 1.0, error(nil)
		if value != nil {
			t, scale, err = value(v)
		}
		if t == nil && err == nil {
			t, err = v.Value()
		}
		if err != nil {
			return w, err
		}
		dims := t.Shape().Dimensions
		cols := 1
		if len(dims) > 0 {
			cols = dims[len(dims)-1]
		}
		dense := mat.NewDense(size(dims)/cols, cols, nil)
		err = tensors.ConstFlatData(t, func(flat []float32) {
			to := dense.RawMatrix().Data[:len(flat)]
			for i, x := range flat {
				to[i] = float64(float32(float64(x) * scale))
			}
		})
		if err != nil {
			return w, err
		}
		w.Names, w.Shapes, w.Values = append(w.Names, "/"+name), append(w.Shapes, shapeText(dims)), append(w.Values, dense)
	}
	return w, nil
}

// initialize gives every variable that has no value yet its starting one, made on the pure-Go
// backend whichever runs the training: the same weights for a seed on all of them, and nothing to
// compile.
func initialize(store *model.Store) error {
	b, err := Open("go")
	if err != nil {
		return err
	}
	if err := store.InitializeVariables(b.Backend, nil); err != nil {
		return err
	}
	for v := range store.IterVariables() {
		t, err := v.Value()
		if err != nil {
			return err
		}
		if err := moveFrom(b.Backend, t); err != nil {
			return err
		}
	}
	return nil
}

// moveFrom takes a tensor from a backend into plain memory, where any other finds it.
func moveFrom(b compute.Backend, t *tensors.Tensor) error {
	if !t.IsOnAnyDevice() {
		return nil
	}
	on, err := t.Backend()
	if err != nil {
		return err
	}
	if on != b {
		return errors.New("the tensor is on another backend")
	}
	return t.ToLocal()
}
