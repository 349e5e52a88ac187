package nb

import (
	"fmt"
	"html"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
)

// Progress passes on the steps of an iterative method and shows how far it is: a bar while it runs,
// one quiet line in the saved notebook. total is the number of steps when it is known and 0 when it
// is not. Outside a notebook it is silent.
//
//	for m, err := range nb.Progress("k-means", 0, cluster.KMeans{K: 10}.Iterate(nb.Context(), x)) { … }
func Progress[M any](label string, total int, steps iter.Seq2[M, error]) iter.Seq2[M, error] {
	return func(yield func(M, error) bool) {
		bar := newBar(label, total)
		defer bar.close()
		for m, err := range steps {
			bar.step()
			if !yield(m, err) {
				return
			}
		}
	}
}

// Count runs from 0 to n-1 with a bar, for a loop of one's own; it ends early when the cell is
// interrupted.
func Count(label string, n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		bar := newBar(label, n)
		defer bar.close()
		for i := range n {
			if Context().Err() != nil || !yield(i) {
				return
			}
			bar.step()
		}
	}
}

// Bytes returns a function that shows how many bytes of how many are here, for a download:
//
//	train, test, err := remote.FashionMNIST(nb.Context(), remote.Progress(nb.Bytes("Fashion-MNIST")))
//
// When all are here it leaves one quiet line. Outside a notebook it is silent.
func Bytes(label string) func(done, total int64) {
	b := &bar{label: label, id: newID()}
	return func(done, total int64) {
		if done >= total {
			b.show(fmt.Sprintf("%s: %.1f MB", label, float64(total)/1e6), "")
			return
		}
		b.show(fmt.Sprintf("%s: %.1f of %.1f MB", label, float64(done)/1e6, float64(total)/1e6), meter(done, total))
	}
}

// bar is drawn at most ten times a second, so that a quick loop does not spend its time on drawing.
type bar struct {
	label       string
	done, total int
	id          string
	drawn       time.Time
}

func newBar(label string, total int) *bar {
	b := &bar{label: label, total: total, id: newID()}
	b.draw()
	return b
}

// newID names an output that is replaced by later ones.
func newID() string { return fmt.Sprintf("latent-%d-%d", os.Getpid(), time.Now().UnixNano()) }

func meter(done, total int64) string {
	return fmt.Sprintf(`<progress max="%d" value="%d" style="width:20em"></progress> `, total, done)
}

func (b *bar) step() {
	b.done++
	if time.Since(b.drawn) > 100*time.Millisecond {
		b.draw()
	}
}

func (b *bar) draw() {
	b.drawn = time.Now()
	count := fmt.Sprint(b.done)
	picture := ""
	if b.total > 0 {
		count += fmt.Sprintf(" of %d", b.total)
		picture = meter(int64(b.done), int64(b.total))
	}
	b.show(fmt.Sprintf("%s: %s", b.label, count), picture)
}

// close leaves what a reader of the saved notebook wants to know, and no time: the text of an
// output is the same on every execution.
func (b *bar) close() {
	noun := "steps"
	if b.done == 1 {
		noun = "step"
	}
	b.show(fmt.Sprintf("%s: %d %s", b.label, b.done, noun), "")
}

func (b *bar) show(words, picture string) {
	if gonbui.IsNotebook {
		display(words, `<div style="font:13px sans-serif;opacity:.75">`+picture+html.EscapeString(strings.TrimSpace(words))+`</div>`, b.id)
	}
}
