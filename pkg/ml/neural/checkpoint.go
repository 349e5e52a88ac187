package neural

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/golatent/latent/internal/npy"
	"github.com/golatent/latent/pkg/ml"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// A checkpoint is the whole state of a training between two steps: a zip of checkpoint.json and one
// .npy a variable, weights, moments and counters alike. Since the minibatches and the noise of a
// step depend on the seed and the step alone, nothing else is needed to go on to the very same
// numbers.
//
// It is written beside the file and renamed, so that a reader, or a run after a kill, finds the old
// one or the whole new one.
type checkpoint struct {
	Kind    string `json:"kind"`
	Format  int    `json:"format"`
	Library string `json:"library"`

	// What the run that goes on must agree on.
	Method  string `json:"method"`
	Options string `json:"options"`
	Train   string `json:"train"`
	Data    string `json:"data"` // digest

	Step   int       `json:"step"`
	Sums   []float64 `json:"sums"` // of the losses since the last report
	Steps  []int     `json:"steps"`
	Parts  []string  `json:"parts"`
	BestAt int       `json:"best_at"`
	Lowest *float64  `json:"lowest"` // nil before the first validation
	Since  int       `json:"since"`
	Best   []string  `json:"best"` // shapes of the best weights, in the order of their arrays

	Variables []stored `json:"variables"`
}

// stored says what the array of a variable was: .npy has no uint64, which is kept as the int64 of
// the same bits.
type stored struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape string `json:"shape"`
}

const (
	checkpointKind   = "neural.checkpoint"
	checkpointFormat = 2
)

// create opens the file that a checkpoint is written to before it is renamed; tests put a full disk
// in its place.
var create = func(path string) (*os.File, error) { return os.Create(path) }

// save writes the checkpoint, if one is asked for.
func (r *run) save() error {
	if r.Checkpoint == "" {
		return nil
	}
	part := r.Checkpoint + ".part"
	err := func() error {
		f, err := create(part)
		if err != nil {
			return err
		}
		err = guard("reading the variables", func() error { return r.write(f) })
		return errors.Join(err, f.Sync(), f.Close())
	}()
	if err == nil {
		err = os.Rename(part, r.Checkpoint)
	}
	if err != nil {
		_ = os.Remove(part)
		old := "there is no earlier one"
		if r.kept {
			old = "the one before is as it was"
		}
		return fmt.Errorf("%s: the checkpoint of step %d can't be written, %s: %w", r.p.Method, r.step, old, err)
	}
	r.kept = true
	return nil
}

func (r *run) write(w io.Writer) error {
	z := zip.NewWriter(w)
	c := checkpoint{Kind: checkpointKind, Format: checkpointFormat, Library: ml.Version, Method: r.p.Method, Options: describe(r.p.Options), Train: r.describePlayers(), Data: r.digest(),
		Step: r.step, Sums: r.sums, Steps: r.history.Steps, Parts: r.history.PartNames, BestAt: r.history.Best, Since: r.since}
	if !math.IsInf(r.lowest, 1) {
		c.Lowest = &r.lowest
	}
	array := func(name string, shape []int, data any) error {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Store})
		if err != nil {
			return err
		}
		return npy.Write(f, shape, data)
	}
	i := 0
	for v := range r.store.IterVariables() {
		t, err := v.Value()
		if err != nil {
			return err
		}
		dims := t.Shape().Dimensions
		c.Variables = append(c.Variables, stored{v.Path(), v.DType().String(), shapeText(dims)})
		var data any
		err = t.ConstFlatData(func(flat any) {
			switch x := flat.(type) {
			case []float32:
				data = slices.Clone(x)
			case []int64:
				data = slices.Clone(x)
			case []uint64:
				wide := make([]int64, len(x))
				for j, u := range x {
					wide[j] = int64(u)
				}
				data = wide
			}
		})
		if err != nil {
			return err
		}
		if data == nil {
			return fmt.Errorf("variable %s is %v, which no checkpoint holds", v.Path(), v.DType())
		}
		if err := array(fmt.Sprintf("variable%d", i), dims, data); err != nil {
			return err
		}
		i++
	}
	for j, m := range r.best.Values {
		rows, cols := m.Dims()
		c.Best = append(c.Best, r.best.Names[j]+" "+r.best.Shapes[j])
		if err := array(fmt.Sprintf("best%d", j), []int{rows, cols}, mat.DenseCopyOf(m).RawMatrix().Data); err != nil {
			return err
		}
	}
	curves := [][]float64{r.history.Loss, r.history.Rate, r.history.Gradient, r.history.Validation}
	if r.history.Parts != nil {
		curves = append(curves, r.history.Parts.RawMatrix().Data)
	}
	for j, curve := range curves {
		if err := array(fmt.Sprintf("curve%d", j), []int{len(curve)}, curve); err != nil {
			return err
		}
	}
	head, err := json.Marshal(c)
	if err != nil {
		return err
	}
	f, err := z.Create("checkpoint.json")
	if err != nil {
		return err
	}
	if _, err := f.Write(head); err != nil {
		return err
	}
	return z.Close()
}

// describePlayers is what the options of the training and of each player must agree on.
func (r *run) describePlayers() string {
	text := r.describe()
	for _, q := range r.p.Players {
		text += fmt.Sprintf("; %s under %v, %d moves %s", q.Name, q.Scope, q.Moves, q.Train.describe())
	}
	for _, a := range r.p.Averages {
		text += fmt.Sprintf("; average %+v", a)
	}
	return text
}

// digest names the data, by content.
func (r *run) digest() string {
	if r.dataDigest == "" {
		h := sha256.New()
		arrays := append(slices.Clone(r.p.Data), r.p.Validation...)
		for _, s := range r.p.Streams {
			arrays = append(arrays, s.Data...)
		}
		for _, a := range arrays {
			fmt.Fprintf(h, "%v:", a.Shape)
			_ = binary.Write(h, binary.LittleEndian, a.Floats) // a hash takes everything
			_ = binary.Write(h, binary.LittleEndian, a.Ints)
		}
		r.dataDigest = fmt.Sprintf("%x", h.Sum(nil)[:16])
	}
	return r.dataDigest
}

// resume takes the state of the checkpoint, if the file is there.
func (r *run) resume() error {
	if r.Checkpoint == "" {
		return nil
	}
	z, err := zip.OpenReader(r.Checkpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	broken := func(format string, args ...any) error {
		return fmt.Errorf("%s: checkpoint %s: %s: %w", r.p.Method, r.Checkpoint, fmt.Sprintf(format, args...), ml.ErrFormat)
	}
	if err != nil {
		return broken("it is broken or cut off (%v)", err)
	}
	defer z.Close()
	var c checkpoint
	head, err := readMember(&z.Reader, "checkpoint.json")
	if err == nil {
		err = json.Unmarshal(head, &c)
	}
	if err != nil {
		return broken("checkpoint.json: %v", err)
	}
	if c.Kind != checkpointKind || c.Format != checkpointFormat {
		return broken("it is a %q of format %d, want a %q of format %d", c.Kind, c.Format, checkpointKind, checkpointFormat)
	}
	for _, d := range []struct{ what, theirs, ours string }{
		{"method", c.Method, r.p.Method}, {"options", c.Options, describe(r.p.Options)}, {"training", c.Train, r.describePlayers()}, {"data (their digest)", c.Data, r.digest()},
	} {
		if d.theirs != d.ours {
			return broken("it belongs to another model: its %s is %s, this one's is %s", d.what, d.theirs, d.ours)
		}
	}
	var variables []*model.Variable
	for v := range r.store.IterVariables() {
		variables = append(variables, v)
	}
	if len(c.Variables) != len(variables) {
		return broken("it belongs to another model: it has %d variables, this one has %d", len(c.Variables), len(variables))
	}
	values := make([]*tensors.Tensor, len(variables))
	for i, v := range variables {
		if want := (stored{v.Path(), v.DType().String(), shapeText(v.Shape().Dimensions)}); c.Variables[i] != want {
			return broken("it belongs to another model: variable %d is %v, this one's is %v", i, c.Variables[i], want)
		}
		a, err := readArray(&z.Reader, fmt.Sprintf("variable%d", i), v.Shape().Dimensions)
		if err != nil {
			return broken("%v", err)
		}
		if values[i] = asTensor(a, v.DType()); values[i] == nil {
			return broken("variable %s holds %T", v.Path(), a.Data)
		}
	}
	best := Weights{}
	for j, s := range c.Best {
		name, shape, _ := strings.Cut(s, " ")
		dims, err := parseShape(shape)
		if err != nil {
			return broken("best weights %d: %v", j, err)
		}
		cols := 1
		if len(dims) > 0 {
			cols = dims[len(dims)-1]
		}
		a, err := readArray(&z.Reader, fmt.Sprintf("best%d", j), []int{size(dims) / cols, cols})
		if err != nil {
			return broken("%v", err)
		}
		best = best.With(name, mat.NewDense(a.Shape[0], a.Shape[1], a.Float64s()), dims...)
	}
	h := History{Steps: c.Steps, PartNames: c.Parts, Best: c.BestAt}
	for j, curve := range []*[]float64{&h.Loss, &h.Rate, &h.Gradient, &h.Validation} {
		n := len(c.Steps)
		if j == 3 && c.Lowest == nil {
			n = 0
		}
		a, err := readArray(&z.Reader, fmt.Sprintf("curve%d", j), []int{n})
		if err != nil {
			return broken("%v", err)
		}
		if n > 0 {
			*curve = a.Float64s()
		}
	}
	if len(c.Parts) > 0 && len(c.Steps) > 0 {
		a, err := readArray(&z.Reader, "curve4", []int{len(c.Parts) * len(c.Steps)})
		if err != nil {
			return broken("%v", err)
		}
		h.Parts = mat.NewDense(len(c.Steps), len(c.Parts), a.Float64s())
	}
	sums := 0
	for _, parts := range r.parts {
		sums += 2 + len(parts)
	}
	if c.Step < 0 || c.Step > r.Steps || c.Sums != nil && len(c.Sums) != sums {
		return broken("step %d of %d, %d sums", c.Step, r.Steps, len(c.Sums))
	}
	for i, v := range variables {
		if err := v.SetValue(values[i]); err != nil {
			return err
		}
	}
	r.step, r.sums, r.history, r.best, r.since, r.kept = c.Step, c.Sums, h, best, c.Since, true
	if c.Lowest != nil {
		r.lowest = *c.Lowest
	}
	return nil
}

func readMember(z *zip.Reader, name string) ([]byte, error) {
	f, err := z.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 64<<20))
}

func readArray(z *zip.Reader, name string, shape []int) (*npy.Array, error) {
	f, err := z.Open(name + ".npy")
	if err != nil {
		return nil, fmt.Errorf("it has no %s", name)
	}
	defer f.Close()
	a, err := npy.Read(f, npy.Limits{})
	if err != nil {
		return nil, fmt.Errorf("%s: %v", name, err)
	}
	if !slices.Equal(a.Shape, shape) {
		return nil, fmt.Errorf("%s has shape %v, want %v", name, a.Shape, shape)
	}
	return a, nil
}

// asTensor is nil where the array does not hold what the variable does.
func asTensor(a *npy.Array, dtype dtypes.DType) *tensors.Tensor {
	switch x := a.Data.(type) {
	case []float32:
		if dtype == dtypes.Float32 {
			return tensors.FromFlatDataAndDimensions(x, a.Shape...)
		}
	case []int64:
		switch dtype {
		case dtypes.Int64:
			return tensors.FromFlatDataAndDimensions(x, a.Shape...)
		case dtypes.Uint64:
			bits := make([]uint64, len(x))
			for i, v := range x {
				bits[i] = uint64(v)
			}
			return tensors.FromFlatDataAndDimensions(bits, a.Shape...)
		}
	}
	return nil
}
