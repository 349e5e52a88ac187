package nb

import (
	"slices"
	"testing"

	"github.com/golatent/latent/internal/figure"
	"github.com/janpfeifer/gonb/gonbui"
)

type named string

func (n named) Render() (figure.Rendering, error) {
	return figure.Rendering{Alt: string(n)}, nil
}

func TestFollowLeavesTheLastFigureInOnePlace(t *testing.T) {
	defer func(d func(words, htmlText, id string), in bool) { display, gonbui.IsNotebook = d, in }(display, gonbui.IsNotebook)
	gonbui.IsNotebook = true
	t.Setenv("LATENT_BATCH", "")
	var shown, ids []string
	display = func(words, _, id string) { shown, ids = append(shown, words), append(ids, id) }
	w := Follow()
	w.Close() // nothing to leave
	for _, n := range []named{"first", "too soon", "last"} {
		w.Show(n)
	}
	w.Close()
	w.Close() // it is there already
	if !slices.Equal(shown, []string{"first", "last"}) || ids[0] == "" || ids[0] != ids[1] {
		t.Errorf("shown %q under %q, want the first and the last under one id", shown, ids)
	}
	if other := Follow(); other.id == w.id {
		t.Error("two followers share a place")
	}
	t.Setenv("LATENT_BATCH", "yes")
	shown = nil
	w.Show(named("unseen"))
	if len(shown) != 0 {
		t.Errorf("nobody watches, and %q is drawn", shown)
	}
}
