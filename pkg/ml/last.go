package ml

import "iter"

// Last drains an Iterate and returns its last model: what Fit is, where there is one start. An
// error that ended the iteration is returned beside the last model before it, nil if there was
// none.
func Last[M any](models iter.Seq2[*M, error]) (last *M, err error) {
	for m, err := range models {
		if m != nil {
			last = m
		}
		if err != nil {
			return last, err
		}
	}
	return last, nil
}
