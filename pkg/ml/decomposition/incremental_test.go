package decomposition

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"gonum.org/v1/gonum/mat"
)

// writeRows writes n rows of eight numbers that three factors drive, as float64 in little-endian
// order, and returns the sums of their squares about their mean.
func writeRows(t *testing.T, name string, n int) float64 {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w, r := bufio.NewWriter(file), rng.New(5)
	var sum, squares [8]float64
	row, bytes := make([]float64, 8), make([]byte, 0, 64)
	for range n {
		a, b, c := 3*r.NormFloat64(), 2*r.NormFloat64(), r.NormFloat64()
		bytes = bytes[:0]
		for j := range row {
			row[j] = 10 + a*math.Sin(float64(j)) + b*math.Cos(float64(2*j)) + c*math.Sin(float64(3*j+1))
			sum[j] += row[j] - 10
			squares[j] += (row[j] - 10) * (row[j] - 10)
			bytes = binary.LittleEndian.AppendUint64(bytes, math.Float64bits(row[j]))
		}
		if _, err := w.Write(bytes); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Flush(), file.Close()); err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for j := range sum {
		total += squares[j] - sum[j]*sum[j]/float64(n)
	}
	return total
}

// stream reads a file of writeRows, a thousand rows at a time, and returns the model and the most
// that the heap held on the way.
func stream(t *testing.T, name string) (*PCAModel, uint64) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s, err := IncrementalPCA{Components: 3}.Start(8)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	peak, bytes, numbers := uint64(0), make([]byte, 64_000), make([]float64, 8_000)
	for {
		read, err := io.ReadFull(file, bytes)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
		for i := range read / 8 {
			numbers[i] = math.Float64frombits(binary.LittleEndian.Uint64(bytes[8*i:]))
		}
		if err := s.Add(t.Context(), mat.NewDense(read/64, 8, numbers[:read/8])); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&now)
		peak = max(peak, now.HeapAlloc-min(now.HeapAlloc, before.HeapAlloc))
	}
	m, err := s.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m, peak
}

// A million rows come from a file of 64 MB. The heap holds no more for them than for a tenth, not
// even a fifth of the file, and the components have all of the variance that there is.
func TestIncrementalMemoryIsConstant(t *testing.T) {
	few, many := filepath.Join(t.TempDir(), "few"), filepath.Join(t.TempDir(), "many")
	writeRows(t, few, 100_000)
	squares := writeRows(t, many, 1_000_000)
	_, small := stream(t, few)
	m, large := stream(t, many)
	t.Logf("peak of the heap: %.2f MB for 100,000 rows, %.2f MB for 1,000,000", float64(small)/1e6, float64(large)/1e6)
	if large > small+2e6 || large > 64e6/5 {
		t.Errorf("the heap held %d bytes for a million rows, %d for a tenth", large, small)
	}
	got := 0.0
	for _, v := range m.Variance {
		got += v * 999_999
	}
	if m.Rows != 1_000_000 || math.Abs(got/squares-1) > 1e-9 {
		t.Errorf("%d rows, sum of squares %v, want %v", m.Rows, got, squares)
	}
}
