package topic

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"gonum.org/v1/gonum/mat"
)

// Online is latent Dirichlet allocation by variational Bayes of documents that come a batch at a
// time and are not kept (Hoffman, Blei & Bach, 2010): of each batch the γ are found with the topics
// held, what λ would be if the whole corpus were like the batch follows from them, and λ goes there
// by a step of (Delay + t)^−Decay at batch t. Memory is O(VK) and that of a batch, however many
// documents there are, so that a stream may be larger than memory: Stream gives one, which takes
// batches (Add) or an iterator of documents (Read).
type Online struct {
	Topics int     // K, 1 to 65,535
	Alpha  float64 // of θ, for each topic; 0 means 1/Topics
	Eta    float64 // of φ, for each word; 0 means 1/Topics
	Batch  int     // documents that Fit and Read take at a time; 0 means 256
	Passes int     // of Fit over the documents; 0 means 5
	Delay  float64 // how little the first batches count; 0 means 10, negative none
	Decay  float64 // how fast older batches are forgotten, above 0.5 and at most 1; 0 means 0.7
	// Total is how many documents the corpus has: those of Fit where it is 0, and in a stream as
	// many as have come.
	Total       int
	DocumentTol float64    // as of Variational
	Start       Start      // of Fit; "" means Anchors. A stream has no corpus to look at, and starts at random
	Init        mat.Matrix // λ to start from, K×V, positive, in the place of Start; nil for none
	Seed        uint64     // same seed, same model
}

const onlineMethod = "topic.Online"

// Stream is an Online on its way. It is for one goroutine.
type Stream struct {
	o       Online
	priors  priors
	topics  topics
	used    []bool
	most    int // steps of a document's inner loop
	batches int
	seen    int
	words   float64
}

// Stream begins with no documents, of a vocabulary of so many words. The error is ml.ErrParameter,
// or ml.ErrShape for an Init of another shape.
func (o Online) Stream(words int) (*Stream, error) {
	p, err := newPriors(onlineMethod, o.Topics, o.Alpha, o.Eta)
	if err != nil {
		return nil, err
	}
	o.Decay, o.Batch, o.DocumentTol = cmp.Or(o.Decay, 0.7), cmp.Or(o.Batch, 256), cmp.Or(o.DocumentTol, 1e-3)
	switch {
	case words < 1:
		return nil, ml.BadParameter(onlineMethod, "words", words, "at least 1")
	case o.Batch < 1:
		return nil, ml.BadParameter(onlineMethod, "Batch", o.Batch, "at least 1, or 0 for 256")
	case o.Passes < 0:
		return nil, ml.BadParameter(onlineMethod, "Passes", o.Passes, "at least 1, or 0 for 5")
	case math.IsNaN(o.Delay) || math.IsInf(o.Delay, 0):
		return nil, ml.BadParameter(onlineMethod, "Delay", o.Delay, "a finite number")
	case !(o.Decay > 0.5 && o.Decay <= 1):
		return nil, ml.BadParameter(onlineMethod, "Decay", o.Decay, "above 0.5 and at most 1")
	case o.Total < 0:
		return nil, ml.BadParameter(onlineMethod, "Total", o.Total, "0 or more")
	case !(o.DocumentTol > 0) || math.IsInf(o.DocumentTol, 0):
		return nil, ml.BadParameter(onlineMethod, "DocumentTol", o.DocumentTol, "0 for 1e-3, or a positive number")
	}
	o.Passes = cmp.Or(o.Passes, 5)
	o.Delay = max(cmp.Or(o.Delay, 10), 0)
	s := &Stream{o: o, priors: p, used: make([]bool, words), most: documentSteps}
	s.topics = topics{k: p.k, v: words, lambda: make([]float64, words*p.k), total: make([]float64, p.k)}
	if err := o.Start.check(onlineMethod); err != nil {
		return nil, err
	}
	if o.Init != nil {
		return s, s.topics.set(onlineMethod, o.Init)
	}
	s.topics.draw(rng.New(o.Seed))
	return s, nil
}

// Add takes in a batch of documents, one a row, of any number; those without words count as seen
// and change nothing. The errors are those of Variational.Fit for counts, ml.ErrShape for another
// number of columns, and ctx.Err(), after which the batch has not been taken in.
func (s *Stream) Add(ctx context.Context, batch mat.Matrix) error {
	c, err := newCorpus(onlineMethod, batch, false)
	if err != nil {
		return err
	}
	if c.v != s.topics.v {
		return ml.BadShape(onlineMethod, "the batch has %d columns, the vocabulary %d words", c.v, s.topics.v)
	}
	return s.add(ctx, c)
}

func (s *Stream) add(ctx context.Context, c *corpus) error {
	if c.total == 0 {
		s.seen += c.n
		return ctx.Err()
	}
	k := s.topics.k
	words := c.byWord()
	// Only what the batch has is looked up.
	in := inference{weights: weights{k: k, beta: make([]float64, c.v*k)}, alpha: s.priors.alpha, tol: s.o.DocumentTol, most: s.most}
	psi := make([]float64, k)
	for a, t := range s.topics.total {
		psi[a] = digamma(t)
	}
	err := parallel.For(ctx, c.v, 256, func(_, lo, hi int) {
		for j := lo; j < hi; j++ {
			if words.start[j] < words.start[j+1] {
				expectWord(in.beta[j*k:(j+1)*k], s.topics.lambda[j*k:(j+1)*k], psi)
			}
		}
	})
	if err != nil {
		return err
	}
	gamma, e, ratio := make([]float64, c.n*k), make([]float64, c.n*k), make([]float64, len(c.Index))
	for i, n := range c.length {
		begin(gamma[i*k:(i+1)*k], s.priors.alpha, n)
	}
	if err := in.documents(ctx, c, gamma, ratio, e); err != nil {
		return err
	}
	s.batches++
	s.seen += c.n
	s.words += c.total
	rate := math.Pow(s.o.Delay+float64(s.batches), -s.o.Decay)
	total := float64(s.o.Total)
	if s.o.Total == 0 {
		total = float64(s.seen)
	}
	grow := total / float64(c.n)
	_ = parallel.For(context.WithoutCancel(ctx), c.v, 256, func(_, lo, hi int) {
		own := make([]float64, k)
		for j := lo; j < hi; j++ {
			clear(own)
			for p := words.start[j]; p < words.start[j+1]; p++ {
				i := int(words.doc[p])
				blas.Axpy(ratio[words.at[p]], e[i*k:(i+1)*k], own)
				s.used[j] = s.used[j] || ratio[words.at[p]] > 0
			}
			for a, l := range s.topics.lambda[j*k : (j+1)*k] {
				s.topics.lambda[j*k+a] = (1-rate)*l + rate*(s.priors.eta+grow*own[a]*in.beta[j*k+a])
			}
		}
	})
	s.topics.sum()
	return nil
}

// Read takes in all documents of an iterator, each as the columns of its words, one for each time
// that the word occurs and in any order, Batch at a time. It ends with the first error that the
// iterator yields, with ml.ErrParameter for a word out of range, which names the document, and with
// ctx.Err(); batches before have been taken in then.
func (s *Stream) Read(ctx context.Context, documents iter.Seq2[[]int, error]) error {
	var batch [][]int
	read := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		m, err := csr.FromRows(s.topics.v, batch, nil)
		batch = batch[:0]
		if err != nil {
			return err
		}
		return s.Add(ctx, m)
	}
	for words, err := range documents {
		if err != nil {
			return err
		}
		for _, w := range words {
			if w < 0 || w >= s.topics.v {
				return ml.BadParameter(onlineMethod, fmt.Sprintf("a word of document %d", read), w, fmt.Sprintf("0 to %d", s.topics.v-1))
			}
		}
		read++
		batch = append(batch, slices.Clone(words))
		if len(batch) == s.o.Batch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// Model returns the topics of the documents so far. The error is ml.ErrEmpty before the first word.
func (s *Stream) Model() (*Model, error) {
	if s.words == 0 {
		return nil, ml.Empty(onlineMethod, "no document with words has been added yet")
	}
	m := s.topics.model()
	m.Alpha, m.Eta, m.Method = slices.Clone(s.priors.alpha), s.priors.eta, Streamed
	m.Words, m.Iterations = s.words, s.batches
	for j, used := range s.used {
		if !used {
			m.Unused = append(m.Unused, j)
		}
	}
	return m, nil
}

// Fit takes the rows in batches, in an order drawn anew for each pass, and finds the proportions of
// all documents by the topics that it ends with. The errors are those of Stream and Add,
// ml.ErrEmpty for a corpus without words, and ctx.Err(), along with the topics so far.
func (o Online) Fit(ctx context.Context, x mat.Matrix) (*Model, error) {
	s, c, err := o.begin(ctx, x)
	if err != nil {
		return nil, err
	}
	for err := range s.passes(ctx, c) {
		if err != nil {
			m, _ := s.Model()
			return m, err
		}
	}
	m, err := s.Model()
	if err != nil {
		return nil, err
	}
	m.Words, m.Empty = c.total, c.empty
	m.Documents, err = m.transform(ctx, c)
	return m, err
}

// Iterate yields the model after every batch; each is a fresh value, without Documents.
func (o Online) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*Model, error] {
	return func(yield func(*Model, error) bool) {
		s, c, err := o.begin(ctx, x)
		if err != nil {
			yield(nil, err)
			return
		}
		var last *Model
		for err := range s.passes(ctx, c) {
			if err == nil && s.words > 0 {
				last, err = s.Model()
			}
			if (last != nil || err != nil) && !yield(last, err) || err != nil {
				return
			}
		}
	}
}

func (o Online) begin(ctx context.Context, x mat.Matrix) (*Stream, *corpus, error) {
	c, err := newCorpus(onlineMethod, x, false)
	if err == nil {
		err = c.needWords(onlineMethod)
	}
	if err != nil {
		return nil, nil, err
	}
	if o.Total == 0 {
		o.Total = c.n
	}
	s, err := o.Stream(c.v)
	if err == nil && o.Init == nil {
		s.topics, err = startTopics(ctx, onlineMethod, c, s.priors, o.Start, nil, o.Seed)
	}
	return s, c, err
}

// passes adds all rows of a corpus, batch by batch.
func (s *Stream) passes(ctx context.Context, c *corpus) iter.Seq[error] {
	return func(yield func(error) bool) {
		for pass := range s.o.Passes {
			order := rng.New(s.o.Seed, 1, pass).Perm(c.n)
			for lo := 0; lo < c.n; lo += s.o.Batch {
				rows := order[lo:min(lo+s.o.Batch, c.n)]
				if err := s.add(ctx, c.rows(rows)); !yield(err) || err != nil {
					return
				}
			}
		}
	}
}

// rows are some of the documents.
func (c *corpus) rows(which []int) *corpus {
	out := &corpus{Matrix: &csr.Matrix{Columns: c.v, Start: make([]int, 1, len(which)+1)}, n: len(which), v: c.v}
	for at, i := range which {
		columns, counts := c.Of(i)
		out.Index, out.Value = append(out.Index, columns...), append(out.Value, counts...)
		out.Start = append(out.Start, len(out.Index))
		out.length = append(out.length, c.length[i])
		out.total += c.length[i]
		if c.length[i] == 0 {
			out.empty = append(out.empty, at)
		}
	}
	return out
}
