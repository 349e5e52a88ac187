package neural

import (
	"github.com/golatent/latent/internal/rng"
	"github.com/gomlx/gomlx/core/tensors"
)

// source is where the minibatches of some arrays come from. The rows of a turn depend on the seed,
// the path of the random stream, and the turn alone.
type source struct {
	data  []*Array
	batch int
	n     int // examples
	seed  uint64
	path  []int

	endless bool  // one order follows the other without a gap; otherwise what fills no batch is left out
	epoch   int   // whose order that is; -1 before the first
	order   []int // of the epoch
	rows    []int // of the turn
}

// newSource shows every example once in an epoch, but for the few that fill no batch. A batch of
// all, or of more, has the examples in their order.
func newSource(data []*Array, batch int, seed uint64, path ...int) source {
	n := data[0].Len()
	batch = min(batch, n)
	return source{data: data, batch: batch, n: n, seed: seed, path: path, epoch: -1, rows: make([]int, batch)}
}

// newStream shows every example once before any comes again, whatever the size of a batch.
func newStream(data []*Array, batch int, seed uint64, path ...int) source {
	return source{data: data, batch: batch, n: data[0].Len(), seed: seed, path: path, endless: true, epoch: -1, rows: make([]int, batch)}
}

// fill puts the minibatch of a turn into tensors.
func (s *source) fill(to []*tensors.Tensor, turn int) error {
	first := s.epoch < 0
	switch {
	case s.endless:
		for i := range s.rows {
			at := turn*s.batch + i
			s.rows[i] = s.orderOf(at / s.n)[at%s.n]
		}
	case s.batch < s.n:
		perEpoch := s.n / s.batch
		at := turn % perEpoch * s.batch
		copy(s.rows, s.orderOf(turn / perEpoch)[at:at+s.batch])
	case first:
		s.epoch, s.rows = 0, upTo(s.n)
	default:
		return nil // a batch of all rows stays where it is
	}
	for i, a := range s.data {
		if err := a.fill(to[i], s.rows); err != nil {
			return err
		}
	}
	return nil
}

func (s *source) orderOf(epoch int) []int {
	if epoch != s.epoch {
		s.epoch = epoch
		s.order = rng.New(s.seed, append(append([]int(nil), s.path...), epoch)...).Perm(s.n)
	}
	return s.order
}
