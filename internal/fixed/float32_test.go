package fixed

import (
	"fmt"
	"math"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"pgregory.net/rapid"
)

// The kernel of a processor and plain Go agree to the last bit, for any sizes, and with numbers
// that are not finite or hardly there. What is beside y and w is neither read nor written.
func TestProductIsTheSameOnEveryMachine(t *testing.T) {
	special := []float32{0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), math.SmallestNonzeroFloat32, -1e-40, math.MaxFloat32}
	rapid.Check(t, func(t *rapid.T) {
		n, rows := rapid.IntRange(0, 70).Draw(t, "columns"), rapid.IntRange(0, 11).Draw(t, "rows")
		before := rapid.IntRange(0, 9).Draw(t, "before") // so that nothing need be aligned
		odd := rapid.Bool().Draw(t, "special numbers")
		r := rng.New(rapid.Uint64().Draw(t, "seed"))
		numbers := func(n int) []float32 {
			out := make([]float32, n)
			for i := range out {
				out[i] = float32(r.NormFloat64())
				if odd && r.IntN(20) == 0 {
					out[i] = special[r.IntN(len(special))]
				}
			}
			return out
		}
		x, w := numbers(rows), numbers(before + rows*n)[before:]
		got := numbers(before + n + 9)
		want := append([]float32{}, got...)
		AddProduct(got[before:before+n:before+n], x, w[:rows*n:rows*n])
		plainProduct(want[before:before+n], x, w)
		for i := range got {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) && !(got[i] != got[i] && want[i] != want[i]) {
				t.Fatalf("number %d of %d: %v, plain Go gives %v", i-before, n, got[i], want[i])
			}
		}
	})
}

func BenchmarkProduct(b *testing.B) {
	for _, size := range [][2]int{{60, 120}, {128, 384}, {512, 1536}} {
		y, x, w := make([]float32, size[1]), make([]float32, size[0]), make([]float32, size[0]*size[1])
		for name, product := range map[string]func(y, x, w []float32){"kernel": AddProduct, "plain": plainProduct} {
			b.Run(fmt.Sprintf("%dx%d/%s", size[0], size[1], name), func(b *testing.B) {
				b.SetBytes(int64(4 * len(w)))
				for b.Loop() {
					product(y, x, w)
				}
			})
		}
	}
}
