package topic

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Gibbs is latent Dirichlet allocation by collapsed Gibbs sampling (Griffiths & Steyvers, 2004): θ
// and φ are integrated out, and each word of the corpus in turn draws its topic given those of all
// the others,
//
//	p(z = k | rest) ∝ (n_dk + αₖ) · (n_wk + η) / (n_k + Vη),
//
// where n counts the other words: of document d, word w and all of topic k. The model is the mean
// over the sweeps that follow BurnIn.
//
// The sampler is sparse (Yao, Mimno & McCallum, 2009): the part of the sum with n_wk is taken over
// those topics alone in which word w occurs, and the rest, which is small, is kept up to date. So a
// word costs time in proportion to the number of its topics, mostly a few, and memory is O(words +
// nK), with K·V for the model alone.
//
// Documents are divided into Shards, which are sampled at once, each with the counts of the others
// as they were at the start of the sweep (Newman, Asuncion, Smyth & Welling, 2009). Shards depend
// on the corpus alone and have random streams of their own, so that the same seed gives the same
// model on any number of processors. One shard is the exact sampler.
type Gibbs struct {
	Topics     int     // K, 1 to 65,535
	Alpha      float64 // of θ, for each topic; 0 means 1/Topics
	Eta        float64 // of φ, for each word; 0 means 1/Topics
	LearnAlpha bool    // raise the likelihood over α, one for each topic, by Minka's fixed point
	LearnEta   bool    // and over η
	Sweeps     int     // over all words; 0 means 200
	BurnIn     int     // sweeps before the first that counts; 0 means half of Sweeps, negative none
	Start      Start   // "" means Anchors
	Shards     int     // 0 means one for each 30,000 words, at least 1 and at most 8
	Seed       uint64  // same seed, same model
}

const gibbsMethod = "topic.Gibbs"

// thin is how many sweeps lie between two that the model is the mean of, since neighbors are much
// alike; renew is how many lie between two fits of the priors.
const (
	thin  = 5
	renew = 10
)

// entry says how often a word has a topic.
type entry struct{ topic, count int32 }

// gibbsFit is a chain on its way.
type gibbsFit struct {
	Gibbs
	priors
	*corpus
	burnIn int
	bounds []int // of the shards, in documents

	start []int    // of each document, in words
	word  []int32  // of each place
	z     []uint16 // topic of each place

	// Of word w, place[at[w]:at[w+1]] are its places, and list[at[w]:] its topics with counts, of
	// which there are used[w] and can be no more than the word has places.
	at    []int
	place []int32
	lists lists

	sweeps  int
	samples int
	byTopic []float64 // K×V: sums of n_wk over the samples
	byDoc   []float64 // n×K
}

// lists are counts of words by topic.
type lists struct {
	first []int // of each word, in entries
	entry []entry
	used  []int32
	size  []int32 // of each topic
}

// Fit runs the chain and returns the mean of its later sweeps. The error is ml.ErrParameter for an
// option out of range or a count that is negative or no whole number, ml.ErrEmpty for a corpus
// without words, the errors of ml.Dense, and ctx.Err(), along with the mean so far.
func (g Gibbs) Fit(ctx context.Context, x mat.Matrix) (*Model, error) {
	f, err := g.begin(ctx, x)
	if err != nil {
		return nil, err
	}
	for f.sweeps < f.Sweeps {
		if err := f.sweep(ctx); err != nil {
			if f.sweeps == 0 {
				return nil, err
			}
			m, _ := f.model(context.WithoutCancel(ctx))
			return m, err
		}
	}
	return f.model(ctx)
}

// Iterate yields the model after every sweep; each is a fresh value: that of the sweep alone until
// the first that counts, and the mean from there on.
func (g Gibbs) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*Model, error] {
	return func(yield func(*Model, error) bool) {
		f, err := g.begin(ctx, x)
		if err != nil {
			yield(nil, err)
			return
		}
		var last *Model
		for f.sweeps < f.Sweeps {
			err := f.sweep(ctx)
			if err == nil {
				last, err = f.model(ctx)
			}
			if !yield(last, err) || err != nil {
				return
			}
		}
	}
}

func (g Gibbs) begin(ctx context.Context, x mat.Matrix) (*gibbsFit, error) {
	p, err := newPriors(gibbsMethod, g.Topics, g.Alpha, g.Eta)
	if err != nil {
		return nil, err
	}
	if g.Sweeps < 0 {
		return nil, ml.BadParameter(gibbsMethod, "Sweeps", g.Sweeps, "0 or more")
	}
	g.Sweeps = cmp.Or(g.Sweeps, 200)
	switch {
	case g.BurnIn >= g.Sweeps:
		return nil, ml.BadParameter(gibbsMethod, "BurnIn", g.BurnIn, fmt.Sprintf("less than Sweeps = %d", g.Sweeps))
	case g.Shards < 0 || g.Shards > 1<<10:
		return nil, ml.BadParameter(gibbsMethod, "Shards", g.Shards, "0 to 1024")
	}
	if err := g.Start.check(gibbsMethod); err != nil {
		return nil, err
	}
	c, err := newCorpus(gibbsMethod, x, true)
	if err == nil {
		err = c.needWords(gibbsMethod)
	}
	if err != nil {
		return nil, err
	}
	if c.total > math.MaxInt32 {
		return nil, ml.BadParameter(gibbsMethod, "the sum of all counts", c.total, "at most 2³¹−1: Online takes more")
	}
	f := &gibbsFit{Gibbs: g, priors: p, corpus: c, burnIn: max(cmp.Or(g.BurnIn, g.Sweeps/2), 0)}
	f.spread()
	f.share(int(c.total))
	if err := f.assign(ctx); err != nil {
		return nil, err
	}
	return f, f.recount(ctx)
}

// spread lays the words out one by one.
func (f *gibbsFit) spread() {
	f.start, f.at = make([]int, f.n+1), make([]int, f.v+1)
	f.word, f.z = make([]int32, 0, int(f.total)), make([]uint16, int(f.total))
	for i := range f.n {
		columns, counts := f.Of(i)
		for p, j := range columns {
			for range int(counts[p]) {
				f.word = append(f.word, int32(j))
			}
			f.at[j+1] += int(counts[p])
		}
		f.start[i+1] = len(f.word)
	}
	f.lists = lists{first: make([]int, f.v+1), used: make([]int32, f.v), size: make([]int32, f.k)}
	for j := range f.v {
		f.lists.first[j+1] = f.lists.first[j] + min(f.at[j+1], f.k)
		f.at[j+1] += f.at[j]
	}
	f.lists.entry = make([]entry, f.lists.first[f.v])
	f.place = make([]int32, len(f.word))
	next := make([]int, f.v)
	copy(next, f.at)
	for p, j := range f.word {
		f.place[next[j]] = int32(p)
		next[j]++
	}
}

// share divides the documents into shards of about as many words.
func (f *gibbsFit) share(words int) {
	shards := cmp.Or(f.Shards, min(max(words/30_000, 1), 8))
	f.bounds = []int{0}
	for i := range f.n {
		if f.start[i+1] >= (words*len(f.bounds)+shards-1)/shards {
			f.bounds = append(f.bounds, i+1)
		}
	}
	f.bounds[len(f.bounds)-1] = f.n // documents without words at the end
}

// assign gives each word its first topic.
func (f *gibbsFit) assign(ctx context.Context) error {
	guess, err := f.Start.guess(ctx, f.corpus, f.k, f.Seed)
	if err != nil {
		return err
	}
	r := rng.New(f.Seed)
	for p, w := range f.word {
		if p%65536 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if guess == nil {
			f.z[p] = uint16(r.IntN(f.k))
			continue
		}
		f.z[p] = uint16(rng.Weighted(r, guess[int(w)*f.k:(int(w)+1)*f.k], 1))
	}
	return nil
}

// recount makes the lists of the topics of all places.
func (f *gibbsFit) recount(ctx context.Context) error {
	const size = 1024
	partial := make([][]int32, parallel.Chunks(f.v, size))
	err := parallel.For(ctx, f.v, size, func(chunk, lo, hi int) {
		count, sum := make([]int32, f.k), make([]int32, f.k)
		for j := lo; j < hi; j++ {
			list := f.lists.entry[f.lists.first[j]:f.lists.first[j+1]]
			n := 0
			for _, p := range f.place[f.at[j]:f.at[j+1]] {
				z := f.z[p]
				if count[z] == 0 {
					list[n].topic = int32(z)
					n++
				}
				count[z]++
			}
			for e := range list[:n] {
				z := list[e].topic
				list[e].count = count[z]
				sum[z] += count[z]
				count[z] = 0
			}
			f.lists.used[j] = int32(n)
		}
		partial[chunk] = sum
	})
	if err != nil {
		return err
	}
	clear(f.lists.size)
	for _, sum := range partial {
		for k, n := range sum {
			f.lists.size[k] += n
		}
	}
	return nil
}

// sweep draws every word's topic once, and takes in what it gives to the mean. A sweep that is cut
// off leaves topics that may be counted.
func (f *gibbsFit) sweep(ctx context.Context) error {
	shards := len(f.bounds) - 1
	if shards == 1 {
		newSampler(f, &f.lists, 0).documents(ctx, 0, f.n)
	} else {
		free := make(chan *lists, shards)
		err := parallel.For(ctx, shards, 1, func(s, _, _ int) {
			var own *lists
			select {
			case own = <-free:
			default:
				own = &lists{}
			}
			own.copy(&f.lists)
			newSampler(f, own, s).documents(ctx, f.bounds[s], f.bounds[s+1])
			free <- own
		})
		if err == nil {
			err = ctx.Err()
		}
		if again := f.recount(context.WithoutCancel(ctx)); err == nil {
			err = again
		}
		if err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	f.sweeps++
	if (f.LearnAlpha || f.LearnEta) && f.sweeps%renew == 0 && f.sweeps <= max(f.burnIn, f.Sweeps/2) {
		f.learn()
	}
	if f.sweeps > f.burnIn && (f.sweeps-f.burnIn-1)%thin == 0 {
		return f.take(ctx)
	}
	return nil
}

func (l *lists) copy(from *lists) {
	l.first = from.first
	l.entry = append(l.entry[:0], from.entry...)
	l.used = append(l.used[:0], from.used...)
	l.size = append(l.size[:0], from.size...)
}

// learn renews the priors by the topics as they are.
func (f *gibbsFit) learn() {
	if f.LearnAlpha {
		counts, own := make([][]int32, f.k), make([]int32, f.k)
		var lengths []float64
		for i := range f.n {
			places := f.z[f.start[i]:f.start[i+1]]
			if len(places) == 0 {
				continue
			}
			lengths = append(lengths, float64(len(places)))
			for _, z := range places {
				own[z]++
			}
			for _, z := range places {
				if own[z] > 0 {
					counts[z] = append(counts[z], own[z])
					own[z] = 0
				}
			}
		}
		learnAlpha(f.alpha, counts, lengths)
	}
	if f.LearnEta {
		var counts []int32
		for j := range f.v {
			first := f.lists.first[j]
			for _, e := range f.lists.entry[first : first+int(f.lists.used[j])] {
				counts = append(counts, e.count)
			}
		}
		sizes := make([]float64, f.k)
		for k, n := range f.lists.size {
			sizes[k] = float64(n)
		}
		f.eta = learnEta(f.eta, counts, sizes, f.v)
	}
}

// take adds the counts as they are to the sums.
func (f *gibbsFit) take(ctx context.Context) error {
	if f.byTopic == nil {
		f.byTopic, f.byDoc = make([]float64, f.k*f.v), make([]float64, f.n*f.k)
	}
	if err := f.add(ctx, f.byTopic, f.byDoc); err != nil {
		return err
	}
	f.samples++
	return nil
}

func (f *gibbsFit) add(ctx context.Context, byTopic, byDoc []float64) error {
	for j := range f.v {
		first := f.lists.first[j]
		for _, e := range f.lists.entry[first : first+int(f.lists.used[j])] {
			byTopic[int(e.topic)*f.v+j] += float64(e.count)
		}
	}
	return parallel.For(ctx, f.n, 512, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := byDoc[i*f.k : (i+1)*f.k]
			for _, z := range f.z[f.start[i]:f.start[i+1]] {
				row[z]++
			}
		}
	})
}

// model is the mean of the samples, or, where there are none, what the topics say as they are.
func (f *gibbsFit) model(ctx context.Context) (*Model, error) {
	byTopic, byDoc, samples := f.byTopic, f.byDoc, float64(f.samples)
	if f.samples == 0 {
		byTopic, byDoc, samples = make([]float64, f.k*f.v), make([]float64, f.n*f.k), 1
		if err := f.add(ctx, byTopic, byDoc); err != nil {
			return nil, err
		}
	}
	m := &Model{Topics: mat.NewDense(f.k, f.v, nil), Documents: mat.NewDense(f.n, f.k, nil), Weights: make([]float64, f.k), Alpha: append([]float64(nil), f.alpha...),
		Eta: f.eta, Method: Sampled, Empty: f.empty, Unused: f.unused, Words: f.total, Iterations: f.sweeps}
	for k := range f.k {
		row := m.Topics.RawRowView(k)
		for j, n := range byTopic[k*f.v : (k+1)*f.v] {
			row[j] = n/samples + f.eta
			m.Weights[k] += row[j]
		}
		for j := range row {
			row[j] /= m.Weights[k]
		}
	}
	prior := 0.0
	for _, a := range f.alpha {
		prior += a
	}
	for i := range f.n {
		row := m.Documents.RawRowView(i)
		for k, n := range byDoc[i*f.k : (i+1)*f.k] {
			row[k] = (n/samples + f.alpha[k]) / (f.length[i] + prior)
		}
	}
	var err error
	m.LogJoint, err = f.logJoint(ctx)
	return m, err
}

// logJoint is log p(words, topics) with θ and φ integrated out.
func (f *gibbsFit) logJoint(ctx context.Context) (float64, error) {
	lgamma := func(x float64) float64 { v, _ := math.Lgamma(x); return v }
	vEta, etaLog := float64(f.v)*f.eta, lgamma(f.eta)
	sum := 0.0
	for _, n := range f.lists.size {
		sum += lgamma(vEta) - lgamma(float64(n)+vEta)
	}
	for j := range f.v {
		first := f.lists.first[j]
		for _, e := range f.lists.entry[first : first+int(f.lists.used[j])] {
			sum += lgamma(float64(e.count)+f.eta) - etaLog
		}
	}
	prior := 0.0
	alphaLog := make([]float64, f.k)
	for k, a := range f.alpha {
		prior += a
		alphaLog[k] = lgamma(a)
	}
	const size = 512
	parts := make([]float64, parallel.Chunks(f.n, size))
	err := parallel.For(ctx, f.n, size, func(chunk, lo, hi int) {
		own := make([]int32, f.k)
		for i := lo; i < hi; i++ {
			places := f.z[f.start[i]:f.start[i+1]]
			parts[chunk] += lgamma(prior) - lgamma(float64(len(places))+prior)
			for _, z := range places {
				own[z]++
			}
			for _, z := range places {
				if own[z] > 0 {
					parts[chunk] += lgamma(float64(own[z])+f.alpha[z]) - alphaLog[z]
					own[z] = 0
				}
			}
		}
	})
	for _, p := range parts {
		sum += p
	}
	return sum, err
}
