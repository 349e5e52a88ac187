package nb

import (
	"fmt"
	"os"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
)

// Follower shows figures in one place of a cell's output, each instead of the one before: a
// training that reports itself can be watched.
//
//	live := nb.Follow()
//	defer live.Close()
//	ctx := neural.Watch(nb.Context(), func(r neural.Trained) { live.Show(plotting.New(plotting.Line(r.History.At(), r.History.Loss))) })
type Follower struct {
	id    string
	last  Figure
	drawn time.Time
}

// Follow makes a place for figures that follow each other.
func Follow() *Follower {
	return &Follower{id: fmt.Sprintf("latent-follow-%d-%d", os.Getpid(), time.Now().UnixNano())}
}

// Show draws f, but no more than four figures a second: one that comes too soon after another
// waits, and gives way to the next.
func (w *Follower) Show(f Figure) {
	w.last = f
	// Executed by a test, nobody watches: only what stays is drawn.
	if gonbui.IsNotebook && os.Getenv("LATENT_BATCH") == "" && time.Since(w.drawn) > 250*time.Millisecond {
		w.draw()
	}
}

// Close leaves the last figure in the notebook.
func (w *Follower) Close() {
	if w.last != nil {
		w.draw()
	}
}

func (w *Follower) draw() {
	r := render(w.last)
	display(r.Alt, r.HTML(), w.id)
	w.last, w.drawn = nil, time.Now()
}
