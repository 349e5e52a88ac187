package neural

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/golatent/latent/pkg/ml"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// A Graph is a function of a network: it reads its weights under s and computes its outputs from
// its inputs. It has no side effects, and panics, as GoMLX's own functions do, where shapes do not
// fit; Train and Func make errors of that.
type Graph func(s *model.Scope, in []*graph.Node) []*graph.Node

// Func runs a graph with weights. It is compiled when it is first called, once for each shape of
// its inputs, of which it keeps the last few, and may be called by several goroutines.
type Func struct {
	mu      sync.Mutex
	backend *Backend
	store   *model.Store
	exec    *model.Exec
	graph   Graph
	shapes  map[string]bool // of inputs that have been compiled
}

// NewFunc gives a graph its weights. backend is a name for Open.
func NewFunc(backend string, w Weights, g Graph) (*Func, error) {
	b, err := Open(backend)
	if err != nil {
		return nil, err
	}
	f := &Func{backend: b, graph: g}
	return f, guard("neural.NewFunc", func() error {
		f.store = model.NewStore()
		if err := w.put("neural.NewFunc", f.store, false); err != nil {
			return err
		}
		return f.begin()
	})
}

// begin makes room for compiled graphs.
func (f *Func) begin() (err error) {
	f.shapes = map[string]bool{}
	f.exec, err = model.NewExec(f.backend.Backend, f.store, func(s *model.Scope, in []*graph.Node) []*graph.Node {
		out := f.graph(s.At("%s", modelScope[1:]), in)
		if names := missing(f.store); len(names) > 0 {
			panic(fmt.Errorf("the graph asks for weights that there are none of: %v", names))
		}
		// The pure-Go backend counts nodes up to the last output only, and fails where a weight
		// that no output needs was read after it.
		for i, x := range out {
			out[i] = graph.Identity(x)
		}
		return out
	})
	if err == nil {
		f.exec.SetMaxCache(-1) // keptShapes is the bound
	}
	return err
}

// keptShapes is how many compiled graphs a Func keeps: one for each shape of its inputs. Where
// there come to be more, all are forgotten.
const keptShapes = 8

func (f *Func) bound(in []*tensors.Tensor) error {
	key := ""
	for _, t := range in {
		key += t.Shape().String()
	}
	if !f.shapes[key] && len(f.shapes) == keptShapes {
		f.exec.Finalize()
		if err := f.begin(); err != nil {
			return err
		}
	}
	f.shapes[key] = true
	return nil
}

func missing(store *model.Store) (names []string) {
	for v := range store.IterVariables() {
		if !v.HasValue() {
			names = append(names, v.Path())
		}
	}
	return names
}

// set replaces the weights; their names and shapes stay.
func (f *Func) set(w Weights) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, name := range w.Names {
		t, err := w.tensor(i)
		if err != nil {
			return err
		}
		if err := f.store.GetVariable(modelScope + name).SetValue(t); err != nil {
			return err
		}
	}
	return nil
}

// Call computes the outputs of one set of inputs.
func (f *Func) Call(in ...*tensors.Tensor) (out []*tensors.Tensor, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	args := make([]any, len(in))
	for i, t := range in {
		args[i] = t
	}
	err = guard("neural.Func", func() (err error) {
		if err = f.bound(in); err == nil {
			out, err = f.exec.Call(args...)
		}
		return err
	})
	return out, err
}

// Rows computes outputs for every example, chunk of them at a time, all inputs in step; the graph
// must give one row for each example. The last chunk is filled up with its own last example, so
// that one shape is compiled. It stops between chunks when ctx ends.
func (f *Func) Rows(ctx context.Context, chunk int, in ...*Array) ([]*mat.Dense, error) {
	const method = "neural.Func.Rows"
	if chunk < 1 {
		return nil, ml.BadParameter(method, "chunk", chunk, "at least 1")
	}
	if len(in) == 0 {
		return nil, ml.Empty(method, "there is no input")
	}
	n := in[0].Len()
	args := make([]*tensors.Tensor, len(in))
	defer free(args)
	for k, a := range in {
		if err := a.check(method, fmt.Sprintf("input %d", k)); err != nil {
			return nil, err
		}
		if a.Len() != n {
			return nil, ml.BadShape(method, "input %d has %d examples, input 0 has %d", k, a.Len(), n)
		}
		var err error
		if args[k], err = newTensor(f.backend, a.batch(chunk)); err != nil {
			return nil, err
		}
	}
	var out []*mat.Dense
	rows := make([]int, chunk)
	for lo := 0; lo < n; lo += chunk {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for i := range rows {
			rows[i] = min(lo+i, n-1)
		}
		for k, a := range in {
			if err := a.fill(args[k], rows); err != nil {
				return nil, err
			}
		}
		part, err := f.Call(args...)
		if err != nil {
			return nil, err
		}
		for k, t := range part {
			m, err := Matrix(t)
			if err != nil {
				return nil, err
			}
			if err := t.FinalizeAll(); err != nil { // the backend's memory, which the collector would give back late
				return nil, err
			}
			r, c := m.Dims()
			if r != chunk {
				return nil, ml.BadShape(method, "output %d has %d rows for %d examples", k, r, chunk)
			}
			if lo == 0 {
				out = append(out, mat.NewDense(n, c, nil))
			}
			hi := min(lo+chunk, n)
			out[k].Slice(lo, hi, 0, c).(*mat.Dense).Copy(m.Slice(0, hi-lo, 0, c))
		}
	}
	return out, nil
}

// free gives the memory of tensors back without waiting for the collector, which does not see a
// backend's memory.
func free(ts []*tensors.Tensor) {
	for _, t := range ts {
		if t != nil {
			_ = t.FinalizeAll()
		}
	}
}

// Funcs keeps the compiled functions of one model, the last few of them. The zero value is empty
// and ready.
type Funcs struct {
	mu     sync.Mutex
	byName map[string]*Func
	used   []string // the names, the one used last at the end
}

// keptFuncs is how many functions of a model are kept.
const keptFuncs = 16

// Get returns the function of a name on a backend, made by NewFunc the first time.
func (c *Funcs) Get(name, backend string, w Weights, g Graph) (*Func, error) {
	b, err := Open(backend) // the choice may have changed since
	if err != nil {
		return nil, err
	}
	name = b.Config + " " + name
	c.mu.Lock()
	defer c.mu.Unlock()
	f, ok := c.byName[name]
	if !ok {
		if f, err = NewFunc(b.Config, w, g); err != nil {
			return nil, err
		}
		if c.byName == nil {
			c.byName = map[string]*Func{}
		}
		c.byName[name] = f
	}
	c.used = append(slices.DeleteFunc(c.used, func(s string) bool { return s == name }), name)
	if len(c.used) > keptFuncs { // whoever is calling it keeps it alive
		delete(c.byName, c.used[0])
		c.used = c.used[1:]
	}
	return f, nil
}
